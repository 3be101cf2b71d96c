//! Time as the records hold it: integers fine enough for the interval between two requests at any rate.

use std::time::Duration;

/// Ticks in a second: sixteenths of a nanosecond, so that rounding the interval at 10,000,000 requests a second costs
/// less than 0.1 %; a `u64` of them lasts 36 years.
pub(super) const SECOND: u64 = 16_000_000_000;
/// Ticks in a millisecond.
pub(super) const MILLISECOND: u64 = SECOND / 1_000;

/// Monotonic time in ticks.
pub(super) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(16)
}

/// The whole seconds that cover a span of ticks.
pub(super) fn seconds(ticks: u64) -> u32 {
    u32::try_from(ticks.div_ceil(SECOND)).unwrap_or(u32::MAX)
}
