//! The resources that measured servers serve: the same in number, shape and size whichever server it is, so that the
//! peer's program makes them likewise (`peers/go-control-plane/main.go`).
//!
//! Clusters with endpoints by EDS, one listener, its route table, and one filter configuration by ECDS.

use bytes::Bytes;
use envoy_types::pb::envoy::config::{
    cluster::v3::{
        cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig},
        Cluster,
    },
    core::v3::{
        address::Address as AddressKind, config_source::ConfigSourceSpecifier, socket_address::PortSpecifier, Address,
        AggregatedConfigSource, ApiVersion, ConfigSource, ExtensionConfigSource, HeaderValue, HeaderValueOption,
        SocketAddress, TypedExtensionConfig,
    },
    endpoint::v3::{lb_endpoint::HostIdentifier, ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints},
    listener::v3::{filter::ConfigType, Filter, FilterChain, Listener},
    route::v3::{
        route::Action, route_action::ClusterSpecifier, route_match::PathSpecifier, Route, RouteAction,
        RouteConfiguration, RouteMatch, VirtualHost,
    },
};
use envoy_types::pb::envoy::extensions::filters::{
    http::router::v3::Router,
    network::http_connection_manager::v3::{
        http_connection_manager::RouteSpecifier, http_filter, HttpConnectionManager, HttpFilter, Rds,
    },
};
use envoy_types::pb::google::protobuf::{Any, Duration};
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE};
use prost::Message;

use crate::stamp::Stamp;

const ROUTE_TABLE: &str = "r0";
const FILTER: &str = "x0";

/// How much there is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// Proxies that a snapshot is made for: `n0`, `n1` …
    #[arg(long)]
    pub nodes: usize,
    #[arg(long)]
    pub clusters: usize,
    /// Endpoints of each cluster.
    #[arg(long, default_value_t = 5)]
    pub endpoints: usize,
    #[arg(long, default_value_t = 100)]
    pub routes: usize,
}

/// An encoded resource with its type and name.
pub type Encoded = (&'static str, String, Bytes);

/// A change that all proxies get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// One endpoint of one cluster.
    Endpoint(usize),
    /// One header of the route table.
    Route,
    /// The filter configuration.
    Extension,
    /// One more cluster, with its endpoints.
    Cluster(usize),
    /// One cluster less, with its endpoints.
    Remove(usize),
    /// Every cluster, all their endpoints, the route table and the filter configuration.
    All,
}

impl Change {
    /// How many resources of the change carry its stamp; none where it takes something away.
    pub fn parts(self, size: &Size) -> usize {
        match self {
            Self::All => 2 * size.clusters + 2,
            Self::Remove(_) => 0,
            _ => 1,
        }
    }

    /// The resources after the change, as far as there are some.
    pub fn resources(self, size: &Size, stamp: Stamp) -> Vec<Encoded> {
        match self {
            Self::Endpoint(index) => vec![endpoints(index, size.endpoints, stamp)],
            Self::Route => vec![route_table(size.routes, stamp)],
            Self::Extension => vec![filter(stamp)],
            Self::Cluster(index) => vec![cluster(index, stamp), endpoints(index, size.endpoints, Stamp::NONE)],
            Self::Remove(_) => Vec::new(),
            Self::All => {
                let clusters = (0..size.clusters).map(|index| cluster(index, stamp));
                let endpoints = (0..size.clusters).map(|index| endpoints(index, size.endpoints, stamp));
                let rest = [route_table(size.routes, stamp), filter(stamp)];
                clusters.chain(endpoints).chain(rest).collect()
            }
        }
    }

    /// As a line of a server's standard input.
    pub fn line(self, stamp: Stamp) -> String {
        match self {
            Self::Endpoint(index) => format!("endpoint {index} {stamp}\n"),
            Self::Route => format!("route 0 {stamp}\n"),
            Self::Extension => format!("extension 0 {stamp}\n"),
            Self::Cluster(index) => format!("cluster {index} {stamp}\n"),
            Self::Remove(index) => format!("remove {index} {stamp}\n"),
            Self::All => format!("all 0 {stamp}\n"),
        }
    }

    /// Reads what [`Change::line`] wrote.
    pub fn parse(line: &str) -> Option<(Self, Stamp)> {
        let mut words = line.split_whitespace();
        let (kind, index, stamp) = (words.next()?, words.next()?.parse().ok()?, Stamp::parse(words.next()?)?);
        let change = match kind {
            "endpoint" => Self::Endpoint(index),
            "route" => Self::Route,
            "extension" => Self::Extension,
            "cluster" => Self::Cluster(index),
            "remove" => Self::Remove(index),
            "all" => Self::All,
            _ => return None,
        };
        Some((change, stamp))
    }
}

/// Everything, before any change.
pub fn resources(size: &Size) -> Vec<Encoded> {
    let clusters = (0..size.clusters).map(|index| cluster(index, Stamp::NONE));
    let endpoints = (0..size.clusters).map(|index| endpoints(index, size.endpoints, Stamp::NONE));
    let rest = [listener(), route_table(size.routes, Stamp::NONE), filter(Stamp::NONE)];
    clusters.chain(endpoints).chain(rest).collect()
}

fn cluster(index: usize, stamp: Stamp) -> Encoded {
    let name = format!("c{index}");
    let cluster = Cluster {
        name: name.clone(),
        alt_stat_name: stamp.to_string(),
        connect_timeout: Some(Duration { seconds: 1, nanos: 0 }),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(by_ads()),
            service_name: name.clone(),
        }),
        ..Cluster::default()
    };
    encoded(CLUSTER, name, &cluster)
}

fn endpoints(index: usize, count: usize, stamp: Stamp) -> Encoded {
    let name = format!("c{index}");
    let endpoint = |number: usize| LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
            address: Some(address(18_080 + number)),
            hostname: if number == 0 { stamp.to_string() } else { String::new() },
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    };
    let assignment = ClusterLoadAssignment {
        cluster_name: name.clone(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: (0..count).map(endpoint).collect(),
            ..LocalityLbEndpoints::default()
        }],
        ..ClusterLoadAssignment::default()
    };
    encoded(ENDPOINT, name, &assignment)
}

fn listener() -> Encoded {
    let manager = HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(by_ads()),
            route_config_name: ROUTE_TABLE.to_owned(),
        })),
        http_filters: vec![
            HttpFilter {
                name: FILTER.to_owned(),
                config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
                    config_source: Some(by_ads()),
                    type_urls: vec![format!("type.googleapis.com/{ROUTER}")],
                    ..ExtensionConfigSource::default()
                })),
                ..HttpFilter::default()
            },
            HttpFilter {
                name: "envoy.filters.http.router".to_owned(),
                config_type: Some(http_filter::ConfigType::TypedConfig(router())),
                ..HttpFilter::default()
            },
        ],
        ..HttpConnectionManager::default()
    };
    let filter = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            &manager,
        ))),
    };
    let listener = Listener {
        name: "l0".to_owned(),
        address: Some(address(9000)),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..FilterChain::default()
        }],
        ..Listener::default()
    };
    encoded(LISTENER, listener.name.clone(), &listener)
}

fn route_table(count: usize, stamp: Stamp) -> Encoded {
    let route = |number: usize| Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix(match number {
                0 => "/".to_owned(),
                other => format!("/c{other}/"),
            })),
            ..RouteMatch::default()
        }),
        action: Some(Action::Route(RouteAction {
            cluster_specifier: Some(ClusterSpecifier::Cluster(format!("c{number}"))),
            ..RouteAction::default()
        })),
        ..Route::default()
    };
    let table = RouteConfiguration {
        name: ROUTE_TABLE.to_owned(),
        virtual_hosts: vec![VirtualHost {
            name: "v".to_owned(),
            domains: vec!["*".to_owned()],
            response_headers_to_add: vec![HeaderValueOption {
                header: Some(HeaderValue {
                    key: "x-version".to_owned(),
                    value: stamp.to_string(),
                    ..HeaderValue::default()
                }),
                ..HeaderValueOption::default()
            }],
            routes: (0..count).rev().map(route).collect(),
            ..VirtualHost::default()
        }],
        ..RouteConfiguration::default()
    };
    encoded(ROUTE, ROUTE_TABLE.to_owned(), &table)
}

/// The router stands for a filter; what a real one's configuration says is a statistics prefix here. No proxy of this load
/// reads it.
fn filter(stamp: Stamp) -> Encoded {
    let config = TypedExtensionConfig {
        name: FILTER.to_owned(),
        typed_config: Some(Any {
            type_url: format!("type.googleapis.com/{ROUTER}"),
            value: stamp.to_string().into_bytes(),
        }),
    };
    encoded(EXTENSION, FILTER.to_owned(), &config)
}

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

fn router() -> Any {
    any(ROUTER, &Router::default())
}

fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

fn by_ads() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource::default())),
        resource_api_version: ApiVersion::V3 as i32,
        ..ConfigSource::default()
    }
}

fn address(port: usize) -> Address {
    Address {
        address: Some(AddressKind::SocketAddress(SocketAddress {
            address: "127.0.0.1".to_owned(),
            port_specifier: Some(PortSpecifier::PortValue(u32::try_from(port).unwrap_or_default())),
            ..SocketAddress::default()
        })),
    }
}

fn encoded(type_url: &'static str, name: String, message: &impl Message) -> Encoded {
    (type_url, name, message.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_back_from_its_line_and_found_in_its_resource() {
        let size = Size {
            nodes: 1,
            clusters: 2,
            endpoints: 2,
            routes: 2,
        };
        for change in [
            Change::Endpoint(1),
            Change::Route,
            Change::Extension,
            Change::Cluster(7),
            Change::Remove(7),
            Change::All,
        ] {
            let stamp = Stamp::now();
            assert_eq!(Change::parse(&change.line(stamp)), Some((change, stamp)));
            let resources = change.resources(&size, stamp);
            let stamps: Vec<Stamp> = resources
                .iter()
                .flat_map(|(_, _, bytes)| Stamp::find_all(bytes))
                .collect();
            assert_eq!(stamps, vec![stamp; change.parts(&size)], "{change:?}");
        }
        assert_eq!(Change::parse("endpoint x"), None);
    }
}
