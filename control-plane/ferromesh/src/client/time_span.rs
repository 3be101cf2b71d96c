//! Spans of time as people write them: `90s`, `30m`, `12h`, `7d`.

/// The seconds of a whole number with its unit; `None` for anything else.
pub fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("30m"), Some(1800));
        assert_eq!(seconds("2h"), Some(7200));
        assert_eq!(seconds("7d"), Some(604_800));
        for text in [
            "",
            "1",
            "h",
            "1.5h",
            "-1h",
            "1w",
            "5y",
            "é",
            "1é",
            "99999999999999999999d",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
