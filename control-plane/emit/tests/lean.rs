//! Which of the two fused modules a proxy gets: the lean one unless a route writes response headers.

mod support;

use envoy_types::pb::envoy::config::core::v3::{async_data_source, data_source};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use ferromesh_emit::{Module, Modules, Options, Secrets};
use prost::Message;
use support::fixture;

/// The module of each of a case's filters, by the filter's name.
fn emitted(case: &str, modules: &Modules) -> Vec<(String, String)> {
    let cases = fixture::cases();
    let (_, _, case) = cases.iter().find(|(name, ..)| name == case).expect("the case");
    let messages = ferromesh_emit::messages(&case.lower(), modules, &Secrets::default(), &Options::default());
    let extensions = messages.extensions.into_iter();
    extensions
        .map(|extension| {
            let config = extension.typed_config.expect("a configuration");
            let plugin = Wasm::decode(config.value.as_slice()).expect("a wasm filter").config;
            let Some(Vm::VmConfig(vm)) = plugin.and_then(|plugin| plugin.vm) else {
                panic!("{} has no VM", extension.name)
            };
            let Some(async_data_source::Specifier::Local(source)) = vm.code.and_then(|code| code.specifier) else {
                panic!("{} has no local code", extension.name)
            };
            let Some(data_source::Specifier::InlineBytes(bytes)) = source.specifier else {
                panic!("{} has no inline code", extension.name)
            };
            (extension.name, String::from_utf8(bytes).expect("the name as code"))
        })
        .collect()
}

fn named(name: &str) -> Module {
    Module {
        sha256: name.to_owned(),
        bytes: name.to_owned().into(),
    }
}

#[test]
fn a_gateway_that_tells_nothing_gets_the_lean_module_and_a_node_that_tells_its_targets_the_whole() {
    let both = Modules {
        mesh: Some(named("mesh")),
        lean: Some(named("lean")),
    };
    let of = |case| emitted(case, &both);
    assert_eq!(of("gateway-canary"), [("ferromesh.mesh".to_owned(), "lean".to_owned())]);
    assert_eq!(
        of("node-full"),
        [
            ("ferromesh.mesh".to_owned(), "mesh".to_owned()),
            ("ferromesh.mesh.ingress".to_owned(), "lean".to_owned())
        ]
    );
}

#[test]
fn without_the_lean_module_every_proxy_gets_the_whole() {
    let one = Modules {
        mesh: Some(named("mesh")),
        lean: None,
    };
    assert_eq!(
        emitted("gateway-canary", &one),
        [("ferromesh.mesh".to_owned(), "mesh".to_owned())]
    );
}
