//! Random vectors: configurations, requests and responses, mostly sensible, sometimes not.
//!
//! One generator for the differential test, whose choices come from a seed, and for fuzzing, whose choices are the
//! fuzzer's bytes. A new feature adds its member in `generate/feature.rs` and what its requests carry in
//! `generate/stream.rs`.

mod feature;
mod policy;
mod protection;
mod spoil;
mod stream;

pub use policy::{plugin_configuration, route_policy};
pub use stream::{request, response};

use super::{Chance, Configured, Payload, Step, Vector};

/// Where the vectors are to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where clock and chance are the vector's.
    Virtual,
    /// In stock Envoy: nothing that depends on chance or on exact time, nothing that Envoy would refuse or change
    /// before the filter sees it.
    StockEnvoy,
}

/// What the wall clock shows when a vector begins: any time; ramps are around it.
const UNIX_MS: u64 = 1_750_000_000_000;

/// The routes of one vector: each has one policy for as long as the vector lasts, as a route in Envoy has.
#[derive(Clone, Debug)]
pub struct Routes {
    routes: Vec<Route>,
    /// Whether anything in the vector may ask Envoy for retries, whose number then is not the response's to say.
    retries: bool,
}

#[derive(Clone, Debug)]
struct Route {
    name: Option<String>,
    policy: Option<Payload>,
}

/// A vector with so many streams. Without expectations: the executors are each other's.
pub fn vector(chance: &mut impl Chance, streams: usize, place: Place) -> Vector {
    let plugin = plugin_configuration(chance, place);
    let mut routes = Routes::new(chance, place);
    routes.retries |= plugin.1;
    let mut at_ms = 0;
    let mut steps = Vec::new();
    for _ in 0..streams {
        at_ms += pause(chance, place);
        if place == Place::Virtual && chance.once_in(20) {
            steps.push(configure(chance, at_ms));
        }
        steps.push(stream(chance, at_ms, &routes, place));
        if place == Place::Virtual && chance.once_in(8) {
            steps.push(tick(at_ms));
        }
    }
    // When every stream has ended.
    let last = steps.iter().map(end).max().unwrap_or(at_ms);
    steps.push(tick(last.saturating_add(1)));
    Vector {
        description: "generated".to_owned(),
        seed: chance.below(u64::MAX),
        plugin: plugin.0,
        expect_configure: Configured::Accepted,
        unix_ms: UNIX_MS,
        envoy: place == Place::StockEnvoy,
        steps,
    }
}

impl Routes {
    /// One route without a name and a policy, for callers whose requests have policies of their own.
    #[must_use]
    pub fn bare() -> Self {
        let route = Route {
            name: None,
            policy: None,
        };
        Self {
            routes: vec![route],
            retries: false,
        }
    }

    /// Some routes, with and without policies.
    pub fn new(chance: &mut impl Chance, place: Place) -> Self {
        let count = 1 + chance.index(4);
        let mut retries = false;
        let routes = (0..count)
            .map(|index| {
                let policy = (!chance.once_in(5)).then(|| route_policy(chance, place));
                retries |= policy.as_ref().is_some_and(|(_, retries)| *retries);
                let name = match chance.below(12) {
                    0 if place == Place::Virtual => None,
                    1 if place == Place::Virtual => Some(String::new()),
                    2 => Some("split".to_owned()),
                    _ => Some(format!("r{index}#{:016x}", chance.below(4))),
                };
                Route {
                    name,
                    policy: policy.map(|(payload, _)| payload),
                }
            })
            .collect();
        Self { routes, retries }
    }
}

fn pause(chance: &mut impl Chance, place: Place) -> u64 {
    match (place, chance.below(16)) {
        // Real time: long enough that events do not overtake each other.
        (Place::StockEnvoy, _) => 5,
        (Place::Virtual, 0) => chance.below(20_000),
        (Place::Virtual, 1) => chance.below(1 << 38),
        (Place::Virtual, 2..=5) => 0,
        (Place::Virtual, _) => chance.below(200),
    }
}

fn configure(chance: &mut impl Chance, at_ms: u64) -> Step {
    let (plugin, _) = plugin_configuration(chance, Place::Virtual);
    // The schedule does not stop at an unexpected answer, so any expectation does.
    Step {
        configure: Some(plugin),
        ..Step::at(at_ms)
    }
}

fn tick(at_ms: u64) -> Step {
    Step {
        tick: true,
        ..Step::at(at_ms)
    }
}

fn stream(chance: &mut impl Chance, at_ms: u64, routes: &Routes, place: Place) -> Step {
    let mut step = Step {
        request: Some(request(chance, routes, place)),
        ..Step::at(at_ms)
    };
    if place == Place::StockEnvoy || !chance.once_in(10) {
        step.response = Some(response(chance, routes, place));
    } else {
        step.cancel_after_ms = chance.below(2_000);
    }
    if place == Place::Virtual && chance.once_in(30) {
        // Envoy answers some requests before a filter sees them.
        step.request = None;
        step.response = Some(response(chance, routes, place));
    }
    step
}

fn end(step: &Step) -> u64 {
    let after = match &step.response {
        Some(response) => response.after_ms.saturating_add(response.body_ms),
        None => step.cancel_after_ms,
    };
    step.at_ms.saturating_add(after)
}

#[cfg(test)]
mod tests;
