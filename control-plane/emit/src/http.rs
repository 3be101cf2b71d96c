//! Connection managers.

use envoy_types::pb::envoy::config::core::v3::ExtensionConfigSource;
use envoy_types::pb::envoy::config::listener::v3::{filter, Filter};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    CodecType, InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier, Tracing, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_filter, HttpConnectionManager, HttpFilter, Rds,
};
use ferromesh_ir::listener::{ClientAddress, Http};
use prost::Name;

use crate::{access_log, names, pack, trust};

/// A connection manager as network filter. `with_filter`: whether our filter stands before the router.
pub fn connection_manager(http: &Http, with_filter: bool) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(filter::ConfigType::TypedConfig(pack::any(&manager(http, with_filter)))),
    }
}

fn manager(http: &Http, with_filter: bool) -> HttpConnectionManager {
    let mut http_filters = Vec::new();
    if with_filter {
        http_filters.push(mesh_filter(http));
    }
    http_filters.push(router());
    HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: names::http_statistics(http),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(pack::ads()),
            route_config_name: names::route_table(http.table),
        })),
        http_filters,
        tracing: Some(Tracing::default()),
        access_log: access_log::access_logs(http.access_log.as_ref()),
        use_remote_address: Some(pack::boolean(http.client_address == ClientAddress::Append)),
        // No address makes a request an internal one, whose `x-envoy-*` headers would count.
        internal_address_config: Some(InternalAddressConfig::default()),
        // App Mesh's gateways kept the client's request id; with the remote address in use Envoy would replace it.
        preserve_external_request_id: true,
        early_header_mutation_extensions: vec![trust::early_header_mutation()],
        common_http_protocol_options: Some(trust::refuse_underscores()),
        normalize_path: Some(pack::boolean(http.normalize_paths)),
        merge_slashes: http.normalize_paths,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::KeepUnchanged.into(),
        upgrade_configs: http
            .websocket
            .then(|| UpgradeConfig {
                upgrade_type: "websocket".into(),
                ..UpgradeConfig::default()
            })
            .into_iter()
            .collect(),
        ..HttpConnectionManager::default()
    }
}

fn mesh_filter(http: &Http) -> HttpFilter {
    HttpFilter {
        name: names::filter(http.reporter).into(),
        config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
            config_source: Some(pack::ads()),
            type_urls: vec![Wasm::type_url()],
            ..ExtensionConfigSource::default()
        })),
        ..HttpFilter::default()
    }
}

fn router() -> HttpFilter {
    HttpFilter {
        name: "envoy.filters.http.router".into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack::any(&Router::default()))),
        ..HttpFilter::default()
    }
}
