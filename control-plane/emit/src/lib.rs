//! From what one Envoy must do ([`ferromesh_ir::Proxy`]) to xDS resources.
//!
//! One file for each feature, and [`names`] for every name that Envoy sees. Nothing is decided here: defaults, order and
//! composition are the lowering's. The same input always gives the same bytes, so that versions can be content hashes.
//!
//! ```
//! use ferromesh_emit::{proxy, Modules, Options, Secrets};
//! use ferromesh_ir::{Proxy, ProxyKind};
//!
//! let ir = Proxy {
//!     mesh: "m".into(),
//!     kind: ProxyKind::VirtualGateway,
//!     name: "g".into(),
//!     listeners: vec![],
//!     route_tables: vec![],
//!     clusters: vec![],
//!     plugins: vec![],
//!     comparisons: vec![],
//!     lints: vec![],
//! };
//! let output = proxy(&ir, &Modules::default(), &Secrets::default(), &Options::default());
//! assert!(output.resources.is_empty());
//! ```

mod access_log;
mod action;
mod around;
mod cluster;
mod endpoints;
mod filter;
mod forwarded;
mod guard;
mod health_check;
mod http;
mod listener;
mod matcher;
mod mirror;
pub mod names;
mod pack;
pub mod parts;
mod policy;
mod readable;
mod retry;
mod retry_mark;
mod route;
mod secret;
pub mod standalone;
mod tcp;
mod tls;
mod trust;
mod upstream;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use ferromesh_ir::Proxy;

pub use endpoints::{endpoint_messages, endpoints, endpoints_of};
pub use parts::{parts, Memo};
pub use readable::readable;
pub use secret::{Certificate, Secrets};

/// Type URL of clusters (CDS).
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// Type URL of endpoints (EDS).
pub const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Type URL of listeners (LDS).
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// Type URL of route tables (RDS).
pub const ROUTE_CONFIGURATION: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// Type URL of extension configurations (ECDS).
pub const EXTENSION_CONFIG: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
/// Type URL of secrets (SDS).
pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// The filter modules that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    /// `mesh.wasm`. Without it proxies get no filter and no policies, and do what Envoy does natively.
    pub mesh: Option<Module>,
    /// `mesh-lean.wasm`, for proxies none of whose routes write response headers. Without it they get `mesh`.
    pub lean: Option<Module>,
}

/// A filter module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// SHA-256 of the bytes, lower-case hexadecimal.
    pub sha256: String,
    /// The module.
    pub bytes: Bytes,
}

/// How the filter runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What happens to requests when the filter's VM has died.
    pub failure: FailurePolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            failure: FailurePolicy::Reload {
                back_off: Duration::from_millis(10),
            },
        }
    }
}

/// What happens to requests when the filter's VM has died. The request that killed it is answered with 503 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The VM is made anew on the next request, at most once in `back_off`; requests in between are answered with 503.
    /// Less than 5 ms is taken as 5 ms: Envoy 1.40 dies of 1 ms.
    Reload {
        /// Least time between two attempts.
        back_off: Duration,
    },
    /// Requests pass without the filter from then on.
    Open,
}

/// What a proxy is to be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The resources: clusters, listeners, route tables, extension configurations and secrets, each type ordered by name.
    pub resources: Vec<Resource>,
    /// Names that resources refer to; each must be among the resources.
    pub references: Vec<Reference>,
}

/// One xDS resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its type.
    pub type_url: &'static str,
    /// Its name, unique among its type.
    pub name: String,
    /// The encoded message, without an `Any` around it.
    pub value: Bytes,
}

/// Without the content, which may be a private key.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ({} bytes)", self.type_url, self.name, self.value.len())
    }
}

/// A name that a resource refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Type of the resource that is referred to.
    pub type_url: &'static str,
    /// Its name.
    pub name: String,
    /// Name of the resource that refers to it.
    pub from: String,
}

/// The messages themselves, for those who need them typed.
#[derive(Clone, PartialEq, Default)]
pub struct Messages {
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Route tables.
    pub route_tables: Vec<RouteConfiguration>,
    /// Filter configurations.
    pub extensions: Vec<TypedExtensionConfig>,
    /// Certificates with their private keys, and trusted authorities.
    pub secrets: Vec<Secret>,
}

/// Of secrets only the names.
impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<&str> = self.secrets.iter().map(|secret| secret.name.as_str()).collect();
        f.debug_struct("Messages")
            .field("clusters", &self.clusters)
            .field("listeners", &self.listeners)
            .field("route_tables", &self.route_tables)
            .field("extensions", &self.extensions)
            .field("secrets", &secrets)
            .finish()
    }
}

/// Emits everything that a proxy is to be given. A certificate that is not among the secrets stays a reference that does
/// not resolve; clusters that look in the registry refer to [`endpoints`], which are emitted apart.
pub fn proxy(proxy: &Proxy, modules: &Modules, secrets: &Secrets, options: &Options) -> Output {
    let parts = parts(proxy, modules, secrets, options, &mut Memo::default());
    let references = parts.references.into_iter().map(|link| Reference {
        type_url: link.type_url,
        name: link.name.to_string(),
        from: link.from.to_string(),
    });
    let resources = parts.resources.into_iter().map(|part| Resource {
        type_url: part.type_url,
        name: part.name.to_string(),
        value: part.whole(),
    });
    let mut output = Output {
        resources: resources.collect(),
        references: references.collect(),
    };
    output
        .resources
        .sort_by(|a, b| (a.type_url, &a.name).cmp(&(b.type_url, &b.name)));
    output.references.sort();
    output
}

/// The same as typed messages.
pub fn messages(proxy: &Proxy, modules: &Modules, secrets: &Secrets, options: &Options) -> Messages {
    let filter = modules.mesh.is_some();
    Messages {
        clusters: proxy
            .clusters
            .iter()
            .map(|cluster| cluster::cluster(proxy, cluster, filter))
            .collect(),
        listeners: proxy
            .listeners
            .iter()
            .map(|listener| listener::listener(proxy, listener, filter))
            .collect(),
        route_tables: proxy
            .route_tables
            .iter()
            .map(|table| route::route_table(proxy, table, filter))
            .collect(),
        extensions: modules
            .mesh
            .iter()
            .flat_map(|module| filter::extensions(proxy, module, modules.lean.as_ref(), options))
            .collect(),
        secrets: secret::secrets(proxy, secrets),
    }
}
