//! How long to wait before an address is tried again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential growth with full jitter: anything from nothing to a bound that doubles. Of a thousand proxies that lose
/// their control plane at one moment no two groups come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    /// The pause after one more failure. `chance` is from 0 up to 1.
    pub fn next(&mut self, chance: f64) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(chance)
    }
}

/// A number from 0 up to 1 that is another each time.
pub(super) fn fraction() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_ten_seconds_and_chance_takes_any_part_of_it() {
        let mut pause = Pause::default();
        let bounds: Vec<_> = (0..8).map(|_| pause.next(1.0).as_millis()).collect();
        assert_eq!(bounds, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(pause.next(0.0), Duration::ZERO);
        assert_eq!(pause.next(0.5), Duration::from_secs(5));
    }

    #[test]
    fn chance_is_from_nothing_up_to_one() {
        let drawn: Vec<f64> = (0..1000).map(|_| fraction()).collect();
        assert!(drawn.iter().all(|drawn| (0.0..1.0).contains(drawn)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }
}
