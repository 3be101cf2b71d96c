//! Whether a candidate has made it worse.
//!
//! A proxy is compared with itself before it was given the candidate, and with the others of the same virtual node or
//! gateway that were not. The filters' own comparison of canaries (decision 0013) wants both sides at the same time, block by
//! block; here one of them is mostly the past, so that the shares are compared as they stand, with a bar that is high enough
//! to be looked at every second.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Report, Reports, PAST};
use crate::{identity::ProxyKey, rollout::wave::Tried};

/// Errors below which nothing is concluded.
const MIN_ERRORS: u64 = 5;
/// How much worse the share of errors must be, beyond doubt.
const MARGIN: f64 = 0.01;
/// What is beyond doubt, in standard deviations: one wrong conclusion in 300,000 looks.
const DOUBT: f64 = 4.5;
/// Failures of wasm VMs that no proxy has by chance.
const MIN_VM_FAILURES: u64 = 3;

/// What was counted in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub requests: u64,
    pub errors: u64,
    pub vm_failures: u64,
    pub stalls: u64,
}

impl Counts {
    pub fn between(before: &Report, after: &Report) -> Self {
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
            stalls: after.stalls.saturating_sub(from.stalls),
        }
    }

    pub fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.errors = self.errors.saturating_add(more.errors);
        self.vm_failures = self.vm_failures.saturating_add(more.vm_failures);
        self.stalls = self.stalls.saturating_add(more.stalls);
    }

    /// The share of requests that something has happened to, and its variance, drawn to the middle by two requests that
    /// nobody saw: so that five errors of five requests say more than one of one.
    fn share(self, part: u64) -> (f64, f64) {
        // Counts stay far below 2^53.
        let (requests, part) = (self.requests as f64 + 2.0, part.min(self.requests) as f64 + 1.0);
        let share = part / requests;
        (share, share * (1.0 - share) / requests)
    }
}

/// Whether something happens to more requests than before, beyond doubt.
fn is_worse(after: Counts, before: Counts, part: fn(&Counts) -> u64) -> bool {
    let (now_share, now_variance) = after.share(part(&after));
    let (then_share, then_variance) = before.share(part(&before));
    (now_share - then_share - MARGIN) / (now_variance + then_variance).sqrt() >= DOUBT
}

impl Reports {
    /// What says that who was given a candidate fares worse than before, and than the others.
    pub fn harm(&self, now: Duration, tried: &[Tried]) -> Option<String> {
        let (mut after, mut before) = (Counts::default(), Counts::default());
        let mut since: BTreeMap<&ProxyKey, Duration> = BTreeMap::new();
        for one in tried {
            let first = since.entry(&one.key).or_insert(one.since);
            *first = (*first).min(one.since);
            let Some(known) = self.of(&one.key, &one.instance) else {
                continue;
            };
            let restarts = known.restarts_since(one.since);
            if restarts >= 2 {
                return Some(format!(
                    "{}: its Envoy has started again {restarts} times since it was given this",
                    one.key
                ));
            }
            let counted = known.counted(one.since, now);
            let is_gone = one.losses > 0 || restarts > 0;
            if is_gone && counted.stalls > 0 && !known.stalled_before(one.since) {
                return Some(format!(
                    "{}: a worker thread of its Envoy stood still, and then Envoy was gone, after it was given this",
                    one.key
                ));
            }
            after.add(counted);
            before.add(known.counted(one.since.saturating_sub(PAST), one.since));
        }
        let tried: BTreeSet<(&ProxyKey, &str)> = tried.iter().map(|one| (&one.key, one.instance.as_str())).collect();
        for (key, since) in since {
            for (instance, peer) in self.instances.get(key).into_iter().flatten() {
                if !tried.contains(&(key, instance)) {
                    before.add(peer.counted(since, now));
                }
            }
        }
        if after.vm_failures >= MIN_VM_FAILURES {
            if before.vm_failures == 0 {
                return Some(format!(
                    "wasm VMs died {} times in proxies that were given this, and never before",
                    after.vm_failures
                ));
            }
            if is_worse(after, before, |counts| counts.vm_failures) {
                return Some(format!(
                    "wasm VMs died {} times in {} requests at proxies that were given this, and {} times in {} without it",
                    after.vm_failures, after.requests, before.vm_failures, before.requests
                ));
            }
        }
        (after.errors >= MIN_ERRORS && is_worse(after, before, |counts| counts.errors)).then(|| {
            format!(
                "{} of {} requests failed at proxies that were given this, and {} of {} without it",
                after.errors, after.requests, before.errors, before.requests
            )
        })
    }
}
