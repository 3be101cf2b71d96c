//! Points in time as people read them.

/// Seconds since 1970 as RFC 3339 in UTC, without fractions: `2024-05-01T12:00:00Z`.
///
/// Negative times and those after the year 9999 are shown as the nearest of that range.
pub fn rfc3339(seconds: f64) -> String {
    const LAST: u64 = 253_402_300_799;
    // A float cast saturates, and turns NaN into 0.
    let seconds = (seconds as u64).min(LAST);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970-01-01, in the Gregorian calendar: eras of 400 years with years that begin in March,
/// so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_out_right_around_leap_days() {
        assert_eq!(rfc3339(0.0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400.5), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_164_800.0), "2024-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_199.0), "2024-02-29T23:59:59Z");
        assert_eq!(rfc3339(4_107_542_400.0), "2100-03-01T00:00:00Z");
        assert_eq!(rfc3339(f64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(-1.0), "1970-01-01T00:00:00Z");
    }
}
