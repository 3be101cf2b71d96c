//! Rules by example: what is refused, with which words.

mod alone;
mod among_others;

use std::convert::Infallible;

use serde_json::{json, Value};

use super::*;
use crate::record::Metadata;

const ACCOUNT: &str = "123456789012";

/// Resources of mesh `m`, in memory.
struct Meshes(Vec<Record>);

impl Lookup for Meshes {
    type Error = Infallible;

    fn record(&self, key: &Key) -> Result<Option<Record>, Infallible> {
        Ok(self.0.iter().find(|record| record.key == *key).cloned())
    }

    fn records(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, Infallible> {
        let is_meant = |record: &&Record| {
            record.key.kind == kind
                && (kind == Kind::Mesh || record.key.mesh == mesh)
                && (parent.is_none() || record.key.parent.as_deref() == parent)
        };
        Ok(self.0.iter().filter(is_meant).cloned().collect())
    }
}

impl Meshes {
    fn with(resources: &[(Key, Value)]) -> Self {
        let mut all = vec![record(Key::mesh("m"), json!({}))];
        all.extend(resources.iter().map(|(key, spec)| record(key.clone(), spec.clone())));
        Self(all)
    }

    fn put(&self, key: &Key, value: &Value) -> Result<(), Rejection> {
        assert_eq!(spec(key.kind, value), [], "{value}");
        put(self, ACCOUNT, key, value).map_err(rejected)
    }

    fn delete(&self, key: &Key) -> Result<(), Rejection> {
        delete(self, key).map_err(rejected)
    }
}

fn rejected(refusal: Refusal<Infallible>) -> Rejection {
    match refusal {
        Refusal::Rejected(rejection) => rejection,
        Refusal::Failed(never) => match never {},
    }
}

fn record(key: Key, spec: Value) -> Record {
    let metadata = Metadata {
        arn: key.arn("us-east-1", ACCOUNT),
        created_at: 1.0,
        last_updated_at: 1.0,
        mesh_owner: ACCOUNT.to_owned(),
        resource_owner: ACCOUNT.to_owned(),
        uid: key.to_string(),
        version: 1,
    };
    Record {
        key,
        spec,
        metadata,
        tags: Vec::new(),
    }
}

fn node_key(name: &str) -> Key {
    Key::in_mesh("m", Kind::VirtualNode, name)
}

fn router_key(name: &str) -> Key {
    Key::in_mesh("m", Kind::VirtualRouter, name)
}

fn service_key(name: &str) -> Key {
    Key::in_mesh("m", Kind::VirtualService, name)
}

fn gateway_key(name: &str) -> Key {
    Key::in_mesh("m", Kind::VirtualGateway, name)
}

fn route_key(router: &str, name: &str) -> Key {
    Key::in_parent("m", Kind::Route, router, name)
}

fn gateway_route_key(gateway: &str, name: &str) -> Key {
    Key::in_parent("m", Kind::GatewayRoute, gateway, name)
}

/// Listeners by port and protocol, as nodes, routers and gateways have them.
fn listeners(ports: &[(u16, &str)]) -> Value {
    let listeners: Vec<_> = ports
        .iter()
        .map(|(port, protocol)| json!({"portMapping": {"port": port, "protocol": protocol}}))
        .collect();
    json!({ "listeners": listeners })
}

fn node(ports: &[(u16, &str)]) -> Value {
    let mut node = listeners(ports);
    node["serviceDiscovery"] = json!({"dns": {"hostname": "n.local"}});
    node
}

/// A route of a type, for a listener port, to targets with ports.
fn route(member: &str, port: Option<u16>, targets: &[(&str, Option<u16>)]) -> Value {
    let targets: Vec<_> = targets
        .iter()
        .map(|(name, port)| match port {
            Some(port) => json!({"virtualNode": name, "weight": 1, "port": port}),
            None => json!({"virtualNode": name, "weight": 1}),
        })
        .collect();
    let wanted = port.map_or_else(|| json!({}), |port| json!({ "port": port }));
    json!({member: {"match": wanted, "action": {"weightedTargets": targets}}})
}

fn gateway_route(member: &str, port: Option<u16>, service: &str, target_port: Option<u16>) -> Value {
    let mut wanted = json!({});
    if member == "grpcRoute" {
        wanted["serviceName"] = json!("color.Color");
    }
    if let Some(port) = port {
        wanted["port"] = json!(port);
    }
    let mut target = json!({"virtualService": {"virtualServiceName": service}});
    if let Some(port) = target_port {
        target["port"] = json!(port);
    }
    json!({member: {"match": wanted, "action": {"target": target}}})
}
