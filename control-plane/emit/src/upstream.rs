//! The filter in front of an upstream, where it sees every attempt: it keeps a budget of retries exactly.

use std::collections::HashSet;

use envoy_types::pb::envoy::config::core::v3::ExtensionConfigSource;
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{http_filter, HttpFilter};
use ferromesh_ir::cluster::{Cluster, ClusterId};
use ferromesh_ir::proxy::Plugin;
use ferromesh_ir::route::{Action, VirtualHost};
use ferromesh_ir::{Proxy, Reporter};
use ferromesh_policy::mesh::{PluginConfig, UpstreamConfig};
use prost::Name;

use crate::filter::Wanted;
use crate::{filter, names, pack, Module, Options};

/// The filters of a cluster; none where nothing is counted.
pub fn filters(spec: &Cluster) -> Vec<HttpFilter> {
    let Some(budget) = &spec.exact_budget else {
        return Vec::new();
    };
    let ours = HttpFilter {
        name: names::upstream_filter(&json(budget)),
        config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
            config_source: Some(pack::ads()),
            type_urls: vec![Wasm::type_url()],
            ..ExtensionConfigSource::default()
        })),
        ..HttpFilter::default()
    };
    // The last one of an upstream's filters must be the one that writes to the connection.
    let codec = HttpFilter {
        name: "envoy.filters.http.upstream_codec".into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack::any(&UpstreamCodec {}))),
        ..HttpFilter::default()
    };
    vec![ours, codec]
}

/// The extension configurations of a proxy's clusters, one for each budget.
pub fn extensions<'m>(proxy: &Proxy, module: &'m Module, options: &Options) -> Vec<Wanted<'m>> {
    let sends = |plugin: &&Plugin| plugin.reporter != Reporter::Destination;
    let Some(plugin) = proxy.plugins.iter().find(sends) else {
        return Vec::new();
    };
    let mut extensions: Vec<Wanted<'_>> = Vec::new();
    for budget in proxy
        .clusters
        .iter()
        .filter_map(|cluster| cluster.exact_budget.as_ref())
    {
        let name = names::upstream_filter(&json(budget));
        if extensions.iter().any(|known| known.name == name) {
            continue;
        }
        let config = PluginConfig {
            upstream: Some(budget.clone()),
            ..plugin.config.clone()
        };
        extensions.push(Wanted {
            name,
            config,
            module,
            failure: filter::on_failure(options),
        });
    }
    extensions
}

/// The clusters in front of which the filter counts.
pub fn counting(proxy: &Proxy) -> HashSet<&ClusterId> {
    let counting = proxy.clusters.iter().filter(|cluster| cluster.exact_budget.is_some());
    counting.map(|cluster| &cluster.id).collect()
}

/// Whether attempts must be numbered for the filter on a host's upstreams, some of which are `counting`.
pub fn counts_attempts(counting: &HashSet<&ClusterId>, host: &VirtualHost) -> bool {
    if counting.is_empty() {
        return false;
    }
    let mut targets = host.routes.iter().flat_map(|route| match &route.action {
        Action::Forward(forward) => forward.targets.as_slice(),
        Action::Respond(_) => &[],
    });
    targets.any(|target| counting.contains(&target.cluster))
}

/// The extension configuration that a cluster names.
pub fn reference(spec: &Cluster) -> Option<String> {
    let budget = spec.exact_budget.as_ref()?;
    Some(names::upstream_filter(&json(budget)))
}

fn json(budget: &UpstreamConfig) -> String {
    // Strings and numbers only: it cannot fail.
    serde_json::to_string(budget).unwrap_or_default()
}
