//! The whole of what one Envoy must do.

use std::sync::Arc;

use ferromesh_policy::mesh::PluginConfig;

use crate::cluster::Cluster;
use crate::lint::Lint;
use crate::listener::Listener;
use crate::rollback::Comparison;
use crate::route::RouteTable;

/// What kind of App Mesh resource a proxy stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyKind {
    /// A sidecar: ingress on port 15000, egress on port 15001, both behind traffic redirection.
    VirtualNode,
    /// A gateway: the ports of its listeners, no redirection.
    VirtualGateway,
}

/// Everything that one Envoy must do.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// Name of the mesh.
    pub mesh: String,
    /// What the proxy stands for.
    pub kind: ProxyKind,
    /// Name of the virtual node or virtual gateway.
    pub name: String,
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Route tables that the listeners refer to.
    pub route_tables: Vec<RouteTable>,
    /// Clusters that the routes refer to, ordered by id. Those of services are shared by their callers' proxies.
    pub clusters: Vec<Arc<Cluster>>,
    /// Settings of the filter, one for each reporter that a listener names.
    pub plugins: Vec<Plugin>,
    /// Comparisons of canaries with their baselines that it takes part in.
    pub comparisons: Vec<Comparison>,
    /// Configuration that is accepted but has no or another effect than its author may expect.
    pub lints: Vec<Lint>,
}

/// Settings of the filter where it runs as one reporter.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// As what the filter reports.
    pub reporter: Reporter,
    /// Its plugin configuration.
    pub config: PluginConfig,
}

/// At which end of a call a filter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reporter {
    /// A virtual gateway.
    Gateway,
    /// Egress of a virtual node.
    Source,
    /// Ingress of a virtual node.
    Destination,
}

impl Reporter {
    /// The value of the metrics' label `reporter`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}
