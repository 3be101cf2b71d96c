//! The resource types and what the protocol says about each: in which order they are pushed and
//! whether a response carries the full state.

/// Clusters (CDS).
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// Endpoints of a cluster (EDS).
pub const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Listeners (LDS).
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// Route tables (RDS).
pub const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// Scoped route tables (SRDS).
pub const SCOPED_ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
/// Virtual hosts on demand (VHDS).
pub const VIRTUAL_HOST: &str = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
/// Filter configurations (ECDS).
pub const EXTENSION: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
/// Certificates and keys (SDS).
pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/// Runtime layers (RTDS).
pub const RUNTIME: &str = "type.googleapis.com/envoy.service.runtime.v3.Runtime";

/// The place of a type in a push. Whoever is referred to comes before whoever refers, except where
/// the referring resource waits by itself: a cluster warms until its endpoints and secrets are there, a
/// listener until its route table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Clusters,
    Endpoints,
    Secrets,
    Listeners,
    Routes,
    VirtualHosts,
    Extensions,
    Others,
}

impl Stage {
    /// Whether resources here refer to nothing. They are sent as soon as the clusters have been: Envoy
    /// acknowledges clusters only when they are warm, and these are what they warm with.
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::Endpoints | Self::Secrets)
    }

    /// Whether resources here send requests to clusters.
    pub fn routes(self) -> bool {
        matches!(self, Self::Listeners | Self::Routes | Self::VirtualHosts)
    }
}

pub(crate) fn stage(type_url: &str) -> Stage {
    match type_url {
        CLUSTER => Stage::Clusters,
        ENDPOINT => Stage::Endpoints,
        LISTENER => Stage::Listeners,
        ROUTE | SCOPED_ROUTE => Stage::Routes,
        VIRTUAL_HOST => Stage::VirtualHosts,
        EXTENSION => Stage::Extensions,
        SECRET => Stage::Secrets,
        _ => Stage::Others,
    }
}

/// Whether a state-of-the-world response of this type is the full state, so that what it leaves out
/// is gone. Of every other type a response may be partial.
pub(crate) fn is_full_state(type_url: &str) -> bool {
    matches!(type_url, CLUSTER | LISTENER | SCOPED_ROUTE)
}

/// Whether a first request without names asks for everything. The protocol means this for types that
/// nothing refers to by name; an Envoy that reconnects after its last endpoint subscription has gone
/// sends the same empty list and means "none".
pub(crate) fn is_wildcard_by_default(type_url: &str) -> bool {
    !matches!(type_url, ENDPOINT | ROUTE | VIRTUAL_HOST | EXTENSION | SECRET | RUNTIME)
}

/// The types whose resources warm inside a resource of `type_url`: after a change of the latter, Envoy
/// asks for them again, and must be answered even when they are unchanged.
pub(crate) fn warming_within(type_url: &str) -> &'static [&'static str] {
    match type_url {
        CLUSTER => &[ENDPOINT, SECRET],
        LISTENER => &[ROUTE, EXTENSION, SECRET],
        _ => &[],
    }
}
