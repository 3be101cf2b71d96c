//! Canary: which of a route's weighted targets gets a request.
//!
//! The choice is a number in a header that Envoy's `weighted_clusters.header_name` reads, so it stays among
//! the route's own targets; without the filter Envoy draws by the same weights itself.
//! In this order: a tester's override, the sticky choice, a draw by weight.

mod config;
mod cookie;
mod rendezvous;

pub use config::{Config, Override, SourceAddress, Sticky};

use crate::decimal::Decimal;
use crate::{Draws, Property, View, Violation};
use rendezvous::Candidate;

/// The request header that carries the number to Envoy's router.
pub const PICK_HEADER: &str = "x-ferromesh-pick";

/// A compiled canary: everything that does not depend on the request is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    targets: Vec<Target>,
    total: u64,
    sticky: Option<Sticky>,
    tester: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Target {
    name: String,
    candidate: Candidate,
    /// The end of the target's interval of numbers; the start is the end of the target before.
    end: u64,
    /// The middle of the interval, rendered; `None` for a weight of 0, which no number selects.
    number: Option<Decimal>,
}

impl Policy {
    /// Compiles for targets in the order of Envoy's weighted clusters.
    ///
    /// # Errors
    /// Another number of weights than targets, a sum of 0, a weight over its limit, invalid header or cookie names.
    pub fn compile(config: &Config, targets: &[String]) -> Result<Self, Vec<Violation>> {
        let violations = config.check(targets.len());
        if !violations.is_empty() {
            return Err(violations);
        }
        let mut end = 0;
        let compiled = targets.iter().zip(&config.weights).map(|(name, weight)| {
            let (start, weight) = (end, u64::from(*weight));
            end += weight;
            Target {
                name: name.clone(),
                candidate: Candidate::new(name, weight),
                end,
                number: (weight > 0).then(|| Decimal::new(start + weight / 2)),
            }
        });
        let compiled: Vec<Target> = compiled.collect();
        Ok(Self {
            targets: compiled,
            total: end,
            // Hosts look names up as they are stored: in lower case. Cookies keep their case.
            sticky: match &config.sticky {
                Some(Sticky::Header(name)) => Some(Sticky::Header(name.to_ascii_lowercase())),
                other => other.clone(),
            },
            tester: config.tester.as_ref().map(|tester| tester.header.to_ascii_lowercase()),
        })
    }

    /// The target of this request: its index. Reads only the headers that the policy names.
    pub fn choose<V: View>(&self, view: &V, draws: &mut Draws) -> usize {
        if let Some(header) = &self.tester {
            let wish = view.request_header(header);
            if let Some(target) = wish.and_then(|wish| self.selectable(wish.as_ref())) {
                return target;
            }
        }
        let sticky = match &self.sticky {
            None => None,
            Some(Sticky::Header(name)) => view
                .request_header(name)
                .and_then(|value| self.sticky_choice(value.as_ref())),
            Some(Sticky::Cookie(name)) => view
                .request_header("cookie")
                .and_then(|header| self.sticky_choice(cookie::value(header.as_ref(), name.as_bytes())?)),
            Some(Sticky::SourceAddress(_)) => view
                .property(Property::SourceAddress)
                .and_then(|address| self.sticky_choice(without_port(address.as_ref()))),
        };
        sticky.unwrap_or_else(|| self.weighted_choice(draws))
    }

    /// The target of everybody with this key; `None` for an empty key.
    #[must_use]
    pub fn sticky_choice(&self, key: &[u8]) -> Option<usize> {
        if key.is_empty() {
            return None;
        }
        rendezvous::choose(key, self.targets.iter().map(|target| &target.candidate))
    }

    /// A draw by weight.
    pub fn weighted_choice(&self, draws: &mut Draws) -> usize {
        let drawn = draws.below(self.total);
        self.targets.iter().position(|target| drawn < target.end).unwrap_or(0)
    }

    /// The header value that selects a target; `None` for an unknown one or one of weight 0.
    #[must_use]
    pub fn number(&self, target: usize) -> Option<&[u8]> {
        self.targets.get(target)?.number.as_ref().map(Decimal::as_bytes)
    }

    /// The target of this name, if Envoy can select it.
    fn selectable(&self, name: &[u8]) -> Option<usize> {
        self.targets
            .iter()
            .position(|target| target.name.as_bytes() == name && target.number.is_some())
    }
}

/// The address of `ip:port` or `[ip]:port`: a port differs with every connection.
fn without_port(address: &[u8]) -> &[u8] {
    match address.iter().rposition(|byte| *byte == b':') {
        Some(colon) => address.get(..colon).unwrap_or(address),
        None => address,
    }
}

#[cfg(test)]
mod tests;
