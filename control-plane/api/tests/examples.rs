//! Real users' resources through the API: every file of the example meshes is created, and described as it was sent.

mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ferromesh_model::describe;
use ferromesh_model::resource::Kind;
use harness::Api;
use serde_json::{json, Value};

#[path = "../../model/tests/example_files/mod.rs"]
mod example_files;

/// Makes what the spec names, so that the file can be created by itself.
async fn prepare(api: &Api, kind: Kind, spec: &Value) {
    let mut nodes = Vec::new();
    let mut services = Vec::new();
    for member in ["httpRoute", "http2Route", "grpcRoute", "tcpRoute"] {
        let action = &spec[member]["action"];
        for target in action["weightedTargets"].as_array().into_iter().flatten() {
            nodes.push(target["virtualNode"].clone());
        }
        if let Some(service) = action.pointer("/target/virtualService/virtualServiceName") {
            services.push(service.clone());
        }
    }
    nodes.extend(spec.pointer("/provider/virtualNode/virtualNodeName").cloned());
    nodes.dedup();
    for name in nodes {
        api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": name, "spec": {}}))
            .await;
    }
    for name in services {
        api.put(
            "/meshes/m/virtualServices",
            json!({"virtualServiceName": name, "spec": {}}),
        )
        .await;
    }
    if let Some(name) = spec.pointer("/provider/virtualRouter/virtualRouterName") {
        api.put(
            "/meshes/m/virtualRouters",
            json!({"virtualRouterName": name, "spec": {}}),
        )
        .await;
    }
    match kind {
        Kind::Route => {
            api.put(
                "/meshes/m/virtualRouters",
                json!({"virtualRouterName": "p", "spec": {}}),
            )
            .await
        }
        Kind::GatewayRoute => {
            api.put(
                "/meshes/m/virtualGateways",
                json!({"virtualGatewayName": "p", "spec": {"listeners": []}}),
            )
            .await
        }
        _ => Value::Null,
    };
}

#[tokio::test]
async fn gives_back_every_example_as_it_was_sent() {
    let Some(folder) = example_files::folder() else {
        return;
    };
    let files: Vec<PathBuf> = example_files::files(&folder);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in &files {
        let input = example_files::read(path);
        let kind = example_files::kind(path, &input);
        round_trip(path, kind, &input).await;
        *counts.entry(kind.wire_name()).or_default() += 1;
    }
    println!("{} example files: {counts:?}", files.len());
    assert!(!files.is_empty());
}

async fn round_trip(path: &Path, kind: Kind, input: &Value) {
    let api = Api::new();
    let spec = input.get("spec").cloned().unwrap_or_else(|| json!({}));
    if kind != Kind::Mesh {
        api.put("/meshes", json!({"meshName": "m"})).await;
        prepare(&api, kind, &spec).await;
    }
    let collection = match kind {
        Kind::Mesh => "/meshes",
        Kind::VirtualNode => "/meshes/m/virtualNodes",
        Kind::VirtualService => "/meshes/m/virtualServices",
        Kind::VirtualRouter => "/meshes/m/virtualRouters",
        Kind::Route => "/meshes/m/virtualRouter/p/routes",
        Kind::VirtualGateway => "/meshes/m/virtualGateways",
        Kind::GatewayRoute => "/meshes/m/virtualGateway/p/gatewayRoutes",
    };
    let mut body = json!({format!("{}Name", kind.wire_name()): "example"});
    if let Some(spec) = input.get("spec") {
        body["spec"] = spec.clone();
    }
    let created = api.put(collection, body).await;
    let seen = api.call("GET", &format!("{collection}/example"), Value::Null).await;
    assert_eq!(seen.body, created, "{path:?}");
    assert_eq!(seen.body["spec"], describe(kind, &spec), "{path:?}");
    let updated = api.put(&format!("{collection}/example"), json!({ "spec": spec })).await;
    assert_eq!(updated["spec"], created["spec"], "{path:?}");
}
