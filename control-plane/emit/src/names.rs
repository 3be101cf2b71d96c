//! Every name that Envoy sees. Made here, never taken apart again.
//!
//! Listeners, route tables, clusters and statistics keep App Mesh's names byte for byte: dashboards and alarms are made of
//! them.

use std::collections::BTreeSet;

use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::listener::{Direction, Http, Listener, Tcp};
use ferromesh_ir::route::{Label, TableId};
use ferromesh_ir::tls::KeyPair;
use ferromesh_ir::{Proxy, Reporter};
use sha2::{Digest, Sha256};

/// Key of our metadata on routes; the policy is the string leaf [`POLICY_KEY`] in it.
pub const METADATA_NAMESPACE: &str = "ferromesh";
/// The leaf of [`METADATA_NAMESPACE`] that holds a route's policy as JSON.
pub const POLICY_KEY: &str = "policy";
/// The secret with the certificate of the control plane's own authority.
pub const ROOT: &str = "sds_trust_built-in";

/// The cluster of the SDS server beside the proxy: in the bootstrap, if the proxy is told of such a server.
pub const LOCAL_SDS: &str = "static_cluster_sds_unix_socket";
/// The VM that all of a proxy's filters share.
pub const VM_ID: &str = "ferromesh.mesh";

/// The filter that verifies tokens.
pub const JWT: &str = "envoy.filters.http.jwt_authn";
/// The filter that takes a client's word on retries away.
pub const DROP_RETRY_MARK: &str = "ferromesh.retry_mark";

/// The filter that asks an authorization service for a policy: `envoy.filters.http.ext_authz/<policy>`.
pub fn authorization(policy: &str) -> String {
    format!("envoy.filters.http.ext_authz/{policy}")
}

/// The filter that asks a rate limit service for a policy: `envoy.filters.http.ratelimit/<policy>`.
pub fn limit(policy: &str) -> String {
    format!("envoy.filters.http.ratelimit/{policy}")
}

/// The filter in front of upstreams, and the extension configuration that it comes from, by its configuration.
pub fn upstream_filter(config: &str) -> String {
    format!("ferromesh.mesh.upstream#{}", hash(config))
}

/// A listener: `lds_ingress_0.0.0.0_15000`. The address is App Mesh's, whatever the listener binds.
pub fn listener(listener: &Listener) -> String {
    format!("lds_{}_0.0.0.0_{}", listener.direction.as_str(), listener.port)
}

/// A route table: `rds_egress_http_8080`.
pub fn route_table(id: TableId) -> String {
    format!("rds_{}_http_{}", id.direction.as_str(), id.port)
}

/// A cluster: `cds_egress_<mesh>_<node>_<protocol>_<port>` towards another node,
/// `cds_ingress_<mesh>_<node>_<protocol>_<port>` towards the application,
/// `cds_service_<mesh>_<host>_<protocol>_<port>` towards a service that filters ask, `cds_jwks_<mesh>_<policy>_<provider>`
/// towards a server with a key set.
pub fn cluster(proxy: &Proxy, id: &ClusterId) -> String {
    cluster_in(&proxy.mesh, &proxy.name, id)
}

/// As [`cluster`], of the proxy with this name.
pub(crate) fn cluster_in(mesh: &str, proxy: &str, id: &ClusterId) -> String {
    match id {
        ClusterId::Node { node, protocol, port } => format!("cds_egress_{mesh}_{node}_{}_{port}", protocol.as_str()),
        ClusterId::Application { protocol, port } => {
            format!("cds_ingress_{mesh}_{proxy}_{}_{port}", protocol.as_str())
        }
        ClusterId::Service { host, port, protocol } => {
            format!("cds_service_{mesh}_{host}_{}_{port}", protocol.as_str())
        }
        ClusterId::Keys { policy, provider } => format!("cds_jwks_{mesh}_{policy}_{provider}"),
        ClusterId::AmazonAws => format!("cds_egress_{mesh}_amazonaws"),
        ClusterId::AllowAll => format!("cds_egress_{mesh}_mesh-allow-all"),
    }
}

/// The secret with a certificate and its key: `sds_certificate_<ARN>`.
pub fn certificate(arn: &str) -> String {
    format!("sds_certificate_{arn}")
}

/// The secret with imported authorities: `sds_trust_<ARN>+<ARN>`, with `+built-in` where ours is one more.
pub fn authorities(arns: &BTreeSet<String>, built_in: bool) -> String {
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    let and_ours = if built_in { "+built-in" } else { "" };
    format!("sds_trust_{}{and_ours}", arns.join("+"))
}

/// The secret with a certificate and its key from files: `sds_file_<path>+<path>`.
pub fn files(files: &KeyPair) -> String {
    format!("sds_file_{}+{}", files.chain, files.key)
}

/// The secret with authorities from a file: `sds_file_<path>`.
pub fn file(path: &str) -> String {
    format!("sds_file_{path}")
}

/// Prefix of a connection manager's statistics: `ingress.http.8080`.
pub fn http_statistics(http: &Http) -> String {
    format!("{}.{}.{}", http.direction.as_str(), http.protocol.as_str(), http.port)
}

/// Prefix of a TCP proxy's statistics: `egress.tcp.5432`, or `egress.tcp` where the port is not known.
pub fn tcp_statistics(tcp: &Tcp) -> String {
    match tcp.port {
        Some(port) => format!("{}.tcp.{port}", tcp.direction.as_str()),
        None => format!("{}.tcp", tcp.direction.as_str()),
    }
}

/// The filter chain that ends TLS beside one that takes plain text, in logs: `ingress.8080 tls`.
pub fn tls_filter_chain(beside: &str) -> String {
    format!("{beside} tls")
}

/// A filter chain, in logs: `ingress.8080`.
pub fn filter_chain(direction: Direction, port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{}.{port}", direction.as_str()),
        None => direction.as_str().to_owned(),
    }
}

/// The filter, and the extension configuration that it comes from. A virtual node runs it twice, with two configurations.
pub fn filter(reporter: Reporter) -> &'static str {
    match reporter {
        Reporter::Gateway | Reporter::Source => "ferromesh.mesh",
        Reporter::Destination => "ferromesh.mesh.ingress",
    }
}

/// A route: what it was made from, and the hash of its policy. A changed policy is a changed name, so that the filter knows
/// it by one read.
pub fn route(label: &Label, policy: Option<&str>) -> String {
    let parts: Vec<&str> = [&label.gateway_route, &label.virtual_service, &label.route]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let label = if parts.is_empty() {
        "ingress".to_owned()
    } else {
        parts.join("/")
    };
    match policy {
        Some(policy) => format!("{label}#{}", hash(policy)),
        None => label,
    }
}

/// The first 16 hexadecimal digits of the SHA-256.
fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_named_after_its_parts_and_its_policy() {
        let label = Label {
            gateway_route: Some("gr".into()),
            virtual_service: Some("color.local".into()),
            route: Some("r1".into()),
        };
        assert_eq!(route(&label, None), "gr/color.local/r1");
        assert_eq!(route(&label, Some("{}")), "gr/color.local/r1#44136fa355b3678a");
        assert_eq!(route(&Label::default(), None), "ingress");
    }
}
