//! Samples name only fields that the platforms' own definitions (CRDs) have: the API server would drop or refuse others.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{resources, Platform, FILTERS};

/// `spec` of `wasmplugins.extensions.istio.io`, v1alpha1. Source: `manifests/charts/base/files/crd-all.gen.yaml` of
/// Istio 1.32. What stands under a `*` is free.
const WASM_PLUGIN: &[&str] = &[
    "failStrategy",
    "imagePullPolicy",
    "imagePullSecret",
    "match",
    "match[]",
    "match[].mode",
    "match[].ports",
    "match[].ports[]",
    "match[].ports[].number",
    "phase",
    "pluginConfig",
    "pluginConfig.*",
    "pluginName",
    "priority",
    "selector",
    "selector.matchLabels",
    "selector.matchLabels.*",
    "sha256",
    "targetRefs",
    "targetRefs[]",
    "targetRefs[].group",
    "targetRefs[].kind",
    "targetRefs[].name",
    "targetRefs[].namespace",
    "type",
    "url",
    "verificationKey",
    "vmConfig",
    "vmConfig.env",
    "vmConfig.env[]",
    "vmConfig.env[].name",
    "vmConfig.env[].value",
    "vmConfig.env[].valueFrom",
];

/// `spec` of `envoyextensionpolicies.gateway.envoyproxy.io`, v1alpha1, without what has nothing to do with wasm.
/// Source: `gateway.envoyproxy.io_envoyextensionpolicies.yaml` in the chart of Envoy Gateway 1.9.
const ENVOY_EXTENSION_POLICY: &[&str] = &[
    "mergeType",
    "targetRefs",
    "targetRefs[]",
    "targetRefs[].group",
    "targetRefs[].kind",
    "targetRefs[].name",
    "targetRefs[].sectionName",
    "wasm",
    "wasm[]",
    "wasm[].code",
    "wasm[].code.http",
    "wasm[].code.http.sha256",
    "wasm[].code.http.url",
    "wasm[].code.image",
    "wasm[].code.image.pullSecretRef",
    "wasm[].code.image.pullSecretRef.kind",
    "wasm[].code.image.pullSecretRef.name",
    "wasm[].code.image.sha256",
    "wasm[].code.image.url",
    "wasm[].code.pullPolicy",
    "wasm[].code.type",
    "wasm[].config",
    "wasm[].config.*",
    "wasm[].env",
    "wasm[].env.hostKeys",
    "wasm[].env.hostKeys[]",
    "wasm[].failOpen",
    "wasm[].name",
    "wasm[].rootID",
];

#[test]
fn every_field_of_the_samples_is_one_that_the_platform_has() {
    for filter in FILTERS {
        let plugin = resources::find(Platform::Istio, &[filter], "WasmPlugin");
        assert_eq!(plugin.api_version, "extensions.istio.io/v1alpha1");
        assert_eq!(unknown(&plugin.spec, WASM_PLUGIN), [""; 0], "istio/{filter}.yaml");
        let policy = resources::find(Platform::EnvoyGateway, &[filter], "EnvoyExtensionPolicy");
        assert_eq!(policy.api_version, "gateway.envoyproxy.io/v1alpha1");
        assert_eq!(
            unknown(&policy.spec, ENVOY_EXTENSION_POLICY),
            [""; 0],
            "envoy-gateway/{filter}.yaml"
        );
    }
}

#[test]
fn every_sample_pins_its_filters_image() {
    for filter in FILTERS {
        let plugin = resources::find(Platform::Istio, &[filter], "WasmPlugin").spec;
        let image = resources::find(Platform::EnvoyGateway, &[filter], "EnvoyExtensionPolicy").spec;
        let image = &image["wasm"][0]["code"]["image"];
        let url = format!("registry.example.com/ferromesh/{filter}:0.1.0");
        assert_eq!(plugin["url"], format!("oci://{url}"));
        assert_eq!(image["url"], url);
        for pin in [&plugin["sha256"], &image["sha256"]] {
            let pin = pin.as_str().expect("a pin, in quotes");
            let is_hexadecimal = pin.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            assert!(pin.len() == 64 && is_hexadecimal, "{filter}: {pin}");
        }
    }
}

#[test]
fn there_are_samples_of_every_filter_and_of_nothing_else() {
    for platform in super::PLATFORMS {
        let files: BTreeSet<_> = std::fs::read_dir(platform.folder())
            .expect("the folder")
            .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
            .collect();
        let expected = FILTERS.iter().chain(&["route", "trust-boundary"]);
        assert_eq!(
            files,
            expected.map(|name| format!("{name}.yaml")).collect(),
            "{platform:?}"
        );
    }
}

#[test]
fn a_field_that_no_platform_has_is_found_wherever_it_stands() {
    let spec = serde_json::json!({
        "url": "oci://a",
        "imagePullSecrets": "s",
        "match": [{"ports": [{"number": 1, "name": "http"}]}],
        "pluginConfig": {"anything": {"goes": 1}},
    });
    assert_eq!(
        unknown(&spec, WASM_PLUGIN),
        ["imagePullSecrets", "match[].ports[].name"]
    );
}

/// Paths that are not among the known ones.
fn unknown(value: &Value, known: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, "", known, &mut found);
    found
}

fn collect(value: &Value, path: &str, known: &[&str], found: &mut Vec<String>) {
    if known.contains(&format!("{path}.*").as_str()) {
        return;
    }
    if !path.is_empty() && !known.contains(&path) {
        found.push(path.to_owned());
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(member, &path, known, found);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, &format!("{path}[]"), known, found);
            }
        }
        _ => {}
    }
}
