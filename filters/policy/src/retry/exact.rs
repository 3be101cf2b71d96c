//! A budget that all workers of one Envoy share and that sees every attempt.
//!
//! It runs in the module as an upstream filter, once for each attempt, and keeps its window in the host's
//! shared data. So it is exact where the budget of one worker ([`Budget`](super::Budget)) only knows its own
//! requests, at the price of a read and a write of shared data for each attempt.

use std::time::Duration;

use super::budget::{Budget, ENCODED};
use super::BudgetConfig;
use crate::rate_limit::{Shared, SharedRead, SharedWrite, CREATE};

/// Writes that lose against other workers before an attempt is decided without.
const TRIES: usize = 16;

/// The budget of one upstream filter.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactBudget {
    key: Vec<u8>,
    settings: BudgetConfig,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It goes on.
    Go,
    /// It is a retry, and the budget has none left.
    Deny,
}

impl ExactBudget {
    /// The budget of this name; other settings are another budget.
    #[must_use]
    pub fn new(mesh: &str, name: &str, settings: BudgetConfig) -> Self {
        let mut key = b"ferromesh.retry/".to_vec();
        for part in [mesh, name] {
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
        for number in [settings.min_per_second, settings.window_seconds, settings.ratio_micro()] {
            key.extend_from_slice(&number.to_le_bytes());
        }
        Self { key, settings }
    }

    /// Decides an attempt: the first of a request is 1, and counts the request.
    ///
    /// When shared data does not answer, first attempts go and retries do not: a budget that cannot be
    /// counted grants nothing.
    pub fn on_attempt<S: Shared>(&self, shared: &S, now: Duration, attempt: u32) -> Attempt {
        let uncounted = if attempt <= 1 { Attempt::Go } else { Attempt::Deny };
        for _ in 0..TRIES {
            let (mut budget, cas) = match shared.get(&self.key) {
                SharedRead::Found(bytes, cas) => {
                    let budget = Budget::decode(&self.settings, bytes.as_ref());
                    (budget.unwrap_or_else(|| Budget::new(&self.settings)), cas)
                }
                SharedRead::Absent => (Budget::new(&self.settings), CREATE),
                SharedRead::Refused => return uncounted,
            };
            let decision = if attempt <= 1 {
                budget.count_request(now);
                Attempt::Go
            } else if budget.take_retry(now) {
                Attempt::Go
            } else {
                return Attempt::Deny;
            };
            let encoded: [u8; ENCODED] = budget.encode();
            match shared.set(&self.key, &encoded, cas) {
                SharedWrite::Written => return decision,
                SharedWrite::Mismatch => {}
                SharedWrite::Refused => return uncounted,
            }
        }
        uncounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::Memory;

    fn budget(min_per_second: u32, ratio: f64) -> ExactBudget {
        let settings = BudgetConfig {
            ratio,
            min_per_second,
            window_seconds: 10,
        };
        ExactBudget::new("m", "color.local", settings)
    }

    #[test]
    fn three_hundred_failing_requests_with_a_budget_of_fifty_cost_three_hundred_and_fifty_attempts() {
        let (shared, budget) = (Memory::default(), budget(5, 0.0));
        let mut attempts = 0;
        for request in 0..300 {
            // Another worker's view of the same window is the same.
            let budget = if request % 2 == 0 {
                budget.clone()
            } else {
                ExactBudget { ..budget.clone() }
            };
            for attempt in 1..=4 {
                if budget.on_attempt(&shared, Duration::from_millis(request * 10), attempt) == Attempt::Deny {
                    break;
                }
                attempts += 1;
            }
        }
        assert_eq!(attempts, 350);
    }

    #[test]
    fn the_ratio_counts_requests_of_all_workers() {
        let (shared, budget) = (Memory::default(), budget(0, 0.2));
        let now = Duration::from_secs(1);
        assert!((0..100).all(|_| budget.on_attempt(&shared, now, 1) == Attempt::Go));
        let granted = (0..100)
            .filter(|_| budget.on_attempt(&shared, now, 2) == Attempt::Go)
            .count();
        assert_eq!(granted, 20);
    }

    #[test]
    fn the_window_passes() {
        let (shared, budget) = (Memory::default(), budget(1, 0.0));
        let granted = |second: u64| {
            let now = Duration::from_secs(second);
            (0..50)
                .filter(|_| budget.on_attempt(&shared, now, 2) == Attempt::Go)
                .count()
        };
        assert_eq!((granted(1), granted(5), granted(12)), (10, 0, 10));
    }

    #[test]
    fn goes_on_when_another_worker_wrote_in_between() {
        let (shared, budget) = (Memory::default(), budget(1, 0.0));
        shared.inject_mismatches(TRIES as u32 - 1);
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 2), Attempt::Go);
        shared.inject_mismatches(TRIES as u32);
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 2), Attempt::Deny);
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 1), Attempt::Go);
    }

    #[test]
    fn grants_nothing_that_cannot_be_counted() {
        let (shared, budget) = (Memory::default(), budget(1, 1.0));
        shared.refuse(true);
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 1), Attempt::Go);
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 2), Attempt::Deny);
    }

    #[test]
    fn a_damaged_record_is_a_new_window() {
        let (shared, budget) = (Memory::default(), budget(1, 0.0));
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 2), Attempt::Go);
        shared.overwrite_all(b"x");
        assert_eq!(budget.on_attempt(&shared, Duration::ZERO, 2), Attempt::Go);
    }
}
