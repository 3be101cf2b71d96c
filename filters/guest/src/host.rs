//! What a host can be asked for and told. Every call may fail, and a failure is a value.

use std::time::Duration;

use ferromesh_policy::rate_limit::Shared;
use ferromesh_policy::{Property, Reply, View, Write};

/// What the host answered (proxy-wasm ABI 0.2.1, `proxy_status_t`); numbers it does not list included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// Done.
    pub const OK: Self = Self(0);
    /// There is no such value.
    pub const NOT_FOUND: Self = Self(1);
    /// Somebody else wrote in between.
    pub const CAS_MISMATCH: Self = Self(8);
}

/// How grave a log line is (proxy-wasm ABI 0.2.1, `proxy_log_level_t`), as far as this crate writes any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// A route goes without its policy, or a plugin without its ticks.
    Warn = 3,
    /// A plugin configuration is not in effect.
    Error = 4,
}

/// What a metric holds (proxy-wasm ABI 0.2.1, `proxy_metric_type_t`), as far as this crate defines any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricType {
    /// A sum that only grows.
    Counter = 0,
    /// Samples.
    Histogram = 2,
}

/// A property's path in the ABI's form: its parts with a zero byte between.
#[must_use]
pub const fn encoded(property: Property) -> &'static [u8] {
    match property {
        Property::RouteName => b"xds\0route_name",
        Property::RoutePolicy => b"xds\0route_metadata\0filter_metadata\0ferromesh\0policy",
        Property::SourceAddress => b"source\0address",
        Property::ClusterName => b"xds\0cluster_name",
        Property::AttemptCount => b"upstream\0request_attempt_count",
        Property::PeerIdentity => b"connection\0uri_san_peer_certificate",
        Property::GrpcStatus => b"response\0grpc_status",
        Property::RequestBytes => b"request\0total_size",
        Property::ResponseBytes => b"response\0total_size",
    }
}

/// A host, as the [`Worker`](crate::Worker) sees it. Reads of a stream are those of [`View`]; they and the writes of
/// headers are about the stream whose callback runs, or that was [entered](Host::enter).
pub trait Host: View + Shared {
    /// Monotonic time since any fixed moment, the same clock for all workers.
    fn monotonic(&self) -> Duration;
    /// The wall clock, since 1970-01-01 UTC.
    fn unix(&self) -> Duration;
    /// Random bytes for the VM's seed.
    fn seed(&self) -> u64;
    /// Writes a log line.
    fn log(&self, level: Level, line: &str);
    /// The plugin configuration of the callback that runs.
    fn plugin_configuration(&self, size: usize) -> Option<Vec<u8>>;
    /// Asks for ticks.
    fn set_tick_period(&self, period: Duration) -> Result<(), Status>;
    /// Writes a request header.
    fn write_request_header(&self, name: &str, write: Write<'_>) -> Result<(), Status>;
    /// Writes a response header.
    fn write_response_header(&self, name: &str, write: Write<'_>) -> Result<(), Status>;
    /// Answers the request. `headers` are the reply's in the ABI's form.
    fn reply(&self, reply: &Reply<'_>, headers: &[u8]) -> Result<(), Status>;
    /// Makes another stream the one that calls are about, outside of its own callbacks.
    fn enter(&self, context: u32) -> Result<(), Status>;
    /// Lets a request go on that was held.
    fn resume(&self) -> Result<(), Status>;
    /// Ends a stream without an answer.
    fn close(&self) -> Result<(), Status>;
    /// Sets a property of the stream; Envoy keeps it as filter state under `wasm.` and the path.
    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status>;
    /// Defines a metric.
    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32, Status>;
    /// Adds to a counter.
    fn increment_metric(&self, id: u32, amount: i64) -> Result<(), Status>;
    /// Records a histogram's sample.
    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status>;
    /// Posts JSON to a path of a cluster, as a request of the plugin's own; the number by which its answer comes back.
    fn post(&self, cluster: &str, path: &str, body: &[u8], timeout: Duration) -> Result<u32, Status>;
    /// The status code of the answer whose callback runs; `None`: there was none.
    fn post_status(&self) -> Option<u16>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_as_the_policy_names_them() {
        for property in Property::ALL {
            assert_eq!(encoded(property), property.path().join("\0").as_bytes());
        }
    }
}
