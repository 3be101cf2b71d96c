//! Weighted rendezvous hashing: a sticky choice that follows the weights and moves as few users as possible.
//!
//! Each target gets a score from (key, target) and its weight; the highest wins. A target whose weight grows
//! only wins users, one whose weight shrinks only loses them, and nobody moves between two others.
//! Score: -weight / ln(u), u uniform in (0, 1) (Schindelhauer and Schomaker 2005, "logarithmic method").

use crate::hash::{hash64, mix64};

/// What is known of a target before the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    seed: u64,
    weight: f64,
}

impl Candidate {
    pub(super) fn new(name: &str, weight: u64) -> Self {
        // Weights are at most a million: exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let weight = weight as f64;
        Self {
            seed: hash64(name.as_bytes()),
            weight,
        }
    }

    fn score(&self, key: u64) -> f64 {
        // 52 bits and a half: exact in a double, and never 0 or 1, whose logarithms have no use here.
        #[allow(clippy::cast_precision_loss)]
        let uniform = ((mix64(key ^ self.seed) >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0);
        // libm and not f64::ln: the same bits on every platform, so all hops choose alike.
        -self.weight / libm::log(uniform)
    }
}

/// The index of the winner; `None` when no candidate has weight.
pub(super) fn choose<'c>(key: &[u8], candidates: impl Iterator<Item = &'c Candidate>) -> Option<usize> {
    let key = hash64(key);
    let mut best: Option<(usize, f64)> = None;
    for (index, candidate) in candidates.enumerate() {
        if candidate.weight <= 0.0 {
            continue;
        }
        let score = candidate.score(key);
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((index, score));
        }
    }
    best.map(|(index, _)| index)
}
