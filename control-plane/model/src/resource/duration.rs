//! Lengths of time, which App Mesh writes as a number and a unit.

use serde::{Deserialize, Serialize};

/// A length of time: `value` units.
///
/// The service model requires neither member. Without a value there is no duration at all ([`Duration::as_std`] gives
/// `None`); without a unit the value counts milliseconds, the unit that every other App Mesh time field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Duration {
    /// Unit of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<DurationUnit>,
    /// Number of units, 0 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

impl Duration {
    /// The same length as a standard duration; `None` without a value or with a negative one.
    pub fn as_std(&self) -> Option<std::time::Duration> {
        let value = u64::try_from(self.value?).ok()?;
        Some(match self.unit {
            Some(DurationUnit::S) => std::time::Duration::from_secs(value),
            Some(DurationUnit::Ms) | None => std::time::Duration::from_millis(value),
        })
    }
}

/// Unit of a [`Duration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DurationUnit {
    /// Seconds.
    #[serde(rename = "s")]
    S,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Ms,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_both_units_and_treats_a_missing_unit_as_milliseconds() {
        let of = |unit, value| Duration { unit, value }.as_std();
        assert_eq!(
            of(Some(DurationUnit::S), Some(2)),
            Some(std::time::Duration::from_secs(2))
        );
        assert_eq!(
            of(Some(DurationUnit::Ms), Some(2)),
            Some(std::time::Duration::from_millis(2))
        );
        assert_eq!(of(None, Some(2)), Some(std::time::Duration::from_millis(2)));
        assert_eq!(of(Some(DurationUnit::S), None), None);
        assert_eq!(of(Some(DurationUnit::S), Some(-1)), None);
    }
}
