//! Weighted rendezvous hashing: a sticky choice that follows the weights and moves as few users as possible.
//!
//! Each target gets a score from (key, target) and its weight; the highest wins. A target whose weight grows
//! only wins users, one whose weight shrinks only loses them, and nobody moves between two others.
//! Score: -weight / ln(u), u uniform in (0, 1) (Schindelhauer and Schomaker 2005, "logarithmic method").

use crate::hash::{hash64, mix64};

/// What stands for a target in scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(name: &str) -> Self {
        Self(hash64(name.as_bytes()))
    }

    fn score(self, weight: u64, key: u64) -> f64 {
        // 52 bits and a half: exact in a double, and never 0 or 1, whose logarithms have no use here. Weights
        // are at most a billion.
        #[allow(clippy::cast_precision_loss)]
        let (weight, uniform) = (
            weight as f64,
            ((mix64(key ^ self.0) >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0),
        );
        // libm and not f64::ln: the same bits on every platform, so all hops choose alike.
        -weight / libm::log(uniform)
    }
}

/// The index of the winner; `None` when no candidate has weight.
pub(super) fn choose(key: &[u8], candidates: impl Iterator<Item = (Seed, u64)>) -> Option<usize> {
    let key = hash64(key);
    let mut best: Option<(usize, f64)> = None;
    for (index, (seed, weight)) in candidates.enumerate() {
        if weight == 0 {
            continue;
        }
        let score = seed.score(weight, key);
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((index, score));
        }
    }
    best.map(|(index, _)| index)
}
