//! What a mesh's operator may switch off of the behaviour that is nowhere written in the resources.

use std::collections::BTreeSet;
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
    /// Time between two flushes of the filter's counters.
    pub flush_interval: Duration,
    /// The proxies' cluster that leads to the control plane, for counts of canaries; without one each worker compares
    /// its own requests alone. Proxies that have no such cluster report nothing.
    pub reports_to: Option<String>,
    /// The account that owns the mesh, where that is not the control plane's own: proxies say so in what they report.
    pub mesh_owner: Option<String>,
    /// What was imported for ARNs that resources name.
    pub imported: Imported,
    /// Trust domain of the SPIFFE identities that the control plane's authority issues: a host name in lower case.
    pub trust_domain: String,
}

/// The ARNs that something was imported for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Those with a certificate.
    pub certificates: BTreeSet<String>,
    /// Those with authorities, which every certificate has too.
    pub authorities: BTreeSet<String>,
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
            flush_interval: Duration::from_secs(1),
            reports_to: None,
            mesh_owner: None,
            imported: Imported::default(),
            trust_domain: "ferromesh.local".to_owned(),
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
