//! Upstreams: how a proxy finds and treats the tasks it sends requests to.

use std::net::SocketAddr;
use std::time::Duration;

use ferromesh_model::resource::PortProtocol;
use ferromesh_policy::mesh::UpstreamConfig;

use crate::registry::Query;
use crate::tls::Client;

/// What tells one cluster of a proxy from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterId {
    /// A virtual node's listener, seen from a caller.
    Node {
        /// Name of the virtual node.
        node: String,
        /// Protocol of its listener.
        protocol: PortProtocol,
        /// Port of its listener.
        port: u16,
    },
    /// The application beside the proxy.
    Application {
        /// Protocol of the virtual node's listener.
        protocol: PortProtocol,
        /// Port of the virtual node's listener.
        port: u16,
    },
    /// A service that filters ask.
    Service {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// What it speaks: [`PortProtocol::Http`] or [`PortProtocol::Grpc`].
        protocol: PortProtocol,
    },
    /// The server that gives away the key set of a provider of tokens.
    Keys {
        /// Name of the policy.
        policy: String,
        /// Name of the provider.
        provider: String,
    },
    /// Wherever the connection wanted to go, for `*.amazonaws.com`.
    AmazonAws,
    /// Wherever the connection wanted to go, for meshes that let everything out.
    AllowAll,
}

/// An upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// How its tasks are found.
    pub discovery: Discovery,
    /// What is spoken with them.
    pub protocol: UpstreamProtocol,
    /// How it is encrypted; `None` is plain text.
    pub tls: Option<Client>,
    /// Time allowed for a connection.
    pub connect_timeout: Duration,
    /// Limits on what is under way at a time.
    pub limits: Limits,
    /// Bound on retries under way at a time; without one, [`Limits::max_retries`] holds.
    pub retry_budget: Option<RetryBudget>,
    /// Bound on retries that the filter keeps in front of the upstream; `None` has no filter there.
    pub exact_budget: Option<UpstreamConfig>,
    /// Active health checks.
    pub health_check: Option<HealthCheck>,
    /// When tasks that fail are left alone for a while.
    pub outlier_detection: Option<OutlierDetection>,
}

/// How a cluster's tasks are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// At a fixed address.
    Static(SocketAddr),
    /// By DNS.
    Dns {
        /// Host name.
        hostname: String,
        /// Port.
        port: u16,
        /// What an answer with several addresses means.
        answer: DnsAnswer,
        /// Which addresses are wanted.
        family: AddressFamily,
    },
    /// In the registry (`awsCloudMap`).
    Registry(Query),
    /// The address that the connection wanted before it was redirected.
    OriginalDestination,
    /// No task can be found: every request is answered with 503.
    Nowhere,
}

/// What a DNS answer with several addresses means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsAnswer {
    /// They are one load balancer; new connections go to the first address (`LOADBALANCER`).
    LoadBalancer,
    /// Each is a task (`ENDPOINTS`).
    Tasks,
}

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv6, else IPv4.
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, else IPv6.
    V4Preferred,
}

/// What is spoken with a cluster's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Whatever HTTP version the client spoke.
    Downstream,
    /// Bytes.
    Tcp,
}

/// Limits on what is under way at a time, for each proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub max_connections: u32,
    /// Requests waiting for a connection.
    pub max_pending_requests: u32,
    /// Requests.
    pub max_requests: u32,
    /// Retries, unless the cluster has a retry budget.
    pub max_retries: u32,
}

impl Limits {
    /// App Mesh's "effectively disabled": 2147483647 of everything.
    pub const NONE: Self = Self {
        max_connections: i32::MAX as u32,
        max_pending_requests: i32::MAX as u32,
        max_requests: i32::MAX as u32,
        max_retries: i32::MAX as u32,
    };

    /// Envoy's own defaults: 1024 of everything, 3 retries.
    pub const ENVOY: Self = Self {
        max_connections: 1024,
        max_pending_requests: 1024,
        max_requests: 1024,
        max_retries: 3,
    };
}

/// Bound on retries under way at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Retries in percent of the requests under way.
    pub percent: f64,
    /// Retries that are always allowed.
    pub min_concurrency: u32,
}

impl RetryBudget {
    /// 20 % of the requests under way, and 10 whatever their number.
    pub const DEFAULT: Self = Self {
        percent: 20.0,
        min_concurrency: 10,
    };
}

/// Active health checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// Port, if it is not the cluster's.
    pub port: Option<u16>,
    /// Time between two probes.
    pub interval: Duration,
    /// Time allowed for a probe.
    pub timeout: Duration,
    /// Successes in a row that make a task healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a task unhealthy.
    pub unhealthy_threshold: u32,
}

/// What a health check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// GET over HTTP/1.1, 200 is healthy.
    Http {
        /// Host header.
        host: String,
        /// Path.
        path: String,
    },
    /// GET over HTTP/2, 200 is healthy.
    Http2 {
        /// Authority.
        host: String,
        /// Path.
        path: String,
    },
    /// `grpc.health.v1.Health`.
    Grpc,
    /// A connection.
    Tcp,
}

/// When tasks that fail are left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlierDetection {
    /// 5xx answers in a row that lead to ejection.
    pub consecutive_5xx: u32,
    /// Time between two sweeps.
    pub interval: Duration,
    /// Length of a first ejection.
    pub base_ejection: Duration,
    /// Most tasks ejected at a time, in percent.
    pub max_ejection_percent: u32,
}
