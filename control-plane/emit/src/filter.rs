//! The wasm filter's configuration, delivered as a resource of its own (ECDS).
//!
//! The module's bytes are inline: with `remote` code pushed after start Envoy 1.40 passes requests without the filter.
//!
//! The module carries features that inform and features that protect. Where any route behind it has one of the latter, a
//! dead VM is never passed by, whatever the options say.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    async_data_source, data_source, AsyncDataSource, BackoffStrategy, DataSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    plugin_config, FailurePolicy as Policy, PluginConfig, ReloadConfig, VmConfig,
};
use envoy_types::pb::google::protobuf::StringValue;
use ferromesh_ir::listener::Network;
use ferromesh_ir::proxy::Plugin;
use ferromesh_ir::route::Route;
use ferromesh_ir::Proxy;
use ferromesh_policy::mesh::PluginConfig as Config;

use crate::{names, pack, upstream, FailurePolicy, Module, Options};

/// Envoy 1.40 dies (SIGFPE) of a base interval of 1 ms; from 2 ms on it does not, 5 ms is what was tried at length.
const LEAST_BACK_OFF: Duration = Duration::from_millis(5);

/// The extension configurations of a proxy.
pub fn extensions(
    proxy: &Proxy,
    module: &Module,
    lean: Option<&Module>,
    options: &Options,
) -> Vec<TypedExtensionConfig> {
    let in_front = proxy.plugins.iter().map(|plugin| {
        let module = lean
            .filter(|_| !any_route(proxy, plugin, Route::writes_responses))
            .unwrap_or(module);
        let failure = if any_route(proxy, plugin, Route::is_protected) {
            on_failure(options)
        } else {
            options.failure
        };
        extension(
            names::filter(plugin.reporter).to_owned(),
            &plugin.config,
            module,
            failure,
        )
    });
    in_front.chain(upstream::extensions(proxy, module, options)).collect()
}

/// What happens where the filter protects: never open.
pub fn on_failure(options: &Options) -> FailurePolicy {
    match options.failure {
        FailurePolicy::Open => Options::default().failure,
        reload @ FailurePolicy::Reload { .. } => reload,
    }
}

/// Whether any route in front of which the plugin stands is one of these.
fn any_route(proxy: &Proxy, plugin: &Plugin, is: fn(&Route) -> bool) -> bool {
    let networks = proxy.listeners.iter().flat_map(|listener| {
        let chains = listener.chains.iter().map(|chain| &chain.network);
        chains.chain(&listener.otherwise)
    });
    let mut tables = networks.filter_map(|network| match network {
        Network::Http(http) if http.reporter == plugin.reporter => Some(http.table),
        _ => None,
    });
    tables.any(|id| {
        let hosts = proxy
            .route_tables
            .iter()
            .filter(|table| table.id == id)
            .flat_map(|table| &table.hosts);
        hosts.flat_map(|host| &host.routes).any(is)
    })
}

/// One extension configuration.
pub fn extension(name: String, config: &Config, module: &Module, failure: FailurePolicy) -> TypedExtensionConfig {
    TypedExtensionConfig {
        typed_config: Some(pack::any(&Wasm {
            config: Some(plugin_config(&name, config, module, failure)),
        })),
        name,
    }
}

fn plugin_config(name: &str, config: &Config, module: &Module, failure: FailurePolicy) -> PluginConfig {
    let (failure_policy, reload_config) = match failure {
        FailurePolicy::Open => (Policy::FailOpen, None),
        FailurePolicy::Reload { back_off } => (
            Policy::FailReload,
            Some(ReloadConfig {
                backoff: Some(BackoffStrategy {
                    base_interval: Some(pack::duration(back_off.max(LEAST_BACK_OFF))),
                    max_interval: None,
                }),
            }),
        ),
    };
    // Strings and numbers only: it cannot fail.
    let value = serde_json::to_string(config).unwrap_or_default();
    PluginConfig {
        name: name.to_owned(),
        root_id: name.to_owned(),
        configuration: Some(pack::any(&StringValue { value })),
        failure_policy: failure_policy.into(),
        reload_config,
        vm: Some(plugin_config::Vm::VmConfig(VmConfig {
            vm_id: names::VM_ID.to_owned(),
            runtime: "envoy.wasm.runtime.v8".to_owned(),
            code: Some(AsyncDataSource {
                specifier: Some(async_data_source::Specifier::Local(DataSource {
                    specifier: Some(data_source::Specifier::InlineBytes(module.bytes.to_vec())),
                    ..DataSource::default()
                })),
            }),
            ..VmConfig::default()
        })),
        ..PluginConfig::default()
    }
}
