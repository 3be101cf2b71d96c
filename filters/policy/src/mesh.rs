//! The fused policy: every feature of one route, and what is global to one plugin.
//!
//! Parse → compile → decide: [`RouteConfig`] and [`PluginConfig`] are what is written, [`RoutePolicy`] and
//! [`crate::Plugin`] are what requests meet.

mod plugin_config;
mod route_config;

pub use plugin_config::{PluginConfig, Reporter};
pub use route_config::{Labels, RouteConfig};

use crate::{canary, observability, retry};

/// Which features a module runs; the others' parts of a policy are checked and then left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    canary: bool,
    retry: bool,
    observability: bool,
}

impl Features {
    /// `canary.wasm`.
    pub const CANARY: Self = Self {
        canary: true,
        retry: false,
        observability: false,
    };
    /// `retry.wasm`.
    pub const RETRY: Self = Self {
        canary: false,
        retry: true,
        observability: false,
    };
    /// `observability.wasm`.
    pub const OBSERVABILITY: Self = Self {
        canary: false,
        retry: false,
        observability: true,
    };
    /// `mesh.wasm`: all of them.
    pub const MESH: Self = Self {
        canary: true,
        retry: true,
        observability: true,
    };

    /// The part of a policy that this module runs.
    #[must_use]
    pub fn of(self, policy: RoutePolicy) -> RoutePolicy {
        RoutePolicy {
            canary: policy.canary.filter(|_| self.canary),
            retry: policy.retry.filter(|_| self.retry),
            observability: policy.observability.filter(|_| self.observability),
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
}

impl RoutePolicy {
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
