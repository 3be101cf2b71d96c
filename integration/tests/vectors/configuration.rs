//! The Envoy configuration of one vector: a route for each of its requests, chosen by a header that names the
//! step, with the policy and the cluster that the vector says.

use std::collections::BTreeSet;

use ferromesh_policy::vectors::{Step, Vector};
use serde_json::{json, Value};

use crate::wire::{SEEN, STREAM};

/// The cluster of requests whose vector names none.
const CLUSTER: &str = "vector";
/// The response header that makes Envoy retry: how a vector's `attempts` come about.
pub const RETRY: &str = "x-vector-retry";

/// After the filter: every request header, names and values in hex, in one header. The router takes
/// `x-envoy-*` out before the upstream could see them.
const WRITE_DOWN: &str = r#"
local function hex(s)
  return (s:gsub('.', function(c) return string.format('%02x', string.byte(c)) end))
end
function envoy_on_request(handle)
  local out = {}
  for name, value in pairs(handle:headers()) do
    table.insert(out, hex(name) .. '=' .. hex(value))
  end
  handle:headers():add('HEADER', table.concat(out, ','))
end
"#;

/// The configuration, as JSON.
pub fn of(vector: &Vector, plugin: &[u8], module: &std::path::Path, upstream: u16) -> String {
    let routes: Vec<_> = vector
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| route(index, step))
        .collect();
    let clusters: BTreeSet<_> = vector.steps.iter().map(cluster_name).collect();
    let clusters: Vec<_> = clusters.into_iter().map(|name| cluster(name, upstream)).collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "vector",
        // The vector says which headers there are.
        "generate_request_id": false,
        "max_request_headers_kb": 1024,
        "common_http_protocol_options": {"max_headers_count": 10_000},
        "http_filters": [
            wasm(plugin, module),
            {"name": "envoy.filters.http.lua", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": WRITE_DOWN.replace("HEADER", SEEN)},
            }},
            {"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                "suppress_envoy_headers": true,
            }},
        ],
        "route_config": {
            "name": "vector",
            "virtual_hosts": [{"name": "vector", "domains": ["*"], "routes": routes}],
        },
    });
    json!({
        "admin": {"address": address(0)},
        // Histograms are readable after a flush only.
        "stats_flush_interval": "0.2s",
        "static_resources": {
            "listeners": [{
                "name": "vector",
                "address": address(0),
                // The client says in a first line whose request it is.
                "listener_filters": [{"name": "envoy.filters.listener.proxy_protocol", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
                }}],
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": clusters,
        },
    })
    .to_string()
}

fn wasm(plugin: &[u8], module: &std::path::Path) -> Value {
    let plugin = std::str::from_utf8(plugin).expect("a plugin configuration that Envoy can carry");
    json!({"name": "ferromesh.mesh", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "ferromesh.mesh",
            "root_id": "ferromesh.mesh",
            // A trap must be seen, not smoothed over.
            "failure_policy": "FAIL_CLOSED",
            "vm_config": {
                "vm_id": "vector",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
            },
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": plugin,
            },
        },
    }})
}

fn route(index: usize, step: &Step) -> Option<Value> {
    let request = step.request.as_ref()?;
    let mut route = json!({
        "match": {
            "prefix": "/",
            "headers": [{"name": STREAM, "string_match": {"exact": index.to_string()}}],
        },
        "route": {
            "cluster": cluster_name(step),
            "timeout": "60s",
            "retry_policy": {
                "retry_on": "retriable-headers",
                "retriable_headers": [{"name": RETRY, "present_match": true}],
                "num_retries": 50,
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
            },
        },
    });
    if let Some(name) = &request.route {
        route["name"] = json!(name);
    }
    if let Some(policy) = &request.policy {
        let text = std::str::from_utf8(&policy.0).expect("a policy that Envoy can carry");
        route["metadata"] = json!({"filter_metadata": {"ferromesh": {"policy": text}}});
    }
    Some(route)
}

fn cluster_name(step: &Step) -> &str {
    let named = step.response.as_ref().and_then(|r| r.cluster.as_deref());
    named.unwrap_or(CLUSTER)
}

fn cluster(name: &str, upstream: u16) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": address(upstream)}},
        ]}]},
    })
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
