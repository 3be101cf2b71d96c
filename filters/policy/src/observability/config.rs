//! The observability part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

/// What is told about the requests of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Request counters and latency histograms.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Keep a valid `traceparent`, make one otherwise.
    #[serde(default = "yes")]
    pub trace_context: bool,
    /// Make an `x-request-id` where there is none. Off by default: Envoy makes one itself before any filter,
    /// unless its `generate_request_id` is off, and looking costs a read on every request.
    #[serde(default, skip_serializing_if = "is_no")]
    pub request_id: bool,
    /// Response headers that say which route and target answered and after how many attempts. They tell
    /// clients about the mesh, so a gateway has them only when asked.
    #[serde(default)]
    pub response_headers: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metrics: true,
            trace_context: true,
            request_id: false,
            response_headers: false,
        }
    }
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_no(value: &bool) -> bool {
    !*value
}
