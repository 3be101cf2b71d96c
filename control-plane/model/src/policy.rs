//! Our own side resources: settings that App Mesh has no field for.
//!
//! App Mesh specs are stored and returned verbatim, so whatever Ferromesh adds lives beside them: a policy names a
//! resource and says what happens to its requests. Where several policies apply to one request, the one with the narrower
//! target wins: mesh, then the virtual node or gateway that sends the request, then the gateway route, then virtual
//! service, then route. Who is called has the last word: what a service asks of requests no gateway takes back. Of
//! `canary`, `retry`, `observability` and `forwarded` each setting is decided by itself; every other member replaces the
//! wider policy's whole member. `off` takes back what wider policies have said.

mod among;
mod check;
mod ext_authz;
mod filter;
mod forwarded;
mod jwt;
mod key_server;
mod limit;
mod mirror;
mod off;
mod ramp;
mod rate_limit;
mod retry;
mod scope;
mod service;

use ferromesh_policy::{breaker, fault, headers};
use serde::{Deserialize, Serialize};

pub use check::{check, shape};
pub use ext_authz::ExtAuthz;
pub use filter::{CanarySettings, ObservabilitySettings, OnRetry};
pub use forwarded::{CertDetail, ForwardClientCert, Forwarded};
pub use jwt::{ClaimHeader, Jwks, Jwt, JwtProvider, JwtRequirement, TokenHeader};
pub use key_server::{KeyServer, RemoteJwks};
pub use limit::{InvalidLimit, Limit, Told, LIMIT_ENTRY};
pub use mirror::Mirror;
pub use off::Off;
pub use ramp::{RampTurn, TurnRefused};
pub use rate_limit::{Entry, GlobalRateLimit, KeyPart, LimitKey, RateLimit};
pub use retry::{
    AlongPath, Backoff, BudgetMode, Hedging, NonIdempotent, RetriableHeader, RetryAfter, RetryBudget, RetrySettings,
};
pub use service::{host_and_port, NodePort, OnFailure, ServiceAt};

/// A policy with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Name, unique in the mesh.
    pub name: String,
    /// Mesh that the policy belongs to.
    pub mesh: String,
    /// What it applies to.
    pub target: PolicyTarget,
    /// What it says.
    #[serde(default)]
    pub spec: PolicySpec,
}

/// What a policy applies to. The resource must exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PolicyTarget {
    /// Everything in the mesh.
    Mesh {},
    /// Requests that a virtual node sends.
    VirtualNode(String),
    /// Requests to a virtual service, from wherever they come.
    VirtualService(String),
    /// Requests that take a route.
    Route {
        /// Virtual router that holds the route.
        router: String,
        /// Name of the route.
        name: String,
    },
    /// Requests that come in through a virtual gateway.
    VirtualGateway(String),
    /// Requests that take a gateway route.
    GatewayRoute {
        /// Virtual gateway that holds the gateway route.
        gateway: String,
        /// Name of the gateway route.
        name: String,
    },
    /// Requests that arrive at a virtual node, whoever sends them.
    VirtualNodeIngress(String),
}

/// What a policy says. Absent members leave the matter to wider policies and then to the defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// How a target is chosen among weighted ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanarySettings>,
    /// How failed requests are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySettings>,
    /// What is measured and told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observability: Option<ObservabilitySettings>,
    /// How many requests are admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// When a target that fails gets no more requests for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<breaker::Config>,
    /// What goes wrong on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<fault::Config>,
    /// What becomes of headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<headers::Config>,
    /// Where copies of requests are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Tokens that requests must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// A service that must allow requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext_authz: Option<ExtAuthz>,
    /// What is believed of what clients say about where a request comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Forwarded>,
    /// Members that wider policies have asked for and that are off for this target, at least 1 where it is there. Without
    /// `rateLimit`, `circuitBreaker`, `jwt` or `extAuthz` requests pass that would not have passed with it: each route that
    /// loses one is named in the status of its proxies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<Off>,
}
