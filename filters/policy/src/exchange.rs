//! One stream's way through the policy: request, response, end, in whatever part and order the host gives.

use std::rc::Rc;
use std::time::Duration;

use crate::effects::Answered;
use crate::observability::request_id::{self, RequestId};
use crate::observability::{self, trace_context, Outcome, ResponseClass};
use crate::plugin::Route;
use crate::retry::Grant;
use crate::{Decimal, Plugin, Property, RequestEffects, ResponseEffects, View, Vm};

/// The state of one stream. A default one has met nothing yet.
///
/// Every method may be called at any time: what does not fit the state changes nothing.
#[derive(Debug, Default)]
pub struct Exchange {
    route: Option<Rc<Route>>,
    began: Duration,
    target: Option<usize>,
    grant: Option<Grant>,
    is_short: bool,
    class: ResponseClass,
    retries: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    New,
    Requested,
    Responded,
    Ended,
}

impl Exchange {
    /// The request headers are there. `now` is monotonic time since any fixed moment.
    pub fn on_request<V: View>(
        &mut self,
        plugin: &mut Plugin,
        vm: &mut Vm,
        view: &V,
        now: Duration,
    ) -> RequestEffects<'_> {
        if self.phase != Phase::New {
            return RequestEffects::default();
        }
        self.phase = Phase::Requested;
        self.began = now;
        let (route, invalid_policy) = plugin.route(view, vm);
        self.route = route;
        let Some(route) = self.route.as_deref() else {
            return RequestEffects {
                invalid_policy,
                ..RequestEffects::default()
            };
        };
        let mut effects = RequestEffects {
            invalid_policy,
            ..RequestEffects::default()
        };
        if let Some(canary) = &route.policy.canary {
            let target = canary.choose(view, &mut vm.draws);
            self.target = Some(target);
            effects.pick = canary.number(target);
        } else if route.policy.targets.len() == 1 {
            self.target = Some(0);
        }
        if let (Some(retry), Some(budget)) = (&route.policy.retry, &route.budget) {
            // Nothing else holds the budget while a stream is decided; if it did, the route's number stands.
            self.grant = budget
                .try_borrow_mut()
                .ok()
                .map(|mut budget| budget.grant(now, retry.max_retries));
            let retries = self.grant.map_or(retry.max_retries, |grant| grant.retries);
            self.is_short = retries < retry.max_retries;
            effects.retry = retry.headers(view).filter(|headers| retries > 0 && !headers.is_empty());
            if self.is_short || effects.retry.is_some() {
                effects.max_retries = Some(Decimal::new(u64::from(retries)));
            }
        }
        if let Some(config) = route.policy.observability {
            observe_request(config, vm, view, &mut effects);
        }
        effects
    }

    /// The response headers are there, from an upstream or from the host itself.
    pub fn on_response<V: View>(&mut self, view: &V) -> ResponseEffects<'_> {
        if self.phase != Phase::Requested {
            return ResponseEffects::default();
        }
        self.phase = Phase::Responded;
        let Some(route) = self.route.as_deref() else {
            return ResponseEffects::default();
        };
        let config = route.policy.observability;
        let (counts, tells) = config.map_or((false, false), |config| (config.metrics, config.response_headers));
        if counts {
            let status = view.response_header(":status");
            self.class = ResponseClass::of_status(status.as_ref().map(AsRef::as_ref).unwrap_or_default());
        }
        let reads_attempts = tells || self.grant.is_some() || (counts && route.policy.is_retried);
        let attempts = if reads_attempts { attempts(view) } else { None };
        self.retries = attempts.map_or(0, |attempts| attempts.saturating_sub(1));
        settle(route, self.grant.take(), self.retries);
        if (counts || tells) && self.target.is_none() {
            let cluster = view.property(Property::ClusterName);
            self.target = cluster.and_then(|cluster| route.policy.target_of_cluster(cluster.as_ref()));
        }
        if !tells {
            return ResponseEffects::default();
        }
        let target = self.target.and_then(|index| route.policy.targets.get(index));
        ResponseEffects {
            answered: Some(Answered {
                route: route.policy.labels.route.as_bytes(),
                target: target.map(String::as_bytes),
                attempts: attempts.map(|attempts| Decimal::new(u64::from(attempts))),
            }),
        }
    }

    /// The stream ended, with a response or without.
    pub fn on_end<V: View>(&mut self, vm: &mut Vm, view: &V, now: Duration) {
        let before = std::mem::replace(&mut self.phase, Phase::Ended);
        let Some(route) = self.route.take() else { return };
        if !matches!(before, Phase::Requested | Phase::Responded) {
            return;
        }
        if before == Phase::Requested && self.grant.is_some() {
            // Reset or cancelled: attempts were made all the same.
            self.retries = attempts(view).map_or(0, |attempts| attempts.saturating_sub(1));
            settle(&route, self.grant.take(), self.retries);
        }
        if route.policy.observability.is_some_and(|config| config.metrics) {
            let millis = now.saturating_sub(self.began).as_millis();
            let outcome = Outcome {
                target: self.target,
                class: self.class,
                millis: u32::try_from(millis).unwrap_or(u32::MAX),
                retries: self.retries,
                budget_exhausted: self.is_short,
            };
            vm.ledger.count(route.block, &outcome);
        }
    }
}

fn observe_request<V: View>(config: observability::Config, vm: &mut Vm, view: &V, effects: &mut RequestEffects<'_>) {
    if config.trace_context {
        let incoming = view.request_header("traceparent");
        let valid = incoming.as_ref().map(|value| trace_context::is_valid(value.as_ref()));
        if valid != Some(true) {
            effects.traceparent = Some(trace_context::Traceparent::draw(&mut vm.draws));
            effects.drops_tracestate = valid == Some(false);
        }
    }
    if config.request_id {
        let incoming = view.request_header(request_id::HEADER);
        if incoming.is_none_or(|value| value.as_ref().is_empty()) {
            effects.request_id = Some(RequestId::draw(&mut vm.draws));
        }
    }
}

/// The attempts that the router made, the first included; `None` when the host does not tell.
fn attempts<V: View>(view: &V) -> Option<u32> {
    let value = view.property(Property::AttemptCount)?;
    let bytes: [u8; 8] = value.as_ref().try_into().ok()?;
    Some(u32::try_from(u64::from_le_bytes(bytes)).unwrap_or(u32::MAX))
}

fn settle(route: &Route, grant: Option<Grant>, used: u32) {
    if let (Some(grant), Some(budget)) = (grant, &route.budget) {
        if let Ok(mut budget) = budget.try_borrow_mut() {
            budget.settle(grant, used);
        }
    }
}
