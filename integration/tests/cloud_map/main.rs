//! Tasks of the registry: through boto3, through stock Envoy under load, and over the death of the control plane.

mod clients;
mod ip_preference;
mod traffic;

use std::net::SocketAddr;

use anyhow::Result;
use ferromesh_integration::rig::Rig;
use reqwest::Method;
use serde_json::{json, Value};

const COLOUR: &str = "/v1/registry/namespaces/apps/services/colour";

/// Namespace `apps` with the service `colour`, whose tasks are healthy until somebody says otherwise.
async fn registered(rig: &Rig) -> Result<()> {
    put(rig, "/v1/registry/namespaces/apps", json!({})).await?;
    put(rig, COLOUR, json!({})).await
}

async fn put(rig: &Rig, path: &str, body: Value) -> Result<()> {
    rig.accepted(Method::PUT, path, &body).await.map(drop)
}

async fn register(rig: &Rig, id: &str, addr: SocketAddr, stage: &str) -> Result<()> {
    let family = if addr.is_ipv4() {
        "AWS_INSTANCE_IPV4"
    } else {
        "AWS_INSTANCE_IPV6"
    };
    let attributes = json!({family: addr.ip().to_string(), "stage": stage});
    put(
        rig,
        &format!("{COLOUR}/instances/{id}"),
        json!({ "attributes": attributes }),
    )
    .await
}

async fn report(rig: &Rig, id: &str, status: &str) -> Result<()> {
    put(
        rig,
        &format!("{COLOUR}/instances/{id}/health"),
        json!({ "status": status }),
    )
    .await
}

async fn deregister(rig: &Rig, id: &str) -> Result<()> {
    let path = format!("{COLOUR}/instances/{id}");
    rig.accepted(Method::DELETE, &path, &Value::Null).await.map(drop)
}

/// A gateway that sends what begins with `/<node>` to a virtual node, for each of some.
async fn gateway(rig: &Rig, port: u16, nodes: &[(&str, Value)]) -> Result<()> {
    rig.put("meshes", &json!({"meshName": "m"})).await?;
    let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
    let gateway = json!({"virtualGatewayName": "g", "spec": {"listeners": [listener]}});
    rig.put("meshes/m/virtualGateways", &gateway).await?;
    for (name, spec) in nodes {
        let node = json!({"virtualNodeName": name, "spec": spec});
        rig.put("meshes/m/virtualNodes", &node).await?;
        let provider = json!({"virtualNode": {"virtualNodeName": name}});
        let service = json!({"virtualServiceName": format!("{name}.mesh"), "spec": {"provider": provider}});
        rig.put("meshes/m/virtualServices", &service).await?;
        let target = json!({"virtualService": {"virtualServiceName": format!("{name}.mesh")}});
        let route = json!({"gatewayRouteName": name, "spec": {"httpRoute": {
            "match": {"prefix": format!("/{name}")},
            "action": {"target": target},
        }}});
        rig.put("meshes/m/virtualGateway/g/gatewayRoutes", &route).await?;
    }
    Ok(())
}

fn node(port: u16, discovery: Value) -> Value {
    json!({
        "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
        "serviceDiscovery": discovery,
    })
}
