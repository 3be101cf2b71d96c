//! Where a proxy accepts connections, and what it does with them.

use std::collections::BTreeSet;
use std::time::Duration;

pub use ferromesh_model::policy::{CertDetail, ForwardClientCert};
use ferromesh_model::resource::PortProtocol;

use crate::cluster::ClusterId;
use crate::route::TableId;
use crate::tls::Accepts;
use crate::Reporter;

/// Port to which traffic redirection sends a virtual node's incoming connections.
pub const INGRESS_PORT: u16 = 15000;
/// Port to which traffic redirection sends a virtual node's outgoing connections.
pub const EGRESS_PORT: u16 = 15001;

/// Which way requests go, seen from the resource that the proxy stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into the virtual node or into the mesh.
    Ingress,
    /// Out of the virtual node.
    Egress,
}

impl Direction {
    /// The word in names and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Which way its requests go.
    pub direction: Direction,
    /// Addresses it binds.
    pub bind: Bind,
    /// Port it binds.
    pub port: u16,
    /// Whether connections arrive redirected, so that chains are chosen by the port they wanted.
    pub redirected: bool,
    /// What is done with a connection, by the port it wanted.
    pub chains: Vec<Chain>,
    /// What is done with a connection for which there is no chain; `None` closes it.
    pub otherwise: Option<Network>,
}

/// Addresses that a listener binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// Every IPv4 address.
    V4,
    /// Every IPv4 and IPv6 address.
    Dual,
}

/// What is done with connections to one port.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The port that the connection wanted.
    pub port: u16,
    /// TLS server names (`*.` is a wildcard) that the client must ask for; none asks for nothing.
    pub server_names: Vec<String>,
    /// What the client may speak.
    pub accepts: Accepts,
    /// What is done.
    pub network: Network,
}

/// What is done with a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Network {
    /// Requests are routed.
    Http(Http),
    /// Bytes are passed on.
    Tcp(Tcp),
}

/// How requests are read and routed.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Which way they go; with protocol and port it names the statistics.
    pub direction: Direction,
    /// Protocol that the mesh declares for this port.
    pub protocol: PortProtocol,
    /// Port that the client dialled.
    pub port: u16,
    /// The routes.
    pub table: TableId,
    /// As what the filter runs here.
    pub reporter: Reporter,
    /// How the client's address is told to upstreams.
    pub client_address: ClientAddress,
    /// Proxies in front whose entries in `x-forwarded-for` are believed.
    pub trusted_hops: u32,
    /// What happens to `x-forwarded-client-cert`.
    pub client_certificate: ClientCertificate,
    /// Whether what clients say of retries ([`crate::route::RETRY_MARK`]) is taken away: at the edge of the mesh.
    pub drops_retry_mark: bool,
    /// Whether connections may be upgraded to WebSocket.
    pub websocket: bool,
    /// Whether paths are normalised (RFC 3986 dot segments, repeated slashes) before they are matched.
    pub normalize_paths: bool,
    /// Where requests are logged.
    pub access_log: Option<AccessLog>,
}

/// How the client's address is told to upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// `x-forwarded-for` is passed on as it came.
    PassOn,
    /// The peer's address is appended to `x-forwarded-for`.
    Append,
}

/// What happens to `x-forwarded-client-cert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// What happens to it.
    pub forward: ForwardClientCert,
    /// What is told of the client's certificate beside its hash.
    pub details: BTreeSet<CertDetail>,
}

impl Default for ClientCertificate {
    fn default() -> Self {
        Self {
            forward: ForwardClientCert::Sanitize,
            details: BTreeSet::new(),
        }
    }
}

/// Where bytes are passed on to.
#[derive(Debug, Clone, PartialEq)]
pub struct Tcp {
    /// Which way they go; with the port it names the statistics.
    pub direction: Direction,
    /// Port that the client dialled; `None` for whatever port.
    pub port: Option<u16>,
    /// Clusters with their weights, at least one with a weight above zero.
    pub clusters: Vec<(ClusterId, u32)>,
    /// Time without bytes after which a connection is closed.
    pub idle_timeout: Option<Duration>,
    /// Where connections are logged.
    pub access_log: Option<AccessLog>,
}

/// An access log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Path on the proxy's file system.
    pub path: String,
    /// Form of its lines.
    pub format: LogFormat,
}

/// Form of an access log's lines, with Envoy's command operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// Envoy's own default.
    Default,
    /// Text.
    Text(String),
    /// A JSON object with these members.
    Json(Vec<(String, String)>),
}
