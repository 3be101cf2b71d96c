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
    /// Bytes of one request; a larger one ends the stream. Default 4 MiB.
    pub max_request_bytes: usize,
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
    /// shortened by up to a tenth, differently for each stream. Default `None`: never.
    pub max_stream_age: Option<Duration>,
    /// What one client may ask for, and the pace of a push.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identifier: "ferromesh".to_owned(),
            max_streams: 10_000,
            max_request_bytes: 4 * 1024 * 1024,
            requests_per_second: 20,
            request_burst: 200,
            hold: Duration::from_secs(30),
            cluster_deadline: Some(Duration::from_secs(60)),
            max_stream_age: None,
            limits: Limits::default(),
        }
    }
}

/// How many requests may still be read: as many as the burst, and so many more each second.
#[derive(Debug)]
pub(crate) struct Allowance {
    per_second: f64,
    burst: f64,
    left: f64,
    as_of: std::time::Instant,
}

impl Allowance {
    pub fn new(config: &Config, now: std::time::Instant) -> Self {
        let burst = f64::from(config.request_burst.max(1));
        Self {
            per_second: f64::from(config.requests_per_second.max(1)),
            burst,
            left: burst,
            as_of: now,
        }
    }

    /// One request was read.
    pub fn spend(&mut self, now: std::time::Instant) {
        self.refill(now);
        self.left -= 1.0;
    }

    /// `None`: a request may be read now; else when.
    pub fn next(&mut self, now: std::time::Instant) -> Option<std::time::Instant> {
        self.refill(now);
        (self.left < 1.0).then(|| now + Duration::from_secs_f64((1.0 - self.left) / self.per_second))
    }

    fn refill(&mut self, now: std::time::Instant) {
        let passed = now.saturating_duration_since(self.as_of).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.burst);
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_burst_is_read_at_once_and_then_so_many_a_second() {
        let config = Config {
            request_burst: 3,
            requests_per_second: 2,
            ..Config::default()
        };
        let start = Instant::now();
        let mut allowance = Allowance::new(&config, start);
        for _ in 0..3 {
            assert_eq!(allowance.next(start), None);
            allowance.spend(start);
        }
        assert_eq!(allowance.next(start), Some(start + Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(allowance.next(later), None);
        allowance.spend(later);
        assert!(allowance.next(later).is_some());
        // Rest does not add up to more than the burst.
        let much_later = start + Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(allowance.next(much_later), None);
            allowance.spend(much_later);
        }
        assert!(allowance.next(much_later).is_some());
    }
}
