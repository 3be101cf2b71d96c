//! The mesh that is measured: 1,000 nodes in tens. Each node has a virtual service behind a router with ten routes and
//! calls the next three; a gateway in front leads to every tenth service.

use ferromesh_model::{
    record::{Metadata, Record},
    resource::{Key, Kind},
};
use serde_json::{json, Value};

/// Name of the mesh.
pub const MESH: &str = "bench";
/// Virtual nodes.
pub const NODES: usize = 1000;
/// Routes of each node's router.
const ROUTES_OF_EACH: usize = 10;
/// Routes in all.
pub const ROUTES: usize = NODES * ROUTES_OF_EACH;
/// Backends of each node.
const BACKENDS: usize = 3;
/// One service in so many is behind the gateway.
const GATEWAY_STEP: usize = 10;

/// Every record of the mesh, the mesh's own first.
pub fn records() -> Vec<Record> {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let mut records = vec![record(Key::mesh(MESH), json!({}))];
    for number in 0..NODES {
        records.push(node(number, 8080));
        let router = Key::in_mesh(MESH, Kind::VirtualRouter, format!("r{number}"));
        records.push(record(router, json!({"listeners": [listener]})));
        let provider = json!({"virtualRouter": {"virtualRouterName": format!("r{number}")}});
        let service = Key::in_mesh(MESH, Kind::VirtualService, service(number));
        records.push(record(service, json!({ "provider": provider })));
        records.extend((0..ROUTES_OF_EACH).map(|index| route(number, index, &format!("/{index}"), 1)));
    }
    let gateway = Key::in_mesh(MESH, Kind::VirtualGateway, "front");
    records.push(record(gateway, json!({"listeners": [listener]})));
    for number in (0..NODES).step_by(GATEWAY_STEP) {
        let target = json!({"virtualService": {"virtualServiceName": service(number)}});
        let spec = json!({"httpRoute": {"match": {"prefix": format!("/s{number}/")}, "action": {"target": target}}});
        records.push(record(
            Key::in_parent(MESH, Kind::GatewayRoute, "front", format!("s{number}")),
            spec,
        ));
    }
    records
}

fn service(number: usize) -> String {
    format!("s{number}.bench.local")
}

/// A node with its backends.
pub fn node(number: usize, port: u16) -> Record {
    let backends: Vec<Value> = (1..=BACKENDS)
        .map(|step| json!({"virtualService": {"virtualServiceName": service((number + step) % NODES)}}))
        .collect();
    let health_check = json!({
        "protocol": "http", "path": "/ping", "healthyThreshold": 2, "unhealthyThreshold": 2,
        "intervalMillis": 5000, "timeoutMillis": 2000,
    });
    let listener = json!({"portMapping": {"port": port, "protocol": "http"}, "healthCheck": health_check});
    record(
        Key::in_mesh(MESH, Kind::VirtualNode, format!("n{number}")),
        json!({
            "listeners": [listener], "backends": backends,
            "serviceDiscovery": {"dns": {"hostname": format!("n{number}.bench.local")}},
            "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
        }),
    )
}

/// A route that splits between its node and the next one.
pub fn route(router: usize, index: usize, prefix: &str, weight: u32) -> Record {
    let targets = json!([
        {"virtualNode": format!("n{router}"), "weight": 99},
        {"virtualNode": format!("n{}", (router + 1) % NODES), "weight": weight},
    ]);
    let retry = json!({
        "maxRetries": 2, "perRetryTimeout": {"unit": "s", "value": 2}, "httpRetryEvents": ["server-error"],
    });
    record(
        Key::in_parent(MESH, Kind::Route, format!("r{router}"), format!("t{index}")),
        json!({"httpRoute": {
            "match": {"prefix": prefix, "headers": [{"name": "x-tenant", "match": {"exact": format!("t{index}")}}]},
            "action": {"weightedTargets": targets},
            "retryPolicy": retry,
        }}),
    )
}

fn record(key: Key, spec: Value) -> Record {
    let metadata = Metadata {
        arn: key.arn("us-east-1", "123456789012"),
        created_at: 1.0,
        last_updated_at: 1.0,
        mesh_owner: "123456789012".into(),
        resource_owner: "123456789012".into(),
        uid: "00000000-0000-0000-0000-000000000000".into(),
        version: 1,
    };
    Record {
        key,
        spec,
        metadata,
        tags: Vec::new(),
    }
}
