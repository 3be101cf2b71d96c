//! Endpoints of clusters that look in the registry: one resource for each cluster, apart from the cluster itself, so that
//! tasks come and go without another cluster.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::endpoint::v3::endpoint::HealthCheckConfig;
use envoy_types::pb::envoy::config::endpoint::v3::{
    lb_endpoint, ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use ferromesh_ir::cluster::{Cluster, Discovery};
use ferromesh_ir::registry::Tasks;
use ferromesh_ir::Proxy;
use prost::Message;

use crate::parts::{Part, Piece};
use crate::{names, pack, Resource, ENDPOINT};

/// Endpoints as resources, ordered by name. They go with [`crate::proxy`]'s, whose clusters refer to them.
pub fn endpoints(proxy: &Proxy, tasks: &Tasks) -> Vec<Resource> {
    let mut resources: Vec<Resource> = endpoint_messages(proxy, tasks)
        .into_iter()
        .map(|message| Resource {
            type_url: ENDPOINT,
            value: message.encode_to_vec().into(),
            name: message.cluster_name,
        })
        .collect();
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    resources
}

/// The same as typed messages.
pub fn endpoint_messages(proxy: &Proxy, tasks: &Tasks) -> Vec<ClusterLoadAssignment> {
    let clusters = proxy.clusters.iter();
    let registered = clusters.filter(|cluster| matches!(cluster.discovery, Discovery::Registry(_)));
    registered
        .map(|cluster| {
            let addresses = tasks.addresses.get(&cluster.id).map_or(&[][..], Vec::as_slice);
            assignment(names::cluster(proxy, &cluster.id), cluster, addresses)
        })
        .collect()
}

/// The endpoints of one cluster of a mesh's proxies, which looks in the registry: the same for all proxies that have it.
pub fn endpoints_of(mesh: &str, cluster: &Cluster, addresses: &[SocketAddr]) -> Part {
    // The proxy's name is only in that of the application beside it.
    let message = assignment(names::cluster_in(mesh, "", &cluster.id), cluster, addresses);
    let piece = Piece::new(message.encode_to_vec().into());
    Part::new(ENDPOINT, message.cluster_name, vec![piece])
}

fn assignment(name: String, cluster: &Cluster, addresses: &[SocketAddr]) -> ClusterLoadAssignment {
    let probed = cluster.health_check.as_ref().and_then(|check| check.port);
    let endpoint = |address: &SocketAddr| LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(pack::address(&address.ip().to_string(), address.port())),
            health_check_config: probed.map(|port| HealthCheckConfig {
                port_value: port.into(),
                ..HealthCheckConfig::default()
            }),
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    };
    let group = LocalityLbEndpoints {
        lb_endpoints: addresses.iter().map(endpoint).collect(),
        ..LocalityLbEndpoints::default()
    };
    ClusterLoadAssignment {
        cluster_name: name,
        endpoints: if addresses.is_empty() { Vec::new() } else { vec![group] },
        ..ClusterLoadAssignment::default()
    }
}
