//! What Envoy Gateway makes of an `EnvoyExtensionPolicy`, an `HTTPRoute` and a `ClientTrafficPolicy`.
//!
//! Source: Envoy Gateway 1.9, `internal/xds/translator/wasm.go`, `listener.go` and `internal/gatewayapi/helpers.go`.
//! The plugin's configuration goes to the filter as the resource's own JSON in a StringValue. The filter is in the
//! chain of the whole listener but disabled, and each route of the policy's target enables it.

use serde::Deserialize;
use serde_json::{json, Value};

use super::{
    front::{boundary, Application, Cluster, Translation},
    resources::{self, Resource},
    Platform,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HttpRoute {
    #[serde(rename = "parentRefs")]
    _parent_refs: Value,
    hostnames: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    matches: Vec<Match>,
    backend_refs: Vec<Backend>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    headers: Vec<Header>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    name: String,
    #[serde(rename = "port")]
    _port: u16,
    #[serde(default = "Backend::default_weight")]
    weight: u32,
}

impl Backend {
    fn default_weight() -> u32 {
        1
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EarlyRequestHeaders {
    remove_on_match: Vec<StringMatch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StringMatch {
    r#type: String,
    value: String,
}

/// The filter, routes and trust boundary of a sample.
pub fn translate(sample: &str) -> Translation {
    let policy = resources::find(Platform::EnvoyGateway, &[sample], "EnvoyExtensionPolicy");
    let resource = resources::find(Platform::EnvoyGateway, &[sample, "route"], "HTTPRoute");
    let target = &policy.spec["targetRefs"][0];
    assert_eq!(target["kind"], "HTTPRoute");
    assert_eq!(target["name"], resource.metadata.name, "the policy's target");
    assert_eq!(policy.metadata.namespace, resource.metadata.namespace);
    let id = format!(
        "envoyextensionpolicy/{}/{}/wasm/0",
        policy.metadata.namespace, policy.metadata.name
    );
    let name = format!("envoy.filters.http.wasm/{id}");
    let route: HttpRoute = resource.spec();
    let (mut routes, mut clusters) = (Vec::new(), Vec::new());
    for (index, rule) in route.rules.iter().enumerate() {
        let cluster = format!(
            "httproute/{}/{}/rule/{index}",
            resource.metadata.namespace, resource.metadata.name
        );
        let headers: Vec<Value> = rule
            .matches
            .iter()
            .flat_map(|one| &one.headers)
            .map(|header| json!({"name": header.name, "string_match": {"exact": header.value}}))
            .collect();
        let host = route.hostnames[0].replace('.', "_");
        // A rule without matches has the match `/`, and more specific ones come first.
        let at = if headers.is_empty() { routes.len() } else { 0 };
        routes.insert(
            at,
            json!({
                "name": format!("{cluster}/match/0/{host}"),
                "match": {"prefix": "/", "headers": headers},
                "route": {"cluster": cluster},
                "typed_per_filter_config": {
                    name.clone(): {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}},
                },
            }),
        );
        clusters.push(Cluster {
            name: cluster,
            endpoints: rule
                .backend_refs
                .iter()
                .map(|backend| (Application::of(&backend.name), backend.weight))
                .collect(),
        });
    }
    Translation {
        filter: filter(&policy, &name, &id),
        routes,
        clusters,
        boundary: trust_boundary(),
    }
}

fn filter(policy: &Resource, name: &str, id: &str) -> Value {
    let wasm = &policy.spec["wasm"][0];
    json!({
        "name": name,
        "disabled": true,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": wasm["name"],
                "root_id": wasm["rootID"].as_str().unwrap_or_default(),
                "fail_open": wasm["failOpen"].as_bool().unwrap_or_default(),
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": wasm["config"].to_string(),
                },
                "vm_config": {
                    "vm_id": id,
                    "runtime": "envoy.wasm.runtime.v8",
                    // Envoy Gateway has fetched the image and serves the module itself; that is the only difference.
                    "code": {"local": {"filename": "{{MODULE}}"}},
                },
            },
        },
    })
}

fn trust_boundary() -> Value {
    let policy = boundary(Platform::EnvoyGateway, "ClientTrafficPolicy").spec;
    let headers = &policy["headers"];
    assert_eq!(headers["withUnderscoresAction"], "RejectRequest");
    let early = EarlyRequestHeaders::deserialize(&headers["earlyRequestHeaders"]).expect("early request headers");
    let mutations: Vec<Value> = early
        .remove_on_match
        .iter()
        .map(|matcher| {
            assert_eq!(matcher.r#type, "Prefix");
            json!({"remove_on_match": {"key_matcher": {"prefix": matcher.value}}})
        })
        .collect();
    json!({
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "early_header_mutation_extensions": [{
            "name": "envoy.http.early_header_mutation.header_mutation",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": mutations,
            },
        }],
    })
}
