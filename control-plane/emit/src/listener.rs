//! Listeners and their filter chains.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{address, socket_address, Address, SocketAddress, TrafficDirection};
use envoy_types::pb::envoy::config::listener::v3::listener_filter_chain_match_predicate::{MatchSet, Rule};
use envoy_types::pb::envoy::config::listener::v3::{
    listener_filter, Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, ListenerFilterChainMatchPredicate,
};
use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3::OriginalDst;
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::r#type::v3::Int32Range;
use ferromesh_ir::listener::{Bind, Chain, Direction, Listener as Spec, Network};
use ferromesh_ir::tls::Accepts;
use ferromesh_ir::Proxy;

use crate::guard::Table;
use crate::{http, names, pack, tcp, tls, Reference, CLUSTER, EXTENSION_CONFIG, ROUTE_CONFIGURATION};

/// A connection that has not agreed on TLS by then is closed. Envoy would keep it for ever; it gives its listener filters
/// 15 s.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// A listener. `with_filter`: whether our filter stands before the routers.
pub fn listener(proxy: &Proxy, spec: &Spec, with_filter: bool) -> Listener {
    let filters = |network: &Network| vec![network_filter(proxy, network, with_filter)];
    Listener {
        name: names::listener(spec),
        address: Some(bind(spec)),
        traffic_direction: match spec.direction {
            Direction::Ingress => TrafficDirection::Inbound.into(),
            Direction::Egress => TrafficDirection::Outbound.into(),
        },
        listener_filters: listener_filters(spec),
        filter_chains: spec
            .chains
            .iter()
            .flat_map(|chain| filter_chains(spec, chain, filters(&chain.network)))
            .collect(),
        default_filter_chain: spec.otherwise.as_ref().map(|network| FilterChain {
            name: names::filter_chain(spec.direction, None),
            filters: filters(network),
            ..FilterChain::default()
        }),
        ..Listener::default()
    }
}

/// One filter chain, or two where the client chooses between TLS and plain text.
fn filter_chains(spec: &Spec, chain: &Chain, filters: Vec<Filter>) -> Vec<FilterChain> {
    let name = chain_name(spec, chain);
    let plain = FilterChain {
        name: name.clone(),
        filter_chain_match: Some(FilterChainMatch {
            destination_port: Some(pack::uint32(chain.port.into())),
            server_names: chain.server_names.clone(),
            ..FilterChainMatch::default()
        }),
        filters,
        ..FilterChain::default()
    };
    let encrypted = |server| FilterChain {
        transport_socket: Some(tls::server(server)),
        transport_socket_connect_timeout: Some(pack::duration(HANDSHAKE_TIMEOUT)),
        ..plain.clone()
    };
    match &chain.accepts {
        Accepts::AsItComes => vec![plain],
        Accepts::Tls(server) => vec![encrypted(server)],
        Accepts::TlsOrPlaintext(server) => {
            let encrypted = FilterChain {
                name: names::tls_filter_chain(&name),
                ..encrypted(server)
            };
            vec![for_protocol(encrypted, "tls"), for_protocol(plain, "raw_buffer")]
        }
    }
}

fn for_protocol(mut chain: FilterChain, protocol: &str) -> FilterChain {
    if let Some(conditions) = &mut chain.filter_chain_match {
        conditions.transport_protocol = protocol.to_owned();
    }
    chain
}

/// Whether the choice of a chain needs to know the client's first bytes.
fn is_inspected(chain: &Chain) -> bool {
    !chain.server_names.is_empty() || matches!(chain.accepts, Accepts::TlsOrPlaintext(_))
}

fn chain_name(spec: &Spec, chain: &Chain) -> String {
    let mut name = names::filter_chain(spec.direction, Some(chain.port));
    for server_name in &chain.server_names {
        name.push(' ');
        name.push_str(server_name);
    }
    name
}

fn network_filter(proxy: &Proxy, network: &Network, with_filter: bool) -> Filter {
    match network {
        Network::Http(spec) => http::connection_manager(proxy, spec, with_filter),
        Network::Tcp(spec) => tcp::tcp_proxy(proxy, spec),
    }
}

fn bind(spec: &Spec) -> Address {
    let (host, ipv4_compat) = match spec.bind {
        Bind::V4 => ("0.0.0.0", false),
        Bind::Dual => ("::", true),
    };
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: host.into(),
            ipv4_compat,
            port_specifier: Some(socket_address::PortSpecifier::PortValue(spec.port.into())),
            ..SocketAddress::default()
        })),
    }
}

fn listener_filters(spec: &Spec) -> Vec<ListenerFilter> {
    let mut filters = Vec::new();
    if spec.redirected {
        filters.push(ListenerFilter {
            name: "envoy.filters.listener.original_dst".into(),
            config_type: Some(listener_filter::ConfigType::TypedConfig(pack::any(&OriginalDst {}))),
            ..ListenerFilter::default()
        });
    }
    let mut ports: Vec<u16> = spec
        .chains
        .iter()
        .filter(|chain| is_inspected(chain))
        .map(|chain| chain.port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if !ports.is_empty() {
        filters.push(ListenerFilter {
            name: "envoy.filters.listener.tls_inspector".into(),
            config_type: Some(listener_filter::ConfigType::TypedConfig(pack::any(
                &TlsInspector::default(),
            ))),
            filter_disabled: Some(on_none_of(&ports)),
        });
    }
    filters
}

/// The inspector waits for the client's first bytes, on which protocols hang whose server speaks first: so only where
/// server names are asked for, or where the client chooses between TLS and plain text.
fn on_none_of(ports: &[u16]) -> ListenerFilterChainMatchPredicate {
    let predicate = |rule| ListenerFilterChainMatchPredicate { rule: Some(rule) };
    let mut ranges: Vec<_> = ports
        .iter()
        .map(|port| {
            predicate(Rule::DestinationPortRange(Int32Range {
                start: (*port).into(),
                end: i32::from(*port) + 1,
            }))
        })
        .collect();
    // A set has two members or more.
    let any = match ranges.pop() {
        Some(only) if ranges.is_empty() => only,
        last => predicate(Rule::OrMatch(MatchSet {
            rules: ranges.into_iter().chain(last).collect(),
        })),
    };
    predicate(Rule::NotMatch(Box::new(any)))
}

/// The route tables, filters, clusters and secrets that a listener names.
pub fn references(proxy: &Proxy, spec: &Spec, with_filter: bool) -> Vec<Reference> {
    let from = names::listener(spec);
    let mut references = Vec::new();
    for chain in &spec.chains {
        references.extend(tls::server_references(&chain.accepts, &from));
    }
    let networks = spec.chains.iter().map(|chain| &chain.network).chain(&spec.otherwise);
    for network in networks {
        let mut add = |type_url, name| {
            references.push(Reference {
                type_url,
                name,
                from: from.clone(),
            });
        };
        match network {
            Network::Http(http) => {
                add(ROUTE_CONFIGURATION, names::route_table(http.table));
                for table in proxy.route_tables.iter().filter(|table| table.id == http.table) {
                    for id in Table::of(table).clusters() {
                        add(CLUSTER, names::cluster(proxy, &id));
                    }
                }
                if with_filter {
                    add(EXTENSION_CONFIG, names::filter(http.reporter).to_owned());
                }
            }
            Network::Tcp(tcp) => {
                for (id, _) in &tcp.clusters {
                    add(CLUSTER, names::cluster(proxy, id));
                }
            }
        }
    }
    references
}
