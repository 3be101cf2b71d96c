//! The stream's end: what is counted and learned of it.

use std::rc::Rc;
use std::time::Duration;

use crate::breaker::{Ended, State};
use crate::canary::ChosenBy;
use crate::observability::access_log::AccessLog;
use crate::observability::{number, Detail, Event, GrpcStatus, Outcome, ResponseClass};
use crate::plugin::Route;
use crate::{Property, View, Vm};

use super::{millis, Exchange, Now, Phase};

impl Exchange {
    /// The stream ended, with a response or without. What comes back is for Envoy's access logs.
    pub fn on_end<V: View>(&mut self, vm: &mut Vm, view: &V, now: Now) -> Option<AccessLog<'_>> {
        let before = std::mem::replace(&mut self.phase, Phase::Ended);
        match before {
            // Reset or cancelled, or the host tells of responses only here: attempts were made all the same.
            Phase::Requested => {
                if self.route.as_deref().is_some_and(|route| !route.names.sees_responses) {
                    self.read_class(view);
                }
                self.read_outcome(view);
            }
            Phase::Responded => {}
            Phase::New | Phase::Ended => return None,
        }
        let route = Rc::clone(self.route.as_ref()?);
        let took = now.monotonic.saturating_sub(self.began);
        let config = route.policy.observability;
        let grpc = config.filter(|config| config.grpc).map(|_| {
            let status = view.property(Property::GrpcStatus);
            GrpcStatus::of_property(status.as_ref().map(AsRef::as_ref))
        });
        self.learn(
            &route,
            grpc,
            took.saturating_sub(Duration::from_millis(u64::from(self.held))),
            now,
        );
        if let Some(config) = config.filter(|config| config.metrics) {
            let outcome = Outcome {
                target: self.target,
                class: self.class,
                millis: millis(took),
                retries: self.retries(),
                events: self.events,
            };
            let detail = Detail {
                grpc,
                bytes: if config.app_mesh { bytes(view) } else { 0 },
            };
            vm.ledger.count_with(route.block, &outcome, &detail);
        }
        config.filter(|config| config.access_log)?;
        let policy = &self.route.as_deref()?.policy;
        let target = self.target.and_then(|index| policy.targets.get(index));
        Some(AccessLog {
            route: policy.labels.route.as_bytes(),
            target: target.map(String::as_bytes),
            by: self.by.map(ChosenBy::label),
            attempts: self.attempts,
            limited: self.events.contains(Event::RateLimited),
        })
    }

    /// What the target's own part of the answer says about its health.
    fn learn(&mut self, route: &Route, grpc: Option<GrpcStatus>, took: Duration, now: Now) {
        let ended = match self.class {
            _ if self.is_answered_here => Ended::Cancelled,
            // Envoy answers for an upstream that does not: without a response it was the client that went.
            ResponseClass::None => Ended::Cancelled,
            ResponseClass::ServerError => Ended::Responded {
                status: 500,
                grpc: None,
            },
            _ => Ended::Responded {
                status: 200,
                grpc: grpc.and_then(GrpcStatus::code),
            },
        };
        if let (Some(breakers), Some(token)) = (&route.breakers, self.admitted.take()) {
            if let Ok(mut breakers) = breakers.try_borrow_mut() {
                if breakers.record(now.monotonic, self.target, token, ended, took) == Some(State::Ejecting) {
                    self.events.insert(Event::BreakerEjected);
                }
            }
        }
        // A tester's requests say little about a target's health, a cancelled one nothing.
        if self.by == Some(ChosenBy::Tester) || ended == Ended::Cancelled {
            return;
        }
        let Some(target) = self.target else { return };
        let (is_error, millis) = (ended.is_error(), millis(took));
        if let Some(Ok(mut watch)) = route.watch.as_ref().map(|watch| watch.try_borrow_mut()) {
            if watch.record(now.monotonic, target, is_error, millis).is_some() {
                self.events.insert(Event::CanaryRolledBack);
            }
        }
    }
}

/// Bytes of headers and bodies, both ways.
fn bytes<V: View>(view: &V) -> u64 {
    let size = |property| {
        let value = view.property(property);
        value.as_ref().and_then(|value| number(value.as_ref())).unwrap_or(0)
    };
    size(Property::RequestBytes).saturating_add(size(Property::ResponseBytes))
}
