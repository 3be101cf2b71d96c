//! Stand-alone: the retry policy of one request in Envoy's request headers, rendered when the policy is compiled.
//!
//! Source: Envoy, "Router", HTTP headers consumed (`x-envoy-retry-on` and the ones it names).

use super::Config;
use crate::decimal::Decimal;

/// Methods that may be repeated without another effect (RFC 9110, 9.2.2).
pub const IDEMPOTENT_METHODS: [&str; 6] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];
/// Conditions under which no upstream can have processed the request.
pub const NEVER_PROCESSED: [&str; 2] = ["connect-failure", "refused-stream"];

pub(super) const HTTP_CONDITIONS: [&str; 11] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
];
pub(super) const GRPC_CONDITIONS: [&str; 5] = [
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

const RETRIABLE_STATUS_CODES: &str = "retriable-status-codes";

pub(super) fn is_grpc(condition: &str) -> bool {
    GRPC_CONDITIONS.contains(&condition)
}

/// Which requests a part of the policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    All,
    NotIdempotent,
}

/// Header writes in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeaders {
    writes: Vec<(&'static str, Vec<u8>)>,
}

impl RequestHeaders {
    /// The headers that state the part of the policy that this kind of request may use; none: no retries.
    pub(super) fn of(config: &Config, methods: Methods) -> Self {
        let usable = |condition: &&str| match methods {
            Methods::All => true,
            Methods::NotIdempotent => is_grpc(condition) || NEVER_PROCESSED.contains(condition),
        };
        // Status codes mean that an upstream answered, so that it may have done its work.
        let codes: &[u16] = match methods {
            Methods::All => &config.status_codes,
            Methods::NotIdempotent => &[],
        };
        let conditions = config.retry_on.iter().map(String::as_str).filter(usable);
        let (grpc, mut http): (Vec<&str>, Vec<&str>) = conditions.partition(|condition| is_grpc(condition));
        if !codes.is_empty() && !http.contains(&RETRIABLE_STATUS_CODES) {
            http.push(RETRIABLE_STATUS_CODES);
        }
        let mut writes = Vec::new();
        if !http.is_empty() {
            writes.push(("x-envoy-retry-on", http.join(",").into_bytes()));
        }
        if !grpc.is_empty() {
            writes.push(("x-envoy-retry-grpc-on", grpc.join(",").into_bytes()));
        }
        if !codes.is_empty() {
            let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
            writes.push(("x-envoy-retriable-status-codes", codes.join(",").into_bytes()));
        }
        if let (Some(millis), false) = (config.per_try_timeout_millis, writes.is_empty()) {
            let millis = Decimal::new(millis).as_bytes().to_vec();
            writes.push(("x-envoy-upstream-rq-per-try-timeout-ms", millis));
        }
        Self { writes }
    }

    /// Whether there is nothing to state: the request is not retried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The writes, name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.writes.iter().map(|(name, value)| (*name, value.as_slice()))
    }
}
