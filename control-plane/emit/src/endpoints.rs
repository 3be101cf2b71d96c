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
            assignment(proxy, cluster, addresses)
        })
        .collect()
}

fn assignment(proxy: &Proxy, cluster: &Cluster, addresses: &[SocketAddr]) -> ClusterLoadAssignment {
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
        cluster_name: names::cluster(proxy, &cluster.id),
        endpoints: if addresses.is_empty() { Vec::new() } else { vec![group] },
        ..ClusterLoadAssignment::default()
    }
}
