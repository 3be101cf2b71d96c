//! A small mesh in Envoy's resources: clusters, a listener, and a route table with one route.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation_rules;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints};
use envoy_types::pb::envoy::config::listener::v3 as listener;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{HeaderMutation, Mutations};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::google::protobuf::{value, Any, Duration, Struct, Value};
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE};
use ferromesh_xds::{Reference, Snapshot};
use prost::{Message, Name};

#[derive(Clone)]
pub struct Mesh {
    /// Where the listener listens.
    pub port: u16,
    /// The listener's name, and its route table's.
    pub listener: String,
    pub routes: String,
    pub clusters: BTreeMap<String, SocketAddr>,
    /// Clusters whose endpoints come by EDS.
    pub eds_clusters: BTreeMap<String, SocketAddr>,
    /// Clusters whose host name, the cluster's own, is resolved by the DNS server at `dns`; port.
    pub dns_clusters: BTreeMap<String, u16>,
    pub dns: Option<SocketAddr>,
    /// The cluster that everything is routed to.
    pub route: String,
    pub connect_timeout_seconds: i64,
    pub stat_prefix: String,
    pub broken_listener: bool,
    /// A filter whose configuration comes by ECDS, by name, and what it puts into the response header `x-stamp`.
    pub stamp: Option<(String, String)>,
    /// Bytes of metadata on every cluster.
    pub ballast: usize,
}

impl Mesh {
    pub fn new(clusters: &[(&str, SocketAddr)]) -> Self {
        Self {
            port: crate::proxy::free_port(),
            listener: "listener".into(),
            routes: "routes".into(),
            clusters: clusters.iter().map(|(n, a)| (n.to_string(), *a)).collect(),
            eds_clusters: BTreeMap::new(),
            dns_clusters: BTreeMap::new(),
            dns: None,
            route: String::new(),
            connect_timeout_seconds: 1,
            stat_prefix: "ingress".into(),
            broken_listener: false,
            stamp: None,
            ballast: 0,
        }
    }

    pub fn seal(&self) -> Snapshot {
        let mut resources: Vec<(&str, String, Bytes)> = Vec::new();
        let mut references = vec![
            Reference::new(ROUTE, self.routes.as_str(), self.listener.as_str()),
            Reference::new(CLUSTER, self.route.as_str(), self.routes.as_str()),
        ];
        for (name, address) in &self.clusters {
            let cluster = Cluster {
                load_assignment: Some(endpoints(name, *address)),
                ..self.cluster(name)
            };
            resources.push((CLUSTER, name.clone(), encode(&cluster)));
        }
        for (name, address) in &self.eds_clusters {
            let cluster = Cluster {
                cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
                eds_cluster_config: Some(EdsClusterConfig {
                    eds_config: Some(ads()),
                    ..Default::default()
                }),
                ..self.cluster(name)
            };
            resources.push((CLUSTER, name.clone(), encode(&cluster)));
            resources.push((ENDPOINT, name.clone(), encode(&endpoints(name, *address))));
            references.push(Reference::new(ENDPOINT, name.as_str(), name.as_str()));
        }
        for (name, port) in &self.dns_clusters {
            let cares = CaresDnsResolverConfig {
                resolvers: vec![address(self.dns.unwrap())],
                ..Default::default()
            };
            let cluster = Cluster {
                cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns as i32)),
                dns_lookup_family: DnsLookupFamily::V4Only as i32,
                typed_dns_resolver_config: Some(core::TypedExtensionConfig {
                    name: "envoy.network.dns_resolver.cares".into(),
                    typed_config: Some(any(&cares)),
                }),
                load_assignment: Some(assignment(name, named(name, *port))),
                ..self.cluster(name)
            };
            resources.push((CLUSTER, name.clone(), encode(&cluster)));
        }
        if let Some((name, value)) = &self.stamp {
            resources.push((EXTENSION, name.clone(), encode(&stamp(name, value))));
            references.push(Reference::new(EXTENSION, name.as_str(), self.listener.as_str()));
        }
        resources.push((LISTENER, self.listener.clone(), encode(&self.listener())));
        resources.push((ROUTE, self.routes.clone(), encode(&self.routes())));
        Snapshot::seal(resources, references).unwrap()
    }

    fn cluster(&self, name: &str) -> Cluster {
        Cluster {
            name: name.into(),
            connect_timeout: Some(Duration {
                seconds: self.connect_timeout_seconds,
                nanos: 0,
            }),
            metadata: (self.ballast > 0).then(|| ballast(self.ballast)),
            ..Default::default()
        }
    }

    fn listener(&self) -> listener::Listener {
        let router = hcm::HttpFilter {
            name: "router".into(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
            ..Default::default()
        };
        let broken = hcm::HttpFilter {
            name: "broken".into(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(Any {
                type_url: "type.googleapis.com/no.such.filter".into(),
                value: vec![],
            })),
            ..Default::default()
        };
        let stamp = self.stamp.as_ref().map(|(name, _)| hcm::HttpFilter {
            name: name.clone(),
            config_type: Some(hcm::http_filter::ConfigType::ConfigDiscovery(
                core::ExtensionConfigSource {
                    config_source: Some(ads()),
                    type_urls: vec![HeaderMutation::type_url()],
                    ..Default::default()
                },
            )),
            ..Default::default()
        });
        let manager = hcm::HttpConnectionManager {
            stat_prefix: self.stat_prefix.clone(),
            http_filters: self
                .broken_listener
                .then_some(broken)
                .into_iter()
                .chain(stamp)
                .chain([router])
                .collect(),
            route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(hcm::Rds {
                config_source: Some(ads()),
                route_config_name: self.routes.clone(),
            })),
            ..Default::default()
        };
        let filter = listener::Filter {
            name: "http".into(),
            config_type: Some(listener::filter::ConfigType::TypedConfig(any(&manager))),
        };
        listener::Listener {
            name: self.listener.clone(),
            address: Some(address(SocketAddr::from(([127, 0, 0, 1], self.port)))),
            filter_chains: vec![listener::FilterChain {
                filters: vec![filter],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn routes(&self) -> route::RouteConfiguration {
        let action = route::RouteAction {
            cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(self.route.clone())),
            ..Default::default()
        };
        let all = route::RouteMatch {
            path_specifier: Some(route::route_match::PathSpecifier::Prefix("/".into())),
            ..Default::default()
        };
        let host = route::VirtualHost {
            name: "all".into(),
            domains: vec!["*".into()],
            routes: vec![route::Route {
                r#match: Some(all),
                action: Some(route::route::Action::Route(action)),
                ..Default::default()
            }],
            ..Default::default()
        };
        route::RouteConfiguration {
            name: self.routes.clone(),
            virtual_hosts: vec![host],
            ..Default::default()
        }
    }
}

fn stamp(name: &str, value: &str) -> core::TypedExtensionConfig {
    let header = core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: "x-stamp".into(),
            value: value.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mutation = mutation_rules::HeaderMutation {
        action: Some(mutation_rules::header_mutation::Action::Append(header)),
    };
    let filter = HeaderMutation {
        mutations: Some(Mutations {
            response_mutations: vec![mutation],
            ..Default::default()
        }),
        ..Default::default()
    };
    core::TypedExtensionConfig {
        name: name.into(),
        typed_config: Some(any(&filter)),
    }
}

fn ballast(bytes: usize) -> core::Metadata {
    let text = value::Kind::StringValue("x".repeat(bytes));
    let fields = [("text".to_owned(), Value { kind: Some(text) })].into();
    core::Metadata {
        filter_metadata: [("ballast".to_owned(), Struct { fields })].into(),
        ..Default::default()
    }
}

fn endpoints(cluster: &str, at: SocketAddr) -> ClusterLoadAssignment {
    assignment(cluster, address(at))
}

fn assignment(cluster: &str, at: core::Address) -> ClusterLoadAssignment {
    let endpoint = Endpoint {
        address: Some(at),
        ..Default::default()
    };
    let host = LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    };
    ClusterLoadAssignment {
        cluster_name: cluster.into(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![host],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn address(at: SocketAddr) -> core::Address {
    named(&at.ip().to_string(), at.port())
}

fn named(host: &str, port: u16) -> core::Address {
    let socket = core::SocketAddress {
        address: host.into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
        ..Default::default()
    };
    core::Address {
        address: Some(core::address::Address::SocketAddress(socket)),
    }
}

fn ads() -> core::ConfigSource {
    core::ConfigSource {
        resource_api_version: core::ApiVersion::V3 as i32,
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(Default::default())),
        ..Default::default()
    }
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}
