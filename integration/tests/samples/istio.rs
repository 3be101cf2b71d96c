//! What Istio makes of a `WasmPlugin`, a `VirtualService` and an `EnvoyFilter`.
//!
//! Source: Istio 1.32, `pilot/pkg/model/extensions.go` and `pilot/pkg/networking/core/route/route.go`. The plugin's
//! configuration is a protobuf Struct in between, whose JSON goes to the filter as a StringValue.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{json, Value};

use super::{
    front::{boundary, Application, Cluster, Translation},
    resources, Platform,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VirtualService {
    #[serde(rename = "hosts")]
    _hosts: Vec<String>,
    #[serde(rename = "gateways")]
    _gateways: Vec<String>,
    http: Vec<HttpRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpRoute {
    name: String,
    #[serde(default, rename = "match")]
    matches: Vec<HttpMatch>,
    route: Vec<Destination>,
    retries: Option<Retries>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpMatch {
    headers: BTreeMap<String, Exact>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exact {
    exact: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Destination {
    destination: Service,
    weight: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    host: String,
    port: Port,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    number: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retries {
    attempts: u32,
}

/// The filter, routes and trust boundary of a sample.
pub fn translate(sample: &str) -> Translation {
    let route = resources::find(Platform::Istio, &[sample, "route"], "VirtualService");
    let mut clusters = BTreeMap::new();
    let routes = route
        .spec::<VirtualService>()
        .http
        .iter()
        .map(|http| envoy_route(http, &mut clusters))
        .collect();
    let patches = boundary(Platform::Istio, "EnvoyFilter").spec;
    let patch = &patches["configPatches"][0]["patch"];
    assert_eq!(patch["operation"], "MERGE");
    let mut merged = patch["value"]["typed_config"].clone();
    merged.as_object_mut().expect("a typed config").remove("@type");
    Translation {
        filter: filter(sample),
        routes,
        clusters: clusters.into_values().collect(),
        boundary: merged,
    }
}

fn filter(sample: &str) -> Value {
    let plugin = resources::find(Platform::Istio, &[sample], "WasmPlugin");
    let name = format!("{}.{}", plugin.metadata.namespace, plugin.metadata.name);
    let failure_policy = match plugin.spec["failStrategy"].as_str() {
        Some("FAIL_RELOAD") => "FAIL_RELOAD",
        Some("FAIL_OPEN") => "FAIL_OPEN",
        Some("FAIL_CLOSE") | None => "FAIL_CLOSED",
        Some(other) => panic!("failStrategy {other}"),
    };
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": plugin.spec["pluginName"].as_str().unwrap_or_default(),
                "failure_policy": failure_policy,
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": as_struct(&plugin.spec["pluginConfig"]).to_string(),
                },
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    // Istio's agent has fetched the image and put the file's path here.
                    "code": {"local": {"filename": "{{MODULE}}"}},
                    "environment_variables": {"key_values": {"ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "7"}},
                },
            },
        },
    })
}

/// The JSON of a Struct: every number has been a double. Go prints whole ones below 10^21 without fraction.
fn as_struct(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let double = number.as_f64().expect("a double");
            if double.fract() == 0.0 && double.abs() < 9e15 {
                json!(double as i64)
            } else {
                json!(double)
            }
        }
        Value::Array(elements) => elements.iter().map(as_struct).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), as_struct(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn envoy_route(http: &HttpRoute, clusters: &mut BTreeMap<String, Cluster>) -> Value {
    let mut weighted = Vec::new();
    for Destination { destination, weight } in &http.route {
        let name = format!("outbound|{}||{}", destination.port.number, destination.host);
        weighted.push(json!({"name": name, "weight": weight.unwrap_or(100)}));
        let application = Application::of(&destination.host);
        clusters.entry(name.clone()).or_insert(Cluster {
            name,
            endpoints: vec![(application, 1)],
        });
    }
    let mut action = if let [one] = weighted.as_slice() {
        json!({"cluster": one["name"]})
    } else {
        json!({"weighted_clusters": {"clusters": weighted}})
    };
    if http.retries.as_ref().is_none_or(|retries| retries.attempts > 0) {
        action["retry_policy"] = json!({
            "retry_on": "connect-failure,refused-stream,unavailable,cancelled",
            "num_retries": http.retries.as_ref().map_or(2, |retries| retries.attempts),
        });
    }
    let headers: Vec<Value> = http
        .matches
        .iter()
        .flat_map(|one| &one.headers)
        .map(|(name, value)| json!({"name": name, "string_match": {"exact": value.exact}}))
        .collect();
    json!({"name": http.name, "match": {"prefix": "/", "headers": headers}, "route": action})
}
