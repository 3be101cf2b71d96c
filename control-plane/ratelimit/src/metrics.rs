//! What the service counts about itself, in Prometheus' text format. Domains and limits come from routes, so there are few;
//! should somebody else reach the service, there is one series for all that are too many.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Series of limits.
const MAX_SERIES: usize = 1_000;
/// Upper bounds of the store's times, in microseconds.
const BOUNDS: [u64; 9] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000];

/// How a request or a limit was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    OverLimit,
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Invalid,
    Busy,
    Lost,
    Late,
    Refused,
}

const PROBLEMS: [(Problem, &str); 5] = [
    (Problem::Invalid, "invalid_request"),
    (Problem::Busy, "busy"),
    (Problem::Lost, "store_lost"),
    (Problem::Late, "store_late"),
    (Problem::Refused, "store_refused"),
];

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    limits: RwLock<BTreeMap<(String, String), [AtomicU64; 2]>>,
    others: [AtomicU64; 2],
    requests: [AtomicU64; 2],
    problems: [AtomicU64; PROBLEMS.len()],
    times: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    pub(crate) fn answered(&self, outcome: Outcome) {
        self.requests[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, problem: Problem) {
        self.problems[problem as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn store_took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let slot = BOUNDS.iter().position(|bound| micros <= *bound);
        self.times[slot.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn limited(&self, domain: &str, limit: &str, outcome: Outcome) {
        let name = (domain.to_owned(), limit.to_owned());
        {
            let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
            let full = limits.len() >= MAX_SERIES;
            if let Some(counts) = limits.get(&name).or(full.then_some(&self.others)) {
                counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        let counts = limits.entry(name).or_default();
        counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Everything as text. `ready` is whether the store can be asked.
    #[must_use]
    pub fn render(&self, ready: bool) -> String {
        let mut text = String::new();
        let count = |counts: &[AtomicU64], index: usize| counts[index].load(Ordering::Relaxed);
        let outcomes = [(Outcome::Ok, "ok"), (Outcome::OverLimit, "over_limit")];

        family(&mut text, "requests_total", "counter", "Requests that were decided.");
        for (outcome, name) in outcomes {
            let value = count(&self.requests, outcome as usize);
            let _ = writeln!(text, "ferromesh_ratelimit_requests_total{{result=\"{name}\"}} {value}");
        }
        family(&mut text, "errors_total", "counter", "Requests that were not decided.");
        for (problem, name) in PROBLEMS {
            let value = count(&self.problems, problem as usize);
            let _ = writeln!(text, "ferromesh_ratelimit_errors_total{{reason=\"{name}\"}} {value}");
        }
        family(&mut text, "limits_total", "counter", "Answers of each limit.");
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let other = ("other".to_owned(), "other".to_owned());
        for ((domain, limit), counts) in limits.iter().chain([(&other, &self.others)]) {
            for (outcome, name) in outcomes {
                let value = count(counts, outcome as usize);
                let (domain, limit) = (escaped(domain), escaped(limit));
                let _ = writeln!(
                    text,
                    "ferromesh_ratelimit_limits_total{{domain=\"{domain}\",limit=\"{limit}\",result=\"{name}\"}} {value}"
                );
            }
        }
        family(&mut text, "store_seconds", "histogram", "Time that the store took.");
        let mut total = 0;
        for (slot, time) in self.times.iter().enumerate() {
            total += time.load(Ordering::Relaxed);
            let bound = BOUNDS.get(slot).map_or("+Inf".to_owned(), |bound| seconds(*bound));
            let _ = writeln!(
                text,
                "ferromesh_ratelimit_store_seconds_bucket{{le=\"{bound}\"}} {total}"
            );
        }
        let sum = seconds(self.micros.load(Ordering::Relaxed));
        let _ = writeln!(text, "ferromesh_ratelimit_store_seconds_sum {sum}");
        let _ = writeln!(text, "ferromesh_ratelimit_store_seconds_count {total}");
        family(&mut text, "store_ready", "gauge", "1 while the store can be asked.");
        let _ = writeln!(text, "ferromesh_ratelimit_store_ready {}", u8::from(ready));
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let name = format!("ferromesh_ratelimit_{name}");
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_counted_under_their_own_names() {
        for (index, (problem, _)) in PROBLEMS.iter().enumerate() {
            assert_eq!(*problem as usize, index);
        }
    }

    #[test]
    fn series_are_bounded_and_values_escaped() {
        let metrics = Metrics::default();
        metrics.limited("a\"b\\c", "x", Outcome::Ok);
        for limit in 0..2_000 {
            metrics.limited("d", &limit.to_string(), Outcome::OverLimit);
        }
        let text = metrics.render(true);
        assert!(text.contains(r#"limits_total{domain="a\"b\\c",limit="x",result="ok"} 1"#));
        assert!(text.contains(r#"limits_total{domain="other",limit="other",result="over_limit"} 1001"#));
        assert!(text.lines().count() < 2 * MAX_SERIES + 50);
    }

    #[test]
    fn times_are_a_histogram_in_seconds() {
        let metrics = Metrics::default();
        metrics.store_took(Duration::from_micros(300));
        metrics.store_took(Duration::from_secs(2));
        let text = metrics.render(false);
        assert!(text.contains("store_seconds_bucket{le=\"0.000250\"} 0\n"));
        assert!(text.contains("store_seconds_bucket{le=\"0.000500\"} 1\n"));
        assert!(text.contains("store_seconds_bucket{le=\"+Inf\"} 2\n"));
        assert!(text.contains("store_seconds_sum 2.000300\n"));
        assert!(text.contains("store_ready 0\n"));
    }
}
