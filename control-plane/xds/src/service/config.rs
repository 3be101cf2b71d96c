//! What the embedding server decides about its streams.

use std::time::Duration;

use crate::stream::Limits;

/// Settings of the discovery service.
///
/// Some belong to the connection and are the embedding server's: HTTP/2 keepalive pings (30 s, time-out
/// 10 s) so that half-open connections end and free their streams, the time a TLS handshake may take
/// (5 s), at most a few streams on one connection (an Envoy opens one, or two while it reconnects), and a
/// limit to how long it waits for streams on shutdown after [`super::AggregatedDiscoveryService::drain`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Sent with each response; Envoy shows it as `control_plane.identifier`. Empty: not sent.
    /// Default `ferromesh`.
    pub identifier: String,
    /// Streams at a time; one more is refused with `RESOURCE_EXHAUSTED`. Default 10,000.
    pub max_streams: usize,
    /// Streams of one `node.id` at a time; one more is refused with `RESOURCE_EXHAUSTED`. All Envoys of a virtual node or
    /// gateway go by the same. Default 5,000.
    pub max_streams_per_node: usize,
    /// Streams that are let in each second over any longer time. A stream beyond it waits for its place in the order in
    /// which they came, with nothing read from it but the first request. Default 500.
    pub new_streams_per_second: u32,
    /// Streams that are let in without waiting. Default 1,000.
    pub new_stream_burst: u32,
    /// How long a new stream waits at most to be let in; one that would wait longer is refused with `UNAVAILABLE`, and
    /// its proxy comes again after a pause of its own. Default 5 s.
    pub admission_patience: Duration,
    /// Bytes of one request; a larger one ends the stream with `OUT_OF_RANGE`. Default 4 MiB.
    pub max_request_bytes: usize,
    /// Bytes of what a request says of its node, as far as it is read: id, cluster, metadata, name and version of the
    /// client. More ends the stream with `RESOURCE_EXHAUSTED`. Default 64 KiB.
    pub max_node_bytes: usize,
    /// Requests that are read each second from one stream over any longer time; whatever exceeds it waits
    /// in the connection's flow control. Default 20.
    pub requests_per_second: u32,
    /// Requests that are read without waiting. Default 200: an Envoy that starts sends one for each
    /// type, and acknowledges each response.
    pub request_burst: u32,
    /// How long a stream without a node or without a snapshot is held before it ends with
    /// `INVALID_ARGUMENT`. Default 30 s.
    pub hold: Duration,
    /// An Envoy that has asked for other types but not for clusters, for which there are clusters, is
    /// told to come again after this time: it can lose that subscription in a reconnection and would
    /// stay without. `None`: never. Default 60 s.
    pub cluster_deadline: Option<Duration>,
    /// The age at which a stream is ended with status `OK`, so that proxies spread over new replicas;
    /// shortened by up to a tenth, differently for each stream. `None`: never. Default 30 min: a proxy that comes again
    /// is sent what differs from what it has, which is nothing.
    pub max_stream_age: Option<Duration>,
    /// How long it is remembered what a proxy of the state-of-the-world variant held when its stream ended, so that a
    /// cluster which has gone meanwhile is taken from it only after its routes. Default 60 s.
    pub recall: Duration,
    /// What one client may ask for, and the pace of a push.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identifier: "ferromesh".to_owned(),
            max_streams: 10_000,
            max_streams_per_node: 5_000,
            new_streams_per_second: 500,
            new_stream_burst: 1_000,
            admission_patience: Duration::from_secs(5),
            max_request_bytes: 4 * 1024 * 1024,
            max_node_bytes: 64 * 1024,
            requests_per_second: 20,
            request_burst: 200,
            hold: Duration::from_secs(30),
            cluster_deadline: Some(Duration::from_secs(60)),
            max_stream_age: Some(Duration::from_secs(30 * 60)),
            recall: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}
