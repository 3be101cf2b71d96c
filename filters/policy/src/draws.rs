//! Random numbers of one VM: a sequence that its seed determines.

use crate::hash::mix64;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64. Good enough for shares of traffic and for trace ids; useless as a secret.
///
/// Each VM (one per worker) seeds it once, from the host's random bytes.
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The sequence of this seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, uniform over all of `u64`.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix64(self.state)
    }

    /// The next number below `bound`; 0 when `bound` is 0. Biased by less than `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.number()) * u128::from(bound);
        // The high half is below `bound`, so it fits.
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// The next number that is not 0 (W3C Trace Context forbids ids of zeros).
    pub fn non_zero(&mut self) -> u64 {
        self.number().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_determines_the_sequence() {
        let mut draws = Draws::from_seed(0);
        // Reference values of SplitMix64 with seed 0.
        assert_eq!(draws.number(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(draws.number(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn stays_below_its_bound() {
        let mut draws = Draws::from_seed(7);
        assert!((0..10_000).all(|_| draws.below(3) < 3));
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.below(1), 0);
    }
}
