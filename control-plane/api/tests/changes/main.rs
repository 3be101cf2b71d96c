//! Change sets: several changes at once, all or none, judged on what will be; what they would do; and preconditions.

mod dry_run;
#[path = "../harness/mod.rs"]
mod harness;
mod preconditions;
mod sets;

use harness::{Answer, Api};
use serde_json::{json, Value};

pub fn node() -> Value {
    json!({
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "n.local"}},
    })
}

pub fn router(ports: &[i64]) -> Value {
    let listener = |port: &i64| json!({"portMapping": {"port": port, "protocol": "http"}});
    json!({"listeners": ports.iter().map(listener).collect::<Vec<_>>()})
}

pub fn route(nodes: &[(&str, i64)], port: Option<i64>) -> Value {
    let target = |(node, weight): &(&str, i64)| json!({"virtualNode": node, "weight": weight});
    let mut spec = json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": nodes.iter().map(target).collect::<Vec<_>>()},
    }});
    if let Some(port) = port {
        spec["httpRoute"]["match"]["port"] = json!(port);
    }
    spec
}

pub fn create(kind: &str, name: &str, spec: Value) -> Value {
    json!({"action": "create", "kind": kind, "mesh": "m", "name": name, "spec": spec})
}

pub fn in_router(mut change: Value) -> Value {
    change["parent"] = json!("r");
    change
}

/// A whole mesh, everything before what it refers to.
pub fn backwards() -> Vec<Value> {
    vec![
        json!({"action": "create", "kind": "policy", "mesh": "m", "name": "p",
            "target": {"route": {"router": "r", "name": "t"}}, "spec": {"canary": {"sticky": {"header": "x-user"}}}}),
        create(
            "virtualService",
            "s.local",
            json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}}),
        ),
        in_router(create("route", "t", route(&[("a", 9), ("b", 1)], None))),
        create("virtualRouter", "r", router(&[8080])),
        create("virtualNode", "b", node()),
        create("virtualNode", "a", node()),
        json!({"action": "create", "kind": "mesh", "name": "m", "tags": [{"key": "k", "value": "v"}]}),
    ]
}

pub async fn post(api: &Api, body: Value) -> Answer {
    api.text("POST", "/v1/changes", body.to_string()).await
}

pub async fn apply(api: &Api, changes: Vec<Value>) -> Value {
    let answer = post(api, json!({ "changes": changes })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Index and message of each violation.
pub fn violations(answer: &Answer) -> Vec<(u64, String)> {
    let list = answer.body["violations"].as_array().expect("violations");
    let violation = |violation: &Value| {
        let path = violation["path"].as_str().unwrap_or_default();
        let index = violation["index"].as_u64().expect("an index");
        assert!(path.starts_with(&format!("changes[{index}]")), "{violation}");
        assert!(answer.body["message"].is_string());
        (
            index,
            format!("{path}: {}", violation["message"].as_str().unwrap_or_default()),
        )
    };
    list.iter().map(violation).collect()
}
