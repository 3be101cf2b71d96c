//! Our own side resources: settings that App Mesh has no field for.
//!
//! App Mesh specs are stored and returned verbatim, so whatever Ferromesh adds lives beside them: a policy names a
//! resource and says how canary, retry and observability behave there. Where several policies apply to one request, the
//! one with the narrower target wins member by member: mesh, then the virtual node or gateway that sends the request,
//! then virtual service, then route.

mod check;

use serde::{Deserialize, Serialize};

pub use check::check;

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
}

/// How a target is chosen among weighted ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanarySettings {
    /// What keeps a user at one target; absent draws anew for each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// What lets a tester name the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#override: Option<Override>,
}

/// What keeps a user at one target. Requests without it are drawn by weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Sticky {
    /// Value of a request header.
    Header(String),
    /// Value of a cookie.
    Cookie(String),
    /// The client's address without its port.
    SourceAddress {},
}

/// What lets a tester name the target. An unknown target name is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Override {
    /// Request header whose value is a virtual node's name.
    Header(String),
}

/// How failed requests are tried again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetrySettings {
    /// Whether anything is tried again at all; `true` when absent. `false` also switches App Mesh's default policy off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What happens to requests that are not idempotent; absent is [`NonIdempotent::NeverProcessed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_idempotent: Option<NonIdempotent>,
    /// Bound on retries as a share of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<RetryBudget>,
}

/// What happens to failed requests that are not idempotent (`POST`, `PATCH` and unknown methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonIdempotent {
    /// They are tried again only if the upstream cannot have processed them.
    #[serde(rename = "neverProcessed")]
    NeverProcessed,
    /// They are tried again like any other, which is what App Mesh did.
    #[serde(rename = "retry")]
    Retry,
}

/// Bound on retries, for each proxy worker and virtual service: over a window, retries may be `ratio` times the
/// requests, and at least `minPerSecond` for each second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBudget {
    /// Retries for each request, 0 to 1; 0.2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Retries a second that are always allowed, 0 to 1000; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_per_second: Option<u32>,
    /// Length of the window in seconds, 1 to 3600; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u32>,
}

/// What is measured and told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservabilitySettings {
    /// Whether requests are counted and timed; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether responses say which route and target answered after how many attempts; when absent, at virtual nodes but
    /// not at gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<bool>,
    /// Whether `traceparent` and `x-request-id` are kept or made; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_context: Option<bool>,
}
