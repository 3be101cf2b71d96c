//! Connection managers.

use envoy_types::pb::envoy::config::core::v3::{ExtensionConfigSource, TypedExtensionConfig};
use envoy_types::pb::envoy::config::listener::v3::{filter, Filter};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    CodecType, InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier, Tracing, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_filter, HttpConnectionManager, HttpFilter, Rds,
};
use envoy_types::pb::envoy::extensions::http::original_ip_detection::custom_header::v3::CustomHeaderConfig;
use ferromesh_ir::listener::{ClientAddress, Http};
use ferromesh_ir::Proxy;
use prost::Name;

use crate::guard::Table;
use crate::{access_log, forwarded, names, pack, retry_mark, trust};

/// A connection manager as network filter. `with_filter`: whether our filter stands before the router.
pub fn connection_manager(proxy: &Proxy, http: &Http, with_filter: bool) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".into(),
        config_type: Some(filter::ConfigType::TypedConfig(pack::any(&manager(
            proxy,
            http,
            with_filter,
        )))),
    }
}

/// The filters in their order: what clients may not say, who they are, whether they may, our own, what costs a call to count,
/// and the router. None of them chooses the route anew, so all see the one that is taken.
fn http_filters(proxy: &Proxy, http: &Http, with_filter: bool) -> Vec<HttpFilter> {
    let table = proxy.route_tables.iter().find(|table| table.id == http.table);
    let guards = table.map(Table::of).unwrap_or_default();
    let mut filters = Vec::new();
    if http.drops_retry_mark {
        filters.push(retry_mark::drop_filter());
    }
    filters.extend(guards.before(proxy));
    if with_filter {
        filters.push(mesh_filter(http));
    }
    filters.extend(guards.behind(proxy));
    filters.push(router());
    filters
}

fn manager(proxy: &Proxy, http: &Http, with_filter: bool) -> HttpConnectionManager {
    HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: names::http_statistics(http),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(pack::ads()),
            route_config_name: names::route_table(http.table),
        })),
        http_filters: http_filters(proxy, http, with_filter),
        tracing: Some(Tracing::default()),
        access_log: access_log::access_logs(http.access_log.as_ref()),
        use_remote_address: Some(pack::boolean(http.client_address == ClientAddress::Append)),
        xff_num_trusted_hops: http.trusted_hops,
        forward_client_cert_details: forwarded::forward(&http.client_certificate).into(),
        set_current_client_cert_details: forwarded::details(&http.client_certificate),
        original_ip_detection_extensions: connections_address(http).into_iter().collect(),
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

/// Has the source of a request be its connection's peer. Without it Envoy takes the address of a listener that passes
/// `x-forwarded-for` on from that header, which the client writes: rate limits and sticky choices by source would be its
/// own to choose. The header named here never arrives, because it is removed first.
fn connections_address(http: &Http) -> Option<TypedExtensionConfig> {
    let passes_on = http.client_address == ClientAddress::PassOn && http.trusted_hops == 0;
    passes_on.then(|| TypedExtensionConfig {
        name: "envoy.http.original_ip_detection.custom_header".into(),
        typed_config: Some(pack::any(&CustomHeaderConfig {
            header_name: "x-ferromesh-source".into(),
            ..CustomHeaderConfig::default()
        })),
    })
}
