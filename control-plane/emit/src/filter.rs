//! The wasm filter's configuration, delivered as a resource of its own (ECDS).
//!
//! The module's bytes are inline: with `remote` code pushed after start Envoy 1.40 passes requests without the filter.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    async_data_source, data_source, AsyncDataSource, BackoffStrategy, DataSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    plugin_config, FailurePolicy as Policy, PluginConfig, ReloadConfig, VmConfig,
};
use envoy_types::pb::google::protobuf::StringValue;
use ferromesh_ir::proxy::Plugin;

use crate::{names, pack, FailurePolicy, Module, Options};

/// Envoy 1.40 dies (SIGFPE) of a base interval of 1 ms; from 2 ms on it does not, 5 ms is what was tried at length.
const LEAST_BACK_OFF: Duration = Duration::from_millis(5);

/// The extension configuration for one plugin.
pub fn extension(plugin: &Plugin, module: &Module, options: &Options) -> TypedExtensionConfig {
    TypedExtensionConfig {
        name: names::filter(plugin.reporter).to_owned(),
        typed_config: Some(pack::any(&Wasm {
            config: Some(plugin_config(plugin, module, options)),
        })),
    }
}

fn plugin_config(plugin: &Plugin, module: &Module, options: &Options) -> PluginConfig {
    let name = names::filter(plugin.reporter);
    let (failure_policy, reload_config) = match options.failure {
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
    let value = serde_json::to_string(&plugin.config).unwrap_or_default();
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
