//! What a mesh's operator may switch off of the behaviour that is nowhere written in the resources.

use std::time::Duration;

use crate::cluster::{Limits, RetryBudget};

/// Behaviour that App Mesh added by itself, or that we add. The defaults are App Mesh's where it had any.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Time for a request where neither route nor listener says one; App Mesh's is 15 s. Zero is no limit.
    pub request_timeout: Duration,
    /// Whether routes without a retry policy get App Mesh's default one.
    pub default_retry: DefaultRetry,
    /// Bound on retries under way towards one cluster; 20 % of the requests under way, and 10 whatever their number, by
    /// default. Without one they are unlimited. With Envoy's own 3 instead of 10, retries towards a target that fails one
    /// request in ten overflowed at 400 requests a second, although the filter's budget allowed them.
    pub retry_budget: Option<RetryBudget>,
    /// Limits of a cluster that has no connection pool settings; App Mesh's are none.
    pub limits: Limits,
    /// Whether virtual nodes reach `*.amazonaws.com` on port 443 whatever the egress filter says.
    pub aws_egress: AwsEgress,
    /// Whether connections may be upgraded to WebSocket.
    pub websocket: bool,
    /// Whether paths are normalised before they are matched.
    pub normalize_paths: bool,
    /// Whether gateways append the client's address to `x-forwarded-for`. App Mesh did not; since nothing was there
    /// before, appending is safe for upstreams, and without it they cannot know the client.
    pub append_client_address: bool,
    /// What happens to TLS settings that are not implemented yet: certificates and trust from the local SDS server.
    pub tls: UnsupportedTls,
    /// Time between two flushes of the filter's counters.
    pub flush_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(15),
            default_retry: DefaultRetry::Enabled,
            retry_budget: Some(RetryBudget::DEFAULT),
            limits: Limits::NONE,
            aws_egress: AwsEgress::Allowed,
            websocket: true,
            normalize_paths: true,
            append_client_address: true,
            tls: UnsupportedTls::Refuse,
            flush_interval: Duration::from_secs(1),
        }
    }
}

/// Whether routes without a retry policy get App Mesh's default one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultRetry {
    /// Two retries on 503, gRPC UNAVAILABLE, connect failure, refused stream and reset.
    Enabled,
    /// None.
    Disabled,
}

/// Whether virtual nodes reach `*.amazonaws.com` whatever the egress filter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsEgress {
    /// They do.
    Allowed,
    /// Only if the egress filter lets everything out.
    AsFiltered,
}

/// What happens to TLS settings that are not implemented yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsupportedTls {
    /// The port stays closed, calls are answered with 503: nothing that should be encrypted travels in the clear.
    Refuse,
    /// They are passed over with a lint, for trying a mesh out on one machine.
    Plaintext,
}
