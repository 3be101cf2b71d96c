//! What proxies report of their requests, and whether a candidate has made it worse.
//!
//! A proxy is compared with itself before it was given the candidate, and with the others of the same virtual node or
//! gateway that were not. The filters' own comparison of canaries (decision 0013) wants both sides at the same time, block by
//! block; here one of them is mostly the past, so that the shares are compared as they stand, with a bar that is high enough
//! to be looked at every second.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::identity::ProxyKey;

/// An Envoy that has run no longer than this may not have been reported on.
const YOUNG: Duration = Duration::from_secs(10);
/// Reports that are kept of an instance.
const KEPT: usize = 40;
/// How far back an instance is compared with itself.
const PAST: Duration = Duration::from_secs(120);
/// An instance that has not reported for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Instances that are kept.
const MAX_INSTANCES: usize = 50_000;
/// Errors below which nothing is concluded.
const MIN_ERRORS: u64 = 5;
/// How much worse the share of errors must be, beyond doubt.
const MARGIN: f64 = 0.01;
/// What is beyond doubt, in standard deviations: one wrong conclusion in 300,000 looks.
const DOUBT: f64 = 4.5;
/// Failures of wasm VMs that no proxy has by chance.
const MIN_VM_FAILURES: u64 = 3;

/// What an Envoy has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that its listeners have answered.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// Wasm VMs that died.
    pub vm_failures: u64,
    /// How long it has run.
    pub uptime: Duration,
    /// Whether it has been told to drain: it will go, and that is no harm.
    pub is_draining: bool,
}

/// The reports of all proxies.
#[derive(Debug, Default)]
pub struct Reports {
    instances: BTreeMap<ProxyKey, BTreeMap<String, Instance>>,
    count: usize,
    forgot_at: Duration,
}

#[derive(Debug, Default)]
struct Instance {
    /// The newest last.
    reports: VecDeque<(Duration, Report)>,
    /// When Envoy was seen to have started again.
    restarts: VecDeque<Duration>,
}

/// Requests of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    errors: u64,
    vm_failures: u64,
}

impl Counts {
    fn between(before: &Report, after: &Report) -> Self {
        // Envoy has started again, and counts from nothing.
        let from = if after.uptime < before.uptime {
            &Report::default()
        } else {
            before
        };
        Self {
            requests: after.requests.saturating_sub(from.requests),
            errors: after.errors.saturating_sub(from.errors),
            vm_failures: after.vm_failures.saturating_sub(from.vm_failures),
        }
    }

    fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.errors = self.errors.saturating_add(more.errors);
        self.vm_failures = self.vm_failures.saturating_add(more.vm_failures);
    }

    /// The share of errors and its variance, drawn to the middle by two requests that nobody saw: so that five errors of
    /// five requests say more than one of one.
    fn share(self) -> (f64, f64) {
        // Counts stay far below 2^53.
        let (requests, errors) = (self.requests as f64 + 2.0, self.errors.min(self.requests) as f64 + 1.0);
        let share = errors / requests;
        (share, share * (1.0 - share) / requests)
    }
}

impl Instance {
    /// What was counted from the last report until `from` to the last until `to`.
    fn counted(&self, from: Duration, to: Duration) -> Counts {
        let mut counts = Counts::default();
        let mut before: Option<&Report> = None;
        for (at, report) in &self.reports {
            if *at > to {
                break;
            }
            if *at > from {
                let began = Report::default();
                let is_new = || report.uptime <= at.saturating_sub(from) + YOUNG;
                // An Envoy that had hardly begun had not reported yet: what it has counted began with nothing.
                if let Some(before) = before.or_else(|| is_new().then_some(&began)) {
                    counts.add(Counts::between(before, report));
                }
            }
            before = Some(report);
        }
        counts
    }

    fn restarts_since(&self, from: Duration) -> usize {
        self.restarts.iter().filter(|at| **at > from).count()
    }
}

impl Reports {
    /// Takes a report of what was counted at a time; one that is older than the last is passed by, and so is one of a proxy
    /// that reports for the first time, beyond 50,000.
    pub fn take(&mut self, now: Duration, key: &ProxyKey, instance: &str, report: Report) {
        let is_new = self
            .instances
            .get(key)
            .is_none_or(|known| !known.contains_key(instance));
        if is_new {
            if self.count >= MAX_INSTANCES {
                self.forget(now);
            }
            if self.count >= MAX_INSTANCES {
                return;
            }
            self.count += 1;
        }
        let known = self
            .instances
            .entry(key.clone())
            .or_default()
            .entry(instance.to_owned())
            .or_default();
        if let Some((at, last)) = known.reports.back() {
            if now < *at {
                return;
            }
            if report.uptime < last.uptime {
                known.restarts.push_back(now);
                known.restarts.truncate(KEPT);
            }
        }
        known.reports.push_back((now, report));
        if known.reports.len() > KEPT {
            known.reports.pop_front();
        }
    }

    /// Forgets who has not reported for ten minutes, if nobody was forgotten for as long.
    pub fn forget_sometimes(&mut self, now: Duration) {
        if now.saturating_sub(self.forgot_at) >= FORGET_AFTER {
            self.forgot_at = now;
            self.forget(now);
        }
    }

    /// Forgets who has not reported for ten minutes.
    pub fn forget(&mut self, now: Duration) {
        self.instances.retain(|_, instances| {
            instances.retain(|_, known| {
                let last = known.reports.back().map_or(Duration::ZERO, |(at, _)| *at);
                now.saturating_sub(last) < FORGET_AFTER
            });
            !instances.is_empty()
        });
        self.count = self.instances.values().map(BTreeMap::len).sum();
    }

    /// What an instance said last.
    pub fn last(&self, key: &ProxyKey, instance: &str) -> Option<Report> {
        let known = self.instances.get(key)?.get(instance)?;
        known.reports.back().map(|(_, report)| *report)
    }

    /// How much an instance would show: the requests that it has answered lately, by powers of two, so that chance decides
    /// nothing.
    pub fn worth(&self, now: Duration, key: &ProxyKey, instance: &str) -> u64 {
        let known = self.instances.get(key).and_then(|known| known.get(instance));
        let requests = known.map_or(0, |known| known.counted(now.saturating_sub(PAST), now).requests);
        u64::from(u64::BITS - requests.leading_zeros())
    }

    /// What says that who was `tried` (proxy, instance, since when) fares worse than before, and than the others.
    pub fn harm(&self, now: Duration, tried: &[(ProxyKey, String, Duration)]) -> Option<String> {
        let (mut after, mut before) = (Counts::default(), Counts::default());
        for (key, instance, since) in tried {
            let Some(known) = self.instances.get(key).and_then(|all| all.get(instance)) else {
                continue;
            };
            let restarts = known.restarts_since(*since);
            if restarts >= 2 {
                return Some(format!(
                    "{key}: its Envoy has started again {restarts} times since it was given this"
                ));
            }
            after.add(known.counted(*since, now));
            before.add(known.counted(since.saturating_sub(PAST), *since));
            for (other, peer) in self.instances.get(key).into_iter().flatten() {
                let is_tried = tried.iter().any(|(k, i, _)| k == key && i == other);
                if !is_tried {
                    before.add(peer.counted(*since, now));
                }
            }
        }
        if after.vm_failures >= MIN_VM_FAILURES && before.vm_failures == 0 {
            return Some(format!(
                "wasm VMs died {} times in proxies that were given this, and never before",
                after.vm_failures
            ));
        }
        let ((now_share, now_variance), (then_share, then_variance)) = (after.share(), before.share());
        let doubt = (now_share - then_share - MARGIN) / (now_variance + then_variance).sqrt();
        (after.errors >= MIN_ERRORS && doubt >= DOUBT).then(|| {
            format!(
                "{} of {} requests failed at proxies that were given this, and {} of {} without it",
                after.errors, after.requests, before.errors, before.requests
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn key() -> ProxyKey {
        Identity::parse("mesh/m/virtualNode/n").unwrap().key()
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn counted(requests: u64, errors: u64, uptime: u64) -> Report {
        Report {
            requests,
            errors,
            uptime: at(uptime),
            ..Report::default()
        }
    }

    fn tried(since: u64) -> Vec<(ProxyKey, String, Duration)> {
        vec![(key(), "a".to_owned(), at(since))]
    }

    #[test]
    fn a_proxy_that_fails_everything_is_found_within_two_reports() {
        let mut reports = Reports::default();
        for second in 0..30 {
            reports.take(at(second), &key(), "a", counted(10 * second, 0, second));
        }
        assert_eq!(reports.harm(at(30), &tried(29)), None, "nothing is known yet");
        reports.take(at(30), &key(), "a", counted(300, 10, 30));
        let reason = reports.harm(at(30), &tried(29)).expect("ten of ten");
        assert_eq!(
            reason,
            "10 of 10 requests failed at proxies that were given this, and 0 of 290 without it"
        );
    }

    #[test]
    fn an_outage_that_others_have_too_is_not_blamed_on_the_candidate() {
        let mut reports = Reports::default();
        for second in 0..40 {
            let errors = 5 * second;
            for instance in ["a", "b", "c"] {
                reports.take(at(second), &key(), instance, counted(10 * second, errors, second));
            }
        }
        assert_eq!(reports.harm(at(40), &tried(30)), None);
    }

    #[test]
    fn a_few_errors_prove_nothing() {
        let mut reports = Reports::default();
        reports.take(at(0), &key(), "a", counted(0, 0, 0));
        reports.take(at(10), &key(), "a", counted(1000, 0, 10));
        reports.take(at(11), &key(), "a", counted(1004, 4, 11));
        assert_eq!(reports.harm(at(11), &tried(10)), None);
    }

    #[test]
    fn an_envoy_that_starts_again_twice_is_harmed() {
        let mut reports = Reports::default();
        for (second, uptime) in [(0, 100), (1, 0), (2, 1)] {
            reports.take(at(second), &key(), "a", counted(0, 0, uptime));
        }
        assert_eq!(reports.harm(at(3), &tried(0)), None, "once is chance");
        reports.take(at(4), &key(), "a", counted(0, 0, 0));
        assert!(reports
            .harm(at(4), &tried(0))
            .unwrap()
            .contains("started again 2 times"));
    }

    #[test]
    fn vms_that_die_are_harm_even_where_no_request_fails() {
        let mut reports = Reports::default();
        let dead = |vm_failures, uptime| Report {
            vm_failures,
            ..counted(100, 0, uptime)
        };
        reports.take(at(0), &key(), "a", dead(0, 0));
        reports.take(at(2), &key(), "a", dead(3, 2));
        assert!(reports.harm(at(2), &tried(0)).unwrap().contains("died 3 times"));
    }

    /// Over a thousand healthy proxies with chance in their errors, nobody is found guilty.
    #[test]
    fn chance_is_not_blamed() {
        let mut seed = 7u64;
        let mut chance = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % 1000
        };
        for _ in 0..1000 {
            let mut reports = Reports::default();
            let (mut requests, mut errors) = (0, 0);
            for second in 0..40 {
                requests += 20;
                errors += (0..20).filter(|_| chance() < 20).count() as u64;
                reports.take(at(second), &key(), "a", counted(requests, errors, second));
                assert_eq!(reports.harm(at(second), &tried(30)), None);
            }
        }
    }
}
