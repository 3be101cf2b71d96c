use serde_json::{json, Value};

use super::*;
use crate::policy::{PolicySpec, PolicyTarget};
use crate::record::Metadata;
use crate::resource::Key;

fn record(key: Key, created_at: f64, spec: Value) -> Record {
    let metadata = Metadata {
        arn: key.arn("us-east-1", "123456789012"),
        created_at,
        last_updated_at: created_at,
        mesh_owner: "123456789012".to_owned(),
        resource_owner: "123456789012".to_owned(),
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

fn route() -> Value {
    json!({"httpRoute": {"match": {}, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}})
}

fn gateway_route() -> Value {
    json!({"httpRoute": {"match": {}, "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}}})
}

fn policy(mesh: &str, name: &str) -> Policy {
    let (mesh, name) = (mesh.to_owned(), name.to_owned());
    Policy {
        name,
        mesh,
        target: PolicyTarget::Mesh {},
        spec: PolicySpec::default(),
    }
}

#[test]
fn puts_every_resource_into_its_place_whatever_their_order() {
    let mesh = record(Key::mesh("m"), 1.0, json!({}));
    let children = [
        record(Key::in_parent("m", Kind::Route, "r", "b"), 2.0, route()),
        record(Key::in_parent("m", Kind::Route, "r", "a"), 3.0, route()),
        record(Key::in_parent("m", Kind::GatewayRoute, "g", "a"), 4.0, gateway_route()),
        record(Key::in_mesh("m", Kind::VirtualRouter, "r"), 1.0, json!({})),
        record(
            Key::in_mesh("m", Kind::VirtualGateway, "g"),
            1.0,
            json!({"listeners": []}),
        ),
        record(Key::in_mesh("m", Kind::VirtualNode, "n"), 1.0, json!({})),
        record(Key::in_mesh("m", Kind::VirtualService, "s"), 1.0, json!({})),
        record(
            Key::in_mesh("other", Kind::VirtualNode, "x"),
            1.0,
            json!("not even a spec"),
        ),
        mesh.clone(),
    ];
    let policies = [policy("m", "b"), policy("other", "a"), policy("m", "a")];
    let assembled = Mesh::assemble(&mesh, &children, policies).expect("a right mesh");
    assert_eq!(
        (assembled.name.as_str(), assembled.owner.as_str()),
        ("m", "123456789012")
    );
    assert_eq!(assembled.virtual_nodes.keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!(assembled.virtual_services.keys().collect::<Vec<_>>(), ["s"]);
    let routes = &assembled.virtual_routers["r"].routes;
    let routes: Vec<_> = routes
        .iter()
        .map(|route| (route.name.as_str(), route.created_at))
        .collect();
    assert_eq!(routes, [("a", 3.0), ("b", 2.0)]);
    assert_eq!(assembled.virtual_gateways["g"].routes[0].created_at, 4.0);
    assert_eq!(
        assembled
            .policies
            .iter()
            .map(|policy| policy.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn tells_everything_that_cannot_be_read_at_once() {
    let mesh = record(Key::mesh("m"), 1.0, json!({"egressFilter": {"type": "SOME"}}));
    let children = [
        record(Key::in_mesh("m", Kind::VirtualNode, "n"), 1.0, json!({"colour": 1})),
        record(Key::in_parent("m", Kind::Route, "nowhere", "t"), 1.0, route()),
    ];
    let violations = Mesh::assemble(&mesh, &children, []).expect_err("three mistakes");
    let paths: Vec<_> = violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(
        paths,
        ["mesh/m", "mesh/m/virtualNode/n", "mesh/m/virtualRouter/nowhere/route/t"]
    );
}
