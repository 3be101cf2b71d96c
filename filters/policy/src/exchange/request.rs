//! The request's part: protection first, then the target, then what the target and others are told.

use std::time::Duration;

use crate::breaker::Admission;
use crate::canary::{Admitting, Conditions};
use crate::effects::{Flow, Reply};
use crate::fault::{Abort, Fault};
use crate::headers::{Kept, Rendered, Scope};
use crate::observability::{request_id, Event};
use crate::plugin::{Plugin, Route};
use crate::rate_limit::{Denial, Shared, Verdict};
use crate::retry::Attempt;
use crate::{Decimal, Draws, RequestEffects, View, Vm};

use super::{millis, Exchange, Now, Phase};

/// The header by which Envoy's router numbers attempts, where the virtual host includes it.
const ATTEMPT_HEADER: &str = "x-envoy-attempt-count";

impl Exchange {
    /// The request headers are there.
    pub fn on_request<'e, H: View + Shared>(
        &'e mut self,
        plugin: &'e mut Plugin,
        vm: &'e mut Vm,
        host: &H,
        now: Now,
    ) -> RequestEffects<'e> {
        let mut effects = RequestEffects::default();
        if self.phase != Phase::New {
            return effects;
        }
        self.phase = Phase::Requested;
        self.began = now.monotonic;
        if let Some(budget) = plugin.upstream() {
            let attempt = host.request_header(ATTEMPT_HEADER);
            let attempt = attempt.as_ref().and_then(|value| number(value.as_ref())).unwrap_or(1);
            if budget.on_attempt(host, now.monotonic, attempt) == Attempt::Deny {
                effects.flow = Flow::Reply(budget_spent());
            }
            return effects;
        }
        let (route, invalid_policy) = plugin.route(host, vm);
        effects.invalid_policy = invalid_policy;
        self.route = route;
        let Some(route) = self.route.as_deref() else {
            return effects;
        };
        let policy = &route.policy;
        if let Some(limit) = &policy.rate_limit {
            match vm.limiter.admit(limit, host, host, &mut vm.draws, now.monotonic) {
                Verdict::Admitted { told, .. } => self.told = told,
                Verdict::Denied(denial) => {
                    self.events.insert(Event::RateLimited);
                    self.is_answered_here = true;
                    effects.flow = Flow::Reply(denied(route, &denial));
                    return effects;
                }
            }
        }
        if let Some(fault) = &policy.fault {
            let fault = fault.decide(host, &mut vm.draws);
            if fault != Fault::default() {
                self.events.insert(Event::FaultInjected);
            }
            match (fault.delay, fault.abort) {
                (Some(delay), abort) => {
                    self.abort = abort;
                    self.held = millis(delay);
                    effects.flow = Flow::Delay(delay);
                }
                (None, Some(abort)) => {
                    self.is_answered_here = true;
                    effects.flow = Flow::Reply(aborted(&abort));
                    return effects;
                }
                (None, None) => {}
            }
        }
        let mut breakers = route
            .breakers
            .as_ref()
            .and_then(|breakers| breakers.try_borrow_mut().ok());
        if let Some(canary) = &policy.canary {
            let watch = route.watch.as_ref().and_then(|watch| watch.try_borrow().ok());
            let conditions = Conditions {
                unix: now.unix,
                rolled_back: watch.is_some_and(|watch| watch.rollback.is_rolled_back(now.monotonic))
                    || canary.is_rolled_back(now.unix),
                admitting: breakers
                    .as_ref()
                    .map_or(Admitting::ALL, |breakers| breakers.admitting(now.monotonic)),
            };
            let choice = canary.decide(host, &mut vm.draws, &conditions);
            self.target = Some(choice.target);
            self.by = Some(choice.by);
            self.cookie = choice.cookie;
            effects.pick = canary.number(choice.target);
        } else if policy.targets.len() == 1 {
            self.target = Some(0);
        }
        if let (Some(breakers), Some(breaker)) = (&mut breakers, &policy.breaker) {
            match breakers.admit(now.monotonic, self.target) {
                Admission::Admit(token) | Admission::Probe(token) => self.admitted = Some(token),
                Admission::Refuse { retry_after } => {
                    self.events.insert(Event::BreakerRefused);
                    self.is_answered_here = true;
                    effects.flow = Flow::Reply(ejected(breaker.status, retry_after));
                    return effects;
                }
            }
        }
        if let (Some(retry), Some(budget)) = (&policy.retry, &route.budget) {
            // Nothing else holds the budget while a stream is decided; if it did, the route's number stands.
            self.grant = budget
                .try_borrow_mut()
                .ok()
                .map(|mut budget| budget.grant(now.monotonic, retry.max_retries));
            let retries = self.grant.map_or(retry.max_retries, |grant| grant.retries);
            let is_short = retries < retry.max_retries;
            if is_short {
                self.events.insert(Event::RetryBudgetExhausted);
            }
            effects.retry = retry.headers(host).filter(|headers| retries > 0 && !headers.is_empty());
            if is_short || effects.retry.is_some() {
                effects.max_retries = Some(Decimal::new(u64::from(retries)));
            }
        }
        observe(route, &mut vm.draws, host, now, &mut effects);
        self.kept = policy.headers.as_ref().and_then(|headers| headers.keep(host));
        if let Some(headers) = policy.headers.as_ref().map(crate::headers::Policy::request) {
            let scope = scope(route, self.target, None);
            let rendered: &'e mut Rendered = &mut vm.rendered;
            headers.render(host, &scope, rendered);
            effects.headers = Some((headers, rendered));
        }
        effects
    }

    /// The time that [`Flow::Delay`] named is over: an answer, or the request goes on.
    pub fn on_resume(&mut self) -> Option<Reply<'static>> {
        let abort = self.abort.take()?;
        self.is_answered_here = true;
        Some(aborted(&abort))
    }
}

fn observe<V: View>(route: &Route, draws: &mut Draws, view: &V, now: Now, effects: &mut RequestEffects<'_>) {
    let Some(config) = &route.policy.observability else {
        return;
    };
    if let Some(formats) = config.tracing() {
        effects.trace = formats.decide(view, draws, || now.unix);
    }
    effects.request_id = request_id::decide(config, view, draws);
}

/// What the variables of a header policy stand for.
pub(super) fn scope(route: &Route, target: Option<usize>, attempts: Option<u32>) -> Scope<'_> {
    let policy = &route.policy;
    Scope {
        mesh: &route.names.mesh,
        node: &route.names.node,
        virtual_service: &policy.labels.virtual_service,
        route: &policy.labels.route,
        target: target.and_then(|index| policy.targets.get(index)).map(String::as_str),
        attempts,
        kept: Kept::default(),
    }
}

fn denied<'r>(route: &'r Route, denial: &Denial) -> Reply<'r> {
    let limit = route.policy.rate_limit.as_ref();
    Reply {
        status: denial.status,
        grpc_status: None,
        reason: "ferromesh_rate_limited",
        retry_after: denial.retry_after.map(|seconds| Decimal::new(u64::from(seconds))),
        limit: limit.and_then(|limit| limit.fields(denial.told.as_ref()?)),
        is_final: false,
        protects: true,
    }
}

fn ejected(status: u16, retry_after: Duration) -> Reply<'static> {
    // Rounded up: asking a moment early would be refused again.
    let seconds = retry_after.as_millis().div_ceil(1_000);
    Reply {
        status,
        grpc_status: None,
        reason: "ferromesh_circuit_breaker",
        retry_after: Some(Decimal::new(u64::try_from(seconds).unwrap_or(u64::MAX))),
        limit: None,
        // The hop before must not add its own retries to an upstream that fails.
        is_final: true,
        protects: true,
    }
}

fn aborted(abort: &Abort) -> Reply<'static> {
    Reply {
        status: abort.status,
        grpc_status: abort.grpc_status,
        reason: "ferromesh_fault_abort",
        retry_after: None,
        limit: None,
        is_final: false,
        protects: false,
    }
}

fn budget_spent() -> Reply<'static> {
    Reply {
        status: 503,
        grpc_status: None,
        reason: "ferromesh_retry_budget_spent",
        retry_after: None,
        limit: None,
        is_final: true,
        protects: true,
    }
}

/// A decimal number; `None` for anything else.
fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
