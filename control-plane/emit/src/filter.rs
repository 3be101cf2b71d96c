//! The wasm filter's configuration, delivered as a resource of its own (ECDS).
//!
//! The module's bytes are inline: with `remote` code pushed after start Envoy 1.40 passes requests without the filter.
//!
//! The module carries features that inform and features that protect. Where any route behind it has one of the latter, a
//! dead VM is never passed by, whatever the options say.

use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{
    async_data_source, data_source, AsyncDataSource, BackoffStrategy, DataSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    plugin_config, FailurePolicy as Policy, PluginConfig, ReloadConfig, VmConfig,
};
use envoy_types::pb::google::protobuf::{Any, StringValue};
use ferromesh_ir::listener::Network;
use ferromesh_ir::proxy::Plugin;
use ferromesh_ir::route::Route;
use ferromesh_ir::Proxy;
use ferromesh_policy::mesh::PluginConfig as Config;
use prost::Name;

use crate::around::Around;
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
    let wanted = wanted(proxy, module, lean, options);
    wanted.into_iter().map(Wanted::message).collect()
}

/// An extension configuration before it is emitted.
pub struct Wanted<'m> {
    pub name: String,
    pub config: Config,
    pub module: &'m Module,
    pub failure: FailurePolicy,
}

/// What extension configurations a proxy gets.
pub fn wanted<'m>(proxy: &Proxy, module: &'m Module, lean: Option<&'m Module>, options: &Options) -> Vec<Wanted<'m>> {
    let in_front = proxy.plugins.iter().map(|plugin| Wanted {
        name: names::filter(plugin.reporter).to_owned(),
        config: plugin.config.clone(),
        module: lean
            .filter(|_| !any_route(proxy, plugin, Route::writes_responses))
            .unwrap_or(module),
        failure: if any_route(proxy, plugin, Route::is_protected) {
            on_failure(options)
        } else {
            options.failure
        },
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

impl Wanted<'_> {
    fn message(self) -> TypedExtensionConfig {
        let mut vm = vm_config();
        vm.code = Some(AsyncDataSource {
            specifier: Some(async_data_source::Specifier::Local(DataSource {
                specifier: Some(data_source::Specifier::InlineBytes(self.module.bytes.to_vec())),
                ..DataSource::default()
            })),
        });
        let config = PluginConfig {
            vm: Some(plugin_config::Vm::VmConfig(vm)),
            ..plugin_config(&self.name, &self.config, self.failure)
        };
        TypedExtensionConfig {
            typed_config: Some(pack::any(&Wasm { config: Some(config) })),
            name: self.name,
        }
    }

    /// What stands before and behind the module's bytes in the encoded message. Field numbers are those of Envoy's
    /// messages; fields stand in their order, as they do when the message is encoded as a whole.
    pub fn around_module(&self) -> (Bytes, Bytes) {
        let plugin = plugin_config(&self.name, &self.config, self.failure);
        let (first, last) = (
            PluginConfig {
                name: plugin.name.clone(),
                root_id: plugin.root_id.clone(),
                ..PluginConfig::default()
            },
            PluginConfig {
                name: String::new(),
                root_id: String::new(),
                ..plugin
            },
        );
        let mut around = Around::new(self.module.bytes.len());
        around.within(2); // DataSource.inline_bytes
        around.within(1); // AsyncDataSource.local
        around.within(3).after(&vm_config()); // VmConfig.code
        around.within(3).after(&first).before(&last); // PluginConfig.vm_config
        around.within(1); // Wasm.config
        let wasm = Any {
            type_url: Wasm::type_url(),
            ..Any::default()
        };
        around.within(2).after(&wasm); // Any.value
        let named = TypedExtensionConfig {
            name: self.name.clone(),
            typed_config: None,
        };
        around.within(2).after(&named); // TypedExtensionConfig.typed_config
        around.finish()
    }
}

fn vm_config() -> VmConfig {
    VmConfig {
        vm_id: names::VM_ID.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        ..VmConfig::default()
    }
}

fn plugin_config(name: &str, config: &Config, failure: FailurePolicy) -> PluginConfig {
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
        ..PluginConfig::default()
    }
}
