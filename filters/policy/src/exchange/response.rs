//! The response's part: what came of the request, and what is told of it.

use crate::effects::Answered;
use crate::headers::{Rendered, Scope};
use crate::observability::{ResponseClass, ServerTiming};
use crate::{Decimal, Property, ResponseEffects, View, Vm};

use super::request::scope;
use super::{attempts, Exchange, Now, Phase};

impl Exchange {
    /// The response headers are there, from an upstream or from the host itself.
    pub fn on_response<'e, V: View>(&'e mut self, vm: &'e mut Vm, view: &V, now: Now) -> ResponseEffects<'e> {
        let mut effects = ResponseEffects::default();
        if self.phase != Phase::Requested {
            return effects;
        }
        self.phase = Phase::Responded;
        self.read_class(view);
        self.read_outcome(view);
        let Some(route) = self.route.as_deref() else {
            return effects;
        };
        let policy = &route.policy;
        let config = policy.observability;
        if config.is_some_and(|config| config.response_headers) {
            let target = self.target.and_then(|index| policy.targets.get(index));
            effects.answered = Some(Answered {
                route: policy.labels.route.as_bytes(),
                target: target.map(String::as_bytes),
                attempts: self.attempts.map(|attempts| Decimal::new(u64::from(attempts))),
            });
        }
        if config.is_some_and(|config| config.server_timing) {
            effects.timing = Some(ServerTiming {
                duration: now.monotonic.saturating_sub(self.began),
                attempts: self.attempts,
            });
        }
        let limit = policy.rate_limit.as_ref().zip(self.told.as_ref());
        effects.limit = limit.and_then(|(limit, told)| limit.fields(told));
        let cookie = policy.canary.as_ref().zip(self.cookie);
        effects.cookie = cookie.and_then(|(canary, id)| canary.set_cookie(id));
        if let Some(headers) = &policy.headers {
            let rendered: &'e mut Rendered = &mut vm.rendered;
            let scope = Scope {
                kept: headers.kept(self.kept.as_deref()),
                ..scope(route, self.target, self.attempts)
            };
            headers.response().render(view, &scope, rendered);
            effects.headers = Some((headers.response(), rendered));
        }
        effects
    }

    /// Reads the class of the response, where anything depends on it.
    pub(super) fn read_class<V: View>(&mut self, view: &V) {
        let Some(route) = self.route.as_deref() else { return };
        let counts = route.policy.observability.is_some_and(|config| config.metrics);
        if counts || route.watch.is_some() || route.breakers.is_some() {
            let status = view.response_header(":status");
            self.class = ResponseClass::of_status(status.as_ref().map(AsRef::as_ref).unwrap_or_default());
        }
    }

    /// Reads what is counted or told of the outcome besides its class, and no more.
    pub(super) fn read_outcome<V: View>(&mut self, view: &V) {
        let Some(route) = self.route.as_deref() else { return };
        let policy = &route.policy;
        let config = policy.observability;
        let counts = config.is_some_and(|config| config.metrics);
        let tells = config.is_some_and(|config| config.response_headers || config.access_log);
        let is_told = config.is_some_and(|config| config.reads_attempts(policy.is_retried));
        if is_told || self.grant.is_some() || policy.headers.as_ref().is_some_and(|headers| headers.tells_attempts()) {
            self.attempts = attempts(view);
        }
        if self.target.is_none() && !self.is_answered_here && (counts || tells) {
            let cluster = view.property(Property::ClusterName);
            self.target = cluster.and_then(|cluster| policy.target_of_cluster(cluster.as_ref()));
        }
        self.settle();
    }
}
