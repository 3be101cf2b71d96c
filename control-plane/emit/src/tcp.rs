//! TCP proxies.

use envoy_types::pb::envoy::config::listener::v3::{filter, Filter};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::weighted_cluster::ClusterWeight;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, WeightedCluster,
};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use ferromesh_ir::listener::Tcp;
use ferromesh_ir::Proxy;

use crate::{access_log, names, pack};

/// A TCP proxy as network filter.
pub fn tcp_proxy(proxy: &Proxy, tcp: &Tcp) -> Filter {
    let cluster_specifier = match tcp.clusters.as_slice() {
        [(only, _)] => ClusterSpecifier::Cluster(names::cluster(proxy, only)),
        several => ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: several
                .iter()
                .map(|(id, weight)| ClusterWeight {
                    name: names::cluster(proxy, id),
                    weight: *weight,
                    ..ClusterWeight::default()
                })
                .collect(),
        }),
    };
    Filter {
        name: "envoy.filters.network.tcp_proxy".into(),
        config_type: Some(filter::ConfigType::TypedConfig(pack::any(&TcpProxy {
            stat_prefix: names::tcp_statistics(tcp),
            cluster_specifier: Some(cluster_specifier),
            idle_timeout: tcp.idle_timeout.map(pack::duration),
            access_log: access_log::access_logs(tcp.access_log.as_ref()),
            ..TcpProxy::default()
        }))),
    }
}
