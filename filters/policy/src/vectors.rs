//! The test corpus as data: `filters/policy/vectors/<module>/<name>.yaml`, one file for each behaviour.
//!
//! One corpus drives every place the policy runs in: natively, in wasmtime, in the browser and (vectors
//! marked `envoy`) in stock Envoy. Types, schedule and comparison live here, so that no executor can be
//! more lenient than another; how a step is carried out is the executor's ([`Executor`]).
//! Parsing YAML is the executor's too: the types only need a self-describing `serde` format.
//!
//! With the feature `replay` alone: the types and [`Native`], for programs that play streams but no vectors.

mod bytes;
#[cfg(feature = "vectors")]
mod chance;
#[cfg(feature = "vectors")]
mod check;
mod executor;
#[cfg(feature = "vectors")]
pub mod generate;
mod metric;
#[cfg(feature = "vectors")]
mod minimise;
mod native;
#[cfg(feature = "vectors")]
mod schedule;
#[cfg(feature = "vectors")]
mod transcript;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::mesh::Features;

pub use bytes::{HeaderValue, Headers, Payload};
#[cfg(feature = "vectors")]
pub use chance::{Chance, Choices};
pub use executor::{Executor, RequestOutcome};
#[cfg(feature = "vectors")]
pub use metric::prometheus_key;
pub use metric::Metric;
#[cfg(feature = "vectors")]
pub use minimise::{minimise, written};
pub use native::{Native, OwnedWrite, Written};
#[cfg(feature = "vectors")]
pub use schedule::run;
#[cfg(feature = "vectors")]
pub use transcript::{difference, record, Observation, Scope};

/// One vector: a plugin configuration, timed steps, and what must be seen after each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// One sentence: the behaviour that this vector holds.
    pub description: String,
    /// The first 8 bytes (little endian) that the host's `random_get` gives. What follows them is the
    /// executor's business: the guest asks for 8 bytes once per VM.
    #[serde(default = "one")]
    pub seed: u64,
    /// The wall clock at 0 ms, in milliseconds since 1970-01-01 UTC.
    #[serde(default)]
    pub unix_ms: u64,
    /// The plugin configuration, handed to `on_configure` as JSON (a string: its bytes as they are).
    pub plugin: Payload,
    /// What `on_configure` must answer to `plugin`.
    #[serde(default)]
    pub expect_configure: Configured,
    /// Whether stock Envoy runs it too: no dependence on chance or on exact time.
    #[serde(default)]
    pub envoy: bool,
    /// What happens, each at its own time.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// What `on_configure` answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Configured {
    /// `true`: the configuration is in effect.
    #[default]
    Accepted,
    /// `false`: the host keeps the configuration before, if any.
    Rejected,
}

/// One step: a new configuration, a stream, or a tick.
///
/// A stream's events are: request headers at `at_ms`, response headers `response.after_ms` later, the end
/// (log) `response.body_ms` after these. Without `response` the stream ends `cancel_after_ms` after its
/// request. Events of all steps are played in the order of their times (ties: the order of the steps), so
/// streams overlap when their times do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Virtual monotonic time since the start, in milliseconds. Both of the host's clocks give it.
    pub at_ms: u64,
    /// A new plugin configuration for the running plugin.
    pub configure: Option<Payload>,
    /// What `on_configure` must answer to `configure`.
    #[serde(default)]
    pub expect_configure: Configured,
    /// A request. Absent with `response` present: a response whose request the filter never saw.
    pub request: Option<Request>,
    /// After the request headers' callback.
    pub expect: Option<RequestExpectation>,
    /// The response; absent: the stream ends without one.
    pub response: Option<Response>,
    /// Without a response: when the stream ends, in milliseconds after `at_ms`.
    #[serde(default)]
    pub cancel_after_ms: u64,
    /// After the response headers' callback.
    pub expect_response: Option<ResponseExpectation>,
    /// Whether the host's tick comes at this time.
    #[serde(default)]
    pub tick: bool,
    /// Cumulative totals after this tick, by Prometheus-like key (labels sorted by name). Exactly these
    /// metrics exist: one that is not listed is a mismatch.
    pub expect_metrics: Option<BTreeMap<String, Metric>>,
}

impl Step {
    /// A step at this time in which nothing happens yet.
    #[must_use]
    pub fn at(at_ms: u64) -> Self {
        Self {
            at_ms,
            ..Self::default()
        }
    }
}

/// A request as the host shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Property `xds.route_name`; absent: property not found.
    pub route: Option<String>,
    /// Property `xds.route_metadata.filter_metadata.ferromesh.policy`; absent: not found.
    pub policy: Option<Payload>,
    /// Property `source.address`, `ip:port`; absent: not found.
    pub source: Option<String>,
    /// Property `connection.uri_san_peer_certificate`; absent: not found.
    pub identity: Option<String>,
    /// In order; a name may come twice (a read gives the first).
    #[serde(default)]
    pub headers: Headers,
}

/// What the request callback must have done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestExpectation {
    /// By lower-case name. Headers that are not listed are not compared.
    #[serde(default)]
    pub request_headers: BTreeMap<String, HeaderExpectation>,
    /// What the filter told the host to do with the stream.
    #[serde(default)]
    pub action: Action,
}

/// A response as the host shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Milliseconds from the request headers to the response headers.
    #[serde(default)]
    pub after_ms: u64,
    /// Milliseconds from the response headers to the end of the stream.
    #[serde(default)]
    pub body_ms: u64,
    /// Property `upstream.request_attempt_count` (8 bytes, little endian); absent: not found.
    pub attempts: Option<u64>,
    /// Property `xds.cluster_name`; absent: not found.
    pub cluster: Option<String>,
    /// Property `response.grpc_status` (8 bytes, little endian); absent: not found.
    pub grpc_status: Option<u64>,
    /// Property `request.total_size` (8 bytes, little endian); absent: not found.
    pub request_bytes: Option<u64>,
    /// Property `response.total_size` (8 bytes, little endian); absent: not found.
    pub response_bytes: Option<u64>,
    /// In order; `:status` may be missing.
    #[serde(default)]
    pub headers: Headers,
}

/// What the response callback must have done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseExpectation {
    /// By lower-case name. Headers that are not listed are not compared.
    #[serde(default)]
    pub response_headers: BTreeMap<String, HeaderExpectation>,
}

/// The corpus' folders: one for each module, and the features that it runs.
pub const MODULES: [(&str, Features); 8] = [
    ("canary", Features::CANARY),
    ("retry", Features::RETRY),
    ("observability", Features::OBSERVABILITY),
    ("rate-limit", Features::RATE_LIMIT),
    ("circuit-breaker", Features::CIRCUIT_BREAKER),
    ("fault", Features::FAULT),
    ("headers", Features::HEADERS),
    ("mesh", Features::MESH),
];

/// What one header must be: exactly a value, several, a match, or (`null`) absent.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum HeaderExpectation {
    /// A regular expression over the whole value, which then must be UTF-8.
    Matches {
        /// The expression; anchored by the comparison.
        matches: String,
    },
    /// Exactly these values, in this order.
    Values {
        /// The values.
        values: Vec<HeaderValue>,
    },
    /// Exactly these bytes.
    Exactly(HeaderValue),
    /// The header must not be there.
    Absent,
}

/// What becomes of the stream after the request headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The stream goes on.
    #[default]
    Continue,
    /// The stream waits.
    Paused,
    /// The filter answered by itself.
    LocalReply(LocalReply),
}

/// An answer that the filter gave by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// Headers that must be among the reply's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

fn one() -> u64 {
    1
}
