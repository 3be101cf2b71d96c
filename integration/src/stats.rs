//! The statistics that the tests and the demo judge by: how far a share is from its weight, percentiles,
//! and the moment from which a new weight held.

use std::time::Duration;

/// How far `hits` out of `total` is from the `expected` share (0.0–1.0), in standard deviations of a
/// binomial sample. A share of exactly 0 or 1 has no deviation: any other count is infinitely far off.
pub fn sigmas(hits: usize, total: usize, expected: f64) -> f64 {
    let off = (hits as f64 - total as f64 * expected).abs();
    let sigma = (total as f64 * expected * (1.0 - expected)).sqrt();
    if off < 1e-9 {
        0.0
    } else {
        off / sigma
    }
}

/// The `percent`-th percentile (0.0–100.0, nearest rank) of durations in any order; zero when there is none.
pub fn percentile(durations: &mut [Duration], percent: f64) -> Duration {
    durations.sort_unstable();
    let rank = (percent / 100.0 * durations.len() as f64).ceil() as usize;
    durations.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The median of figures in any order; 0 when there is none.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        n if n % 2 == 1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}

/// The most likely index at which the chance of `true` went from `before` to `after` (maximum likelihood):
/// samples from that index on are under the new chance. Returns `samples.len()` when none seems to be.
pub fn change_point(samples: &[bool], before: f64, after: f64) -> usize {
    // A chance of 0 or 1 would make one late request infinitely unlikely, which is not what was measured:
    // two requests that overlap may be recorded in either order.
    let likelihood = |chance: f64, hit: bool| {
        let chance = chance.clamp(1e-4, 1.0 - 1e-4);
        if hit {
            chance.ln()
        } else {
            (1.0 - chance).ln()
        }
    };
    let mut score = 0.0;
    let mut best = (0.0, samples.len());
    // From the end: how much likelier is everything from here on under `after` than under `before`?
    for (index, &hit) in samples.iter().enumerate().rev() {
        score += likelihood(after, hit) - likelihood(before, hit);
        if score > best.0 {
            best = (score, index);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_on_its_weight_is_no_deviation_and_a_share_off_an_exact_weight_is_infinitely_far() {
        assert_eq!(sigmas(100, 1000, 0.1), 0.0);
        assert_eq!(sigmas(0, 1000, 0.0), 0.0);
        assert_eq!(sigmas(1000, 1000, 1.0), 0.0);
        assert!(sigmas(1, 1000, 0.0).is_infinite());
    }

    #[test]
    fn thirty_off_in_a_thousand_at_one_half_is_almost_two_deviations() {
        assert!((sigmas(530, 1000, 0.5) - 1.897).abs() < 0.001);
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut durations: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut durations, 50.0), Duration::from_millis(50));
        assert_eq!(percentile(&mut durations, 99.0), Duration::from_millis(99));
        assert_eq!(percentile(&mut durations, 100.0), Duration::from_millis(100));
        assert_eq!(percentile(&mut [], 50.0), Duration::ZERO);
    }

    #[test]
    fn the_change_point_of_a_clean_step_is_its_index() {
        let samples: Vec<bool> = (0..300).map(|i| i >= 120).collect();
        assert_eq!(change_point(&samples, 0.0, 1.0), 120);
        assert_eq!(change_point(&samples[..100], 0.0, 1.0), 100);
    }

    #[test]
    fn the_median_of_an_even_number_of_figures_lies_between_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }
}
