//! Which request goes where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ferromesh_policy::mesh::RouteConfig;

use crate::cluster::ClusterId;
use crate::guard::Guards;
use crate::listener::Direction;
use crate::matcher::{HeaderMatch, Match};

/// What tells one route table of a proxy from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Which way the requests go.
    pub direction: Direction,
    /// Port that the client dialled.
    pub port: u16,
}

/// The routes of one port.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTable {
    /// Its id.
    pub id: TableId,
    /// Whether a port in the request's host is disregarded when the virtual host is chosen.
    pub ignore_host_port: bool,
    /// Virtual hosts; no domain occurs twice. Those of services are shared by their callers' proxies.
    pub hosts: Vec<Arc<VirtualHost>>,
}

/// The routes for some hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualHost {
    /// Name, unique in the table.
    pub name: String,
    /// The hosts; the most specific virtual host of a table takes the request, and no other one is tried.
    pub domains: Vec<Domain>,
    /// Routes; the first that matches takes the request, and without one it is answered with 404.
    pub routes: Vec<Route>,
}

/// Hosts that a virtual host takes, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// This host.
    Exact(String),
    /// Every host that ends with this and is longer.
    Suffix(String),
    /// Every host.
    Any,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// What it was made from.
    pub label: Label,
    /// What the request must look like.
    pub matcher: Match,
    /// What is done with it.
    pub action: Action,
    /// What the filter decides; `None` when there is nothing to decide, and the filter is then off.
    pub policy: Option<Policy>,
    /// What requests must pass before they are forwarded.
    pub guards: Guards,
}

impl Route {
    /// Whether the filter has something to do on it without which requests must not pass.
    pub fn is_protected(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.protects)
    }

    /// Whether the filter writes response headers on it.
    pub fn writes_responses(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.writes_responses)
    }
}

/// What the filter decides on a route, and what was found out when it was compiled: compiling is not for every emission.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The filter's configuration, which compiles.
    pub config: RouteConfig,
    /// Whether requests must not pass without it.
    pub protects: bool,
    /// Whether it writes response headers.
    pub writes_responses: bool,
}

/// What a route was made from. Several routes may share a label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// Gateway route.
    pub gateway_route: Option<String>,
    /// Virtual service.
    pub virtual_service: Option<String>,
    /// Route of the service's virtual router.
    pub route: Option<String>,
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is forwarded.
    Forward(Forward),
    /// It is answered with this status.
    Respond(u32),
}

/// How a request is forwarded.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// Where to, by weight.
    pub targets: Vec<Target>,
    /// New host; `None` keeps the client's.
    pub host: Option<String>,
    /// How the path changes; `None` keeps the client's.
    pub path: Option<PathRewrite>,
    /// Time for the whole exchange including retries; zero is no limit.
    pub timeout: Duration,
    /// Time without bytes after which the exchange is given up; zero is no limit, `None` Envoy's 300 s.
    pub idle_timeout: Option<Duration>,
    /// When a failed request is tried again.
    pub retry: Option<Box<Retry>>,
    /// Where copies go.
    pub mirror: Option<Mirror>,
}

/// Where copies of requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Cluster.
    pub cluster: ClusterId,
    /// How many of the requests, in millionths.
    pub per_million: u32,
}

/// One of a route's targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Cluster.
    pub cluster: ClusterId,
    /// Share of the requests, relative to the other targets'.
    pub weight: u32,
}

/// How a path changes on the way. The query string stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRewrite {
    /// What the route's path match names (the prefix, or the exact path) becomes this.
    Matched(String),
    /// This literal prefix becomes that.
    Prefix {
        /// The prefix, which the path is known to have.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// The whole path becomes this.
    Whole(String),
}

/// When a failed request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Failures that lead to another attempt.
    pub on: BTreeSet<RetryOn>,
    /// Status codes that lead to another attempt.
    pub status_codes: BTreeSet<u32>,
    /// Attempts beyond the first, at least 1.
    pub max_retries: u32,
    /// Time for each attempt.
    pub per_try_timeout: Option<Duration>,
    /// Response headers that lead to another attempt.
    pub headers: Vec<HeaderMatch>,
    /// Bounds on the time between attempts; `None` is Envoy's 25 ms and 250 ms.
    pub back_off: Option<BackOff>,
    /// How long a response's `retry-after` is waited for at most; `None` does not look at it.
    pub retry_after: Option<Duration>,
    /// Whether an attempt that reaches [`Self::per_try_timeout`] goes on beside the next.
    pub hedged: bool,
    /// Whether each retry goes to a target of the route that has not been tried yet.
    pub elsewhere: bool,
    /// Whether requests are told ([`RETRY_MARK`]) that somebody retries them, so that no later hop does.
    pub marks: bool,
}

impl Retry {
    /// Without conditions and without settings of our own.
    pub const NONE: Self = Self {
        on: BTreeSet::new(),
        status_codes: BTreeSet::new(),
        max_retries: 0,
        per_try_timeout: None,
        headers: Vec::new(),
        back_off: None,
        retry_after: None,
        hedged: false,
        elsewhere: false,
        marks: false,
    };
}

/// Bounds on the time between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Before the first retry.
    pub base: Duration,
    /// Before any.
    pub max: Duration,
}

/// The header that applications pass on with the trace, and what stands in it (W3C Trace Context, 3.3) when an earlier
/// hop retries the request.
pub const RETRY_MARK: (&str, &str) = ("tracestate", "ferromesh=retried");

/// A failure that leads to another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetryOn {
    /// No connection.
    ConnectFailure,
    /// HTTP/2 REFUSED_STREAM: the upstream says that it has not processed the request.
    RefusedStream,
    /// No answer: disconnected, reset, timed out. Includes the two above.
    Reset,
    /// gRPC status 1.
    Cancelled,
    /// gRPC status 4.
    DeadlineExceeded,
    /// gRPC status 13.
    Internal,
    /// gRPC status 8.
    ResourceExhausted,
    /// gRPC status 14.
    Unavailable,
}

impl RetryOn {
    /// Envoy's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectFailure => "connect-failure",
            Self::RefusedStream => "refused-stream",
            Self::Reset => "reset",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Internal => "internal",
            Self::ResourceExhausted => "resource-exhausted",
            Self::Unavailable => "unavailable",
        }
    }
}
