//! A static configuration of what is otherwise delivered by xDS: routes, filters and secrets are put in where a listener or a
//! cluster names them.

use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::StaticResources;
use envoy_types::pb::envoy::config::bootstrap::v3::runtime_layer::LayerSpecifier;
use envoy_types::pb::envoy::config::bootstrap::v3::{Bootstrap, LayeredRuntime, RuntimeLayer};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::{address, Http2ProtocolOptions, Node, TypedExtensionConfig};
use envoy_types::pb::envoy::config::listener::v3::{filter, FilterChain};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_filter, HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::google::protobuf::{value, Duration, Struct, Value};
use envoy_types::util::pack_any;
use ferromesh_emit::Messages;
use prost::{Message, Name};

use super::pki;

/// The bootstrap.
pub fn of(mut messages: Messages) -> Bootstrap {
    let sockets = messages
        .clusters
        .iter_mut()
        .map(|cluster| &mut cluster.transport_socket);
    sockets.for_each(pki::resolve);
    messages.secrets.iter_mut().for_each(pki::resolve_files);
    for cluster in &mut messages.clusters {
        for options in cluster.typed_extension_protocol_options.values_mut() {
            let mut decoded = HttpProtocolOptions::decode(options.value.as_slice()).expect("HTTP options");
            deliver(&mut decoded.http_filters, &messages.extensions);
            *options = pack_any(decoded);
        }
    }
    let mut listeners = messages.listeners.clone();
    for listener in &mut listeners {
        for chain in listener
            .filter_chains
            .iter_mut()
            .chain(&mut listener.default_filter_chain)
        {
            resolve(chain, &messages);
            pki::resolve(&mut chain.transport_socket);
        }
    }
    messages.clusters.push(local_sds());
    Bootstrap {
        node: Some(Node {
            id: "test".into(),
            cluster: "test".into(),
            ..Node::default()
        }),
        static_resources: Some(StaticResources {
            listeners,
            clusters: messages.clusters,
            secrets: messages.secrets,
        }),
        layered_runtime: Some(runtime()),
        ..Bootstrap::default()
    }
}

/// The SDS server beside the proxy, which is not there: its cluster is named wherever a mesh names one of its secrets.
fn local_sds() -> Cluster {
    Cluster {
        name: "static_cluster_sds_unix_socket".into(),
        connect_timeout: Some(Duration { seconds: 1, nanos: 0 }),
        typed_extension_protocol_options: [(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            pack_any(HttpProtocolOptions {
                upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
                    protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
                })),
                ..HttpProtocolOptions::default()
            }),
        )]
        .into(),
        ..Cluster::default()
    }
}

/// Tests are not for the outside.
pub fn on_loopback(messages: &mut Messages) {
    for listener in &mut messages.listeners {
        let address = listener.address.as_mut().and_then(|address| address.address.as_mut());
        if let Some(address::Address::SocketAddress(socket)) = address {
            socket.address = "127.0.0.1".into();
        }
    }
}

/// App Mesh's limit on regular expressions.
fn runtime() -> LayeredRuntime {
    let fields = [("re2.max_program_size.error_level".to_owned(), number(1000.0))];
    LayeredRuntime {
        layers: vec![RuntimeLayer {
            name: "static_layer_0".into(),
            layer_specifier: Some(LayerSpecifier::StaticLayer(Struct {
                fields: fields.into_iter().collect(),
            })),
        }],
    }
}

fn number(number: f64) -> Value {
    Value {
        kind: Some(value::Kind::NumberValue(number)),
    }
}

fn resolve(chain: &mut FilterChain, messages: &Messages) {
    for filter in &mut chain.filters {
        let Some(filter::ConfigType::TypedConfig(any)) = &mut filter.config_type else {
            continue;
        };
        if any.type_url != HttpConnectionManager::type_url() {
            continue;
        }
        let mut manager = HttpConnectionManager::decode(any.value.as_slice()).expect("a connection manager");
        if let Some(RouteSpecifier::Rds(rds)) = &manager.route_specifier {
            let table = messages
                .route_tables
                .iter()
                .find(|table| table.name == rds.route_config_name);
            manager.route_specifier = Some(RouteSpecifier::RouteConfig(table.expect("its route table").clone()));
        }
        deliver(&mut manager.http_filters, &messages.extensions);
        *any = pack_any(manager);
    }
}

/// Puts configurations in where filters wait for them.
fn deliver(filters: &mut [HttpFilter], extensions: &[TypedExtensionConfig]) {
    for http_filter in filters {
        if let Some(http_filter::ConfigType::ConfigDiscovery(_)) = &http_filter.config_type {
            let extension = extensions.iter().find(|extension| extension.name == http_filter.name);
            let config = extension.and_then(|extension| extension.typed_config.clone());
            http_filter.config_type = Some(http_filter::ConfigType::TypedConfig(config.expect("its configuration")));
        }
    }
}
