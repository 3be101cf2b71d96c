//! A small mesh that is in order, and changes of it.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::BTreeMap;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::{self, Policy};
use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate;
use serde_json::{json, Value};

/// One change of the small mesh; resources by their place in it.
#[derive(Clone, Debug)]
pub enum Patch {
    Put(&'static str, Value),
    Delete(&'static str),
    Policy(&'static str, Value),
    PolicySpec(&'static str, Value, Value),
}

/// A gateway `gate` and a node `front` that call the service `back.local`, whose router sends everything to the node `back`.
pub fn base(patches: &[Patch]) -> Mesh {
    let http = json!([{"portMapping": {"port": 8080, "protocol": "http"}}]);
    let node = |host: &str| {
        json!({
            "listeners": http, "serviceDiscovery": {"dns": {"hostname": host, "responseType": "ENDPOINTS"}},
        })
    };
    let mut front = node("front.local");
    front["backends"] = json!([{"virtualService": {"virtualServiceName": "back.local"}}]);
    let mut specs: BTreeMap<&str, Value> = BTreeMap::from([
        ("virtualNode/front", front),
        ("virtualNode/back", node("back.local")),
        ("virtualRouter/back", json!({ "listeners": http })),
        (
            "virtualRouter/back/route/all",
            json!({"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"weightedTargets": [{"virtualNode": "back", "weight": 1}]},
            }}),
        ),
        (
            "virtualService/back.local",
            json!({"provider": {"virtualRouter": {"virtualRouterName": "back"}}}),
        ),
        ("virtualGateway/gate", json!({ "listeners": http })),
        (
            "virtualGateway/gate/gatewayRoute/all",
            json!({"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": "back.local"}}},
            }}),
        ),
    ]);
    let mut policies = Vec::new();
    for patch in patches {
        match patch {
            Patch::Put(resource, spec) => {
                specs.insert(resource, spec.clone());
            }
            Patch::Delete(resource) => {
                specs.remove(resource).expect("a resource of the small mesh");
            }
            Patch::Policy(name, target) => policies.push(policy(name, target, &json!({"retry": {}}))),
            Patch::PolicySpec(name, target, spec) => policies.push(policy(name, target, spec)),
        }
    }
    assembled(specs, policies)
}

/// The mesh `m` of some specs by their place in it, in the order of their creation.
pub fn assembled<'a>(specs: impl IntoIterator<Item = (&'a str, Value)>, policies: Vec<Policy>) -> Mesh {
    let mut created_at = 0.0;
    let mut records = Vec::new();
    for (place, spec) in specs {
        let key = Key::parse(&format!("mesh/m/{place}")).expect("a place in a mesh");
        assert_eq!(validate::spec(key.kind, &spec), [], "{place}");
        created_at += 1.0;
        records.push(record(key, spec, created_at));
    }
    let mesh = record(Key::mesh("m"), json!({}), 0.0);
    Mesh::assemble(&mesh, &records, policies).expect("a mesh")
}

fn policy(name: &str, target: &Value, spec: &Value) -> Policy {
    let value = json!({"name": name, "mesh": "m", "target": target, "spec": spec});
    assert_eq!(policy::check(&value), [], "{value}");
    serde_json::from_value(value).expect("a policy")
}

fn record(key: Key, spec: Value, created_at: f64) -> Record {
    debug_assert!(key.kind != Kind::Mesh || key.mesh == key.name);
    Record {
        metadata: Metadata {
            arn: key.arn("us-east-1", "123456789012"),
            created_at,
            last_updated_at: created_at,
            mesh_owner: "123456789012".into(),
            resource_owner: "123456789012".into(),
            uid: key.to_string(),
            version: 1,
        },
        key,
        spec,
        tags: Vec::new(),
    }
}
