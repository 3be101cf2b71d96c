//! Whether a store takes writes, and since when not.

use std::fmt;
use std::time::SystemTime;

/// What a store can do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Reads and writes.
    Full,
    /// Reads only: of the last good state.
    ReadOnly {
        /// Since when.
        since: SystemTime,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("read-write"),
            Self::ReadOnly { since, reason } => {
                let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                write!(f, "read-only since {}: {reason}", utc(since.as_secs()))
            }
        }
    }
}

/// Seconds since 1970 as `2026-11-23T01:02:03Z`.
pub(crate) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_396_634), "2026-11-23T01:17:14Z");
    }
}
