//! One canary and its baseline on one route, over all proxies.
//!
//! Each proxy's requests are compared among themselves: proxies may have errors of their own, in a zone that is in
//! trouble, and other shares of the canary, for which the sum over all would blame the wrong one (Simpson's paradox).
//! What is left over at the end of a window, from proxies that saw only one of the two versions, is summed up and compared:
//! where users stick to versions by their source, a proxy never sees both.

use std::{collections::BTreeMap, time::Duration};

use ferromesh_ir::rollback;
use ferromesh_model::rollback::{BothCounts, Cause, Counts, Verdict};
use ferromesh_policy::canary::{self, Rollback, RollbackConfig};
use serde_json::{json, Value};

use crate::identity::ProxyKey;

/// What is known of a canary.
pub(super) struct Comparison {
    key: String,
    mesh: String,
    policy: String,
    virtual_service: String,
    route: String,
    rules: RollbackConfig,
    state: Rollback,
    /// Requests that are not compared yet: of proxies that have not seen both versions since.
    waiting: BTreeMap<ProxyKey, BothCounts>,
    /// The window that these are of.
    window: u128,
    /// All that was compared since the beginning or the last rollback.
    compared: BothCounts,
    reported_at: Duration,
    /// The last verdict, this control plane's or one that it found.
    verdict: Option<Verdict>,
    is_delivered: bool,
}

impl Comparison {
    /// A comparison, with the last verdict that was stored.
    pub(super) fn new(mesh: &str, of: &rollback::Comparison, before: Option<&Verdict>) -> Self {
        let at = before.map(|verdict| Duration::from_millis(verdict.at_unix_millis));
        Self {
            key: of.key.clone(),
            mesh: mesh.to_owned(),
            policy: of.policy.clone(),
            virtual_service: of.virtual_service.clone(),
            route: of.route.clone(),
            rules: of.rollback.clone(),
            state: Rollback::resume(of.rollback.rules(), before.map_or(0, |verdict| verdict.rollbacks), at),
            waiting: BTreeMap::new(),
            window: 0,
            compared: BothCounts::default(),
            reported_at: Duration::ZERO,
            verdict: before.cloned(),
            is_delivered: true,
        }
    }

    /// Requests of one proxy ended. `now` is since 1970-01-01 UTC, because verdicts outlive this program.
    pub(super) fn observe(&mut self, now: Duration, proxy: &ProxyKey, canary: Counts, baseline: Counts) {
        self.reported_at = now;
        if self.state.is_rolled_back(now) {
            self.waiting.clear();
            return;
        }
        self.enter_window(now);
        let waiting = self.waiting.entry(proxy.clone()).or_default();
        add(&mut waiting.canary, canary);
        add(&mut waiting.baseline, baseline);
        if waiting.canary.requests > 0 && waiting.baseline.requests > 0 {
            let both = std::mem::take(waiting);
            self.waiting.remove(proxy);
            self.compare(now, both);
        }
    }

    /// A new window: what is left over from the one before is summed up.
    fn enter_window(&mut self, now: Duration) {
        let window = now.as_millis() / self.state.rules().window().as_millis().max(1);
        if window <= self.window {
            return;
        }
        self.window = window;
        let mut sum = BothCounts::default();
        for both in std::mem::take(&mut self.waiting).into_values() {
            add(&mut sum.canary, both.canary);
            add(&mut sum.baseline, both.baseline);
        }
        if sum.canary.requests > 0 && sum.baseline.requests > 0 {
            self.compare(now, sum);
        }
    }

    fn compare(&mut self, now: Duration, both: BothCounts) {
        add(&mut self.compared.canary, both.canary);
        add(&mut self.compared.baseline, both.baseline);
        let Some(cause) = self
            .state
            .observe_counts(now, of_filter(both.baseline), of_filter(both.canary))
        else {
            return;
        };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.verdict = Some(Verdict {
            virtual_service: self.virtual_service.clone(),
            route: self.route.clone(),
            canary: self.rules.canary.clone(),
            baseline: self.rules.baseline.clone(),
            cause: match cause {
                canary::Cause::Errors => Cause::Errors,
                canary::Cause::Latency => Cause::Latency,
            },
            at_unix_millis: millis(now),
            until_unix_millis: self.state.rules().hold().map(|hold| millis(now.saturating_add(hold))),
            rollbacks: self.state.rollbacks(),
            counts: std::mem::take(&mut self.compared),
        });
        self.is_delivered = false;
        self.waiting.clear();
    }

    /// Whether there ever was a verdict.
    pub(super) fn has_decided(&self) -> bool {
        self.verdict.is_some()
    }

    /// Whether what is stored is what is known here. A verdict that could not be stored yet is newer.
    pub(super) fn follows(&self, stored: Option<&Verdict>) -> bool {
        !self.is_delivered || self.verdict.as_ref() == stored
    }

    /// The verdict that is not stored yet.
    pub(super) fn undelivered(&self) -> Option<&Verdict> {
        self.verdict.as_ref().filter(|_| !self.is_delivered)
    }

    /// The verdict is stored, or about nothing any more.
    pub(super) fn delivered(&mut self) {
        self.is_delivered = true;
    }

    pub(super) fn reported_at(&self) -> Duration {
        self.reported_at
    }

    pub(super) fn is_of(&self, mesh: &str, policy: &str) -> bool {
        self.mesh == mesh && self.policy == policy
    }

    /// For people.
    pub(super) fn shown(&self) -> Value {
        json!({
            "key": self.key,
            "virtualService": self.virtual_service,
            "route": self.route,
            "canary": self.rules.canary,
            "baseline": self.rules.baseline,
            "compared": self.compared,
            "lastReportUnixMillis": u64::try_from(self.reported_at.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn add(to: &mut Counts, more: Counts) {
    to.requests = to.requests.saturating_add(more.requests);
    to.errors = to.errors.saturating_add(more.errors);
    to.slow = to.slow.saturating_add(more.slow);
}

fn of_filter(counts: Counts) -> canary::Counts {
    canary::Counts {
        requests: counts.requests,
        errors: counts.errors,
        slow: counts.slow,
    }
}
