//! The fused policy: every feature of one route, and what is global to one plugin.
//!
//! Parse → compile → decide: [`RouteConfig`] and [`PluginConfig`] are what is written, [`RoutePolicy`] and
//! [`crate::Plugin`] are what requests meet.

mod plugin_config;
mod route_config;

pub use plugin_config::{PluginConfig, Reporter, UpstreamConfig};
pub use route_config::{Labels, RouteConfig};

use crate::{breaker, canary, fault, headers, observability, rate_limit, retry, Violation};

/// Which features a module runs; the others' parts of a policy are checked and then left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features(u8);

/// Set in modules that export no callback for responses.
const NO_RESPONSES: u8 = 1 << 7;

impl Features {
    /// `canary.wasm`.
    pub const CANARY: Self = Self(1);
    /// `retry.wasm`.
    pub const RETRY: Self = Self(1 << 1);
    /// `observability.wasm`.
    pub const OBSERVABILITY: Self = Self(1 << 2);
    /// `rate-limit.wasm`.
    pub const RATE_LIMIT: Self = Self(1 << 3);
    /// `circuit-breaker.wasm`.
    pub const CIRCUIT_BREAKER: Self = Self(1 << 4);
    /// `fault.wasm`.
    pub const FAULT: Self = Self(1 << 5);
    /// `headers.wasm`.
    pub const HEADERS: Self = Self(1 << 6);
    /// `mesh.wasm`: all of them.
    pub const MESH: Self = Self(0x7f);
    /// `mesh-lean.wasm`: all of them, but responses are only counted: the host is not asked to show them before
    /// the stream ends, which saves a callback and the dearest read of each request.
    pub const MESH_LEAN: Self = Self(0xff);

    const fn has(self, feature: Self) -> bool {
        self.0 & feature.0 != 0
    }

    /// Whether the module is called when response headers are there.
    pub(crate) const fn sees_responses(self) -> bool {
        self.0 & NO_RESPONSES == 0
    }

    /// A part of the policy that this module cannot carry out, because it sees no responses.
    pub(crate) fn misses(self, policy: &RoutePolicy) -> Option<Violation> {
        if self.sees_responses() {
            return None;
        }
        let message = "this module sees no responses; mesh.wasm does";
        policy.writes_responses().map(|path| Violation::new(path, message))
    }

    /// The part of a policy that this module runs.
    #[must_use]
    pub fn of(self, policy: RoutePolicy) -> RoutePolicy {
        RoutePolicy {
            // A breaker moves requests to the targets that admit them: that is the canary's choice.
            canary: policy
                .canary
                .filter(|_| self.has(Self::CANARY) || (self.has(Self::CIRCUIT_BREAKER) && policy.breaker.is_some())),
            retry: policy.retry.filter(|_| self.has(Self::RETRY)),
            observability: policy.observability.filter(|_| self.has(Self::OBSERVABILITY)),
            rate_limit: policy.rate_limit.filter(|_| self.has(Self::RATE_LIMIT)),
            breaker: policy.breaker.filter(|_| self.has(Self::CIRCUIT_BREAKER)),
            fault: policy.fault.filter(|_| self.has(Self::FAULT)),
            headers: policy.headers.filter(|_| self.has(Self::HEADERS)),
            ..policy
        }
    }
}

/// A route's compiled policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutePolicy {
    /// Names of the route, for metrics and response headers.
    pub labels: Labels,
    /// The targets' names in the order of Envoy's weighted clusters.
    pub targets: Vec<String>,
    /// The targets' Envoy clusters in the same order; empty: named like the targets.
    pub clusters: Vec<String>,
    /// Which target a request gets.
    pub canary: Option<canary::Policy>,
    /// How often it may be retried.
    pub retry: Option<retry::Policy>,
    /// Whether requests may be retried, by whichever module: only then are attempts worth a read.
    pub is_retried: bool,
    /// What is told about it.
    pub observability: Option<observability::Config>,
    /// How many requests it admits.
    pub rate_limit: Option<rate_limit::Policy>,
    /// When a target gets no more requests.
    pub breaker: Option<breaker::Policy>,
    /// What goes wrong on purpose.
    pub fault: Option<fault::Policy>,
    /// What becomes of headers.
    pub headers: Option<headers::Policy>,
}

impl RoutePolicy {
    /// The first member that writes response headers, if any does.
    #[must_use]
    pub fn writes_responses(&self) -> Option<&'static str> {
        let config = self.observability;
        let headers = self.headers.as_ref();
        let members = [
            (
                "canary.sticky",
                self.canary.as_ref().is_some_and(canary::Policy::sets_cookies),
            ),
            (
                "observability.responseHeaders",
                config.is_some_and(|config| config.response_headers),
            ),
            (
                "observability.serverTiming",
                config.is_some_and(|config| config.server_timing),
            ),
            (
                "rateLimit.headers",
                self.rate_limit.as_ref().is_some_and(rate_limit::Policy::tells),
            ),
            (
                "headers.response",
                headers.is_some_and(|headers| !headers.response().is_empty()),
            ),
        ];
        members.into_iter().find(|(_, writes)| *writes).map(|(path, _)| path)
    }

    /// The target that this Envoy cluster belongs to.
    #[must_use]
    pub fn target_of_cluster(&self, cluster: &[u8]) -> Option<usize> {
        let names = if self.clusters.is_empty() {
            &self.targets
        } else {
            &self.clusters
        };
        names.iter().position(|name| name.as_bytes() == cluster)
    }
}
