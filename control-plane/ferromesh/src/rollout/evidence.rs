//! What proxies report of their requests: kept for as long as a candidate can be on trial.

mod harm;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::wave::{Heard, Witness};
use crate::identity::ProxyKey;
use harm::Counts;

/// An Envoy that has run no longer than this may not have been reported on.
const YOUNG: Duration = Duration::from_secs(10);
/// Reports that are kept of an instance.
const KEPT: usize = 40;
/// How far back an instance is compared with itself.
const PAST: Duration = Duration::from_secs(120);
/// An instance that has not reported for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// An instance whose last report is older than this, when it is given a candidate, does not report: an agent does so every
/// ten seconds at least.
const STALE: Duration = Duration::from_secs(45);
/// Instances that are kept.
const MAX_INSTANCES: usize = 50_000;

/// What an Envoy has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that its listeners have answered.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// Wasm VMs that died.
    pub vm_failures: u64,
    /// Worker threads that stood still for a second.
    pub stalls: u64,
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

/// The reports of all proxies, at a time.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    reports: &'a Reports,
    now: Duration,
}

#[derive(Debug, Default)]
struct Instance {
    /// The newest last.
    reports: VecDeque<(Duration, Report)>,
    /// When Envoy was seen to have started again.
    restarts: VecDeque<Duration>,
}

impl Instance {
    /// What was counted from the last report until `from` to each report until `to`, one after the other.
    fn steps(&self, from: Duration, to: Duration) -> impl Iterator<Item = (Duration, Counts)> + '_ {
        let until = self.reports.iter().take_while(move |(at, _)| *at <= to);
        let mut before: Option<&Report> = None;
        until.filter_map(move |(at, report)| {
            let is_new = || report.uptime <= at.saturating_sub(from) + YOUNG;
            // An Envoy that had hardly begun had not reported yet: what it has counted began with nothing.
            let step = match before {
                _ if *at <= from => None,
                Some(before) => Some(Counts::between(before, report)),
                None => is_new().then(|| Counts::between(&Report::default(), report)),
            };
            before = Some(report);
            Some((*at, step?))
        })
    }

    /// What was counted from the last report until `from` to the last until `to`.
    fn counted(&self, from: Duration, to: Duration) -> Counts {
        let mut counts = Counts::default();
        for (_, step) in self.steps(from, to) {
            counts.add(step);
        }
        counts
    }

    fn restarts_since(&self, from: Duration) -> usize {
        self.restarts.iter().filter(|at| **at > from).count()
    }

    fn heard(&self, now: Duration, since: Duration) -> Option<Heard> {
        let (until, _) = *self.reports.back()?;
        let stalls = self.steps(since, now).filter(|(_, step)| step.stalls > 0);
        (until + STALE >= since).then(|| Heard {
            until,
            stalled_at: stalls.last().map(|(at, _)| at).filter(|_| !self.stalled_before(since)),
        })
    }

    /// Whether a worker thread stood still in the past already: then it says nothing.
    fn stalled_before(&self, since: Duration) -> bool {
        self.counted(since.saturating_sub(PAST), since).stalls > 0
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
                if known.restarts.len() > KEPT {
                    known.restarts.pop_front();
                }
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
        let known = self.of(key, instance)?;
        known.reports.back().map(|(_, report)| *report)
    }

    /// How much an instance would show: the requests that it has answered lately, by powers of two, so that chance decides
    /// nothing.
    pub fn worth(&self, now: Duration, key: &ProxyKey, instance: &str) -> u64 {
        let known = self.of(key, instance);
        let requests = known.map_or(0, |known| known.counted(now.saturating_sub(PAST), now).requests);
        u64::from(u64::BITS - requests.leading_zeros())
    }

    /// What they show a wave.
    pub fn seen(&self, now: Duration) -> Seen<'_> {
        Seen { reports: self, now }
    }

    fn of(&self, key: &ProxyKey, instance: &str) -> Option<&Instance> {
        self.instances.get(key)?.get(instance)
    }
}

impl Witness for Seen<'_> {
    fn worth(&self, key: &ProxyKey, instance: &str) -> u64 {
        self.reports.worth(self.now, key, instance)
    }

    fn heard(&self, key: &ProxyKey, instance: &str, since: Duration) -> Option<Heard> {
        self.reports.of(key, instance)?.heard(self.now, since)
    }
}

#[cfg(test)]
mod tests;
