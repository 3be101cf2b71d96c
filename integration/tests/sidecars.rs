//! Virtual nodes as sidecars, each task in a network namespace of its own with App Mesh's redirection: the
//! application of one calls a virtual service by name, and its Envoy and the other's carry the call.

use std::net::Ipv4Addr;

use ferromesh_integration::{
    load::{Load, Outcome, Report},
    rig::{eventually, Network, Rig, Task, PATIENCE},
};
use serde_json::{json, Value};

/// Where the callee's application listens, behind its ingress listener.
const APP_PORT: u16 = 9080;
/// An address that nobody has: the name of a virtual service only has to resolve, Envoy goes by the host.
const ANYWHERE: &str = "10.77.1.99";
const SERVICE: &str = "color.test.local";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_virtual_service_goes_through_both_sidecars_and_nothing_else_gets_out() {
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let task = |name: &str, host| Task::create(&network, name, Ipv4Addr::new(10, 77, 1, host)).expect("a task");
    let (mut caller, mut callee) = (task("caller", 1), task("callee", 2));
    callee.serve_http("blue", APP_PORT).expect("an application");
    create(&rig).await;
    caller
        .start_sidecar(&rig, "mesh/m/virtualNode/caller")
        .expect("a sidecar");
    callee
        .start_sidecar(&rig, "mesh/m/virtualNode/blue")
        .expect("a sidecar");

    eventually("a call comes through", PATIENCE, async || {
        let report = call(&caller, SERVICE, 9000, 1);
        (report.failures().count() == 0).then_some(())
    })
    .await
    .expect("both sidecars serve");
    callee.http("blue").forget();
    let report = call(&caller, SERVICE, 9000, 200);
    report.assert_no_failures("calls between sidecars");
    assert_eq!(report.notes(), [("blue".to_owned(), 200)].into());
    // The caller's Envoy says who answered; the callee's application sees a clean request.
    assert_eq!(report.records[0].noted[1].as_deref(), Some("blue"));
    let seen = callee.http("blue").seen();
    assert_eq!(seen.len(), 200);
    for seen in seen {
        assert!(seen.header("x-ferromesh-pick").is_none(), "{seen:?}");
        assert!(seen.header("traceparent").is_some(), "{seen:?}");
        assert!(seen.host.starts_with(SERVICE), "{seen:?}");
    }

    // A port of the mesh, but no virtual service of that name.
    let unknown = call(&caller, "nobody.test.local", 9000, 3);
    assert_eq!(unknown.statuses(), [(404, 3)].into());
    // A port that no backend has: the mesh drops what it does not know.
    let dropped = call(&caller, SERVICE, 9999, 3);
    for record in &dropped.records {
        assert!(matches!(record.outcome, Outcome::Failed(_)), "{record:?}");
    }
}

async fn create(rig: &Rig) {
    let put = async |path: &str, body: Value| {
        rig.put(path, &body).await.expect(path);
    };
    put("meshes", json!({"meshName": "m"})).await;
    let listener = |port| json!({"portMapping": {"port": port, "protocol": "http"}});
    let dns = |host| json!({"dns": {"hostname": host}});
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "blue", "spec": {
            "listeners": [listener(APP_PORT)],
            "serviceDiscovery": dns("10.77.1.2"),
        }}),
    )
    .await;
    put(
        "meshes/m/virtualRouters",
        json!({"virtualRouterName": "color", "spec": {"listeners": [listener(9000)]}}),
    )
    .await;
    put(
        "meshes/m/virtualRouter/color/routes",
        json!({"routeName": "all", "spec": {"httpRoute": {
            "match": {"prefix": "/"},
            "action": {"weightedTargets": [{"virtualNode": "blue", "weight": 1}]},
        }}}),
    )
    .await;
    put(
        "meshes/m/virtualServices",
        json!({"virtualServiceName": SERVICE, "spec": {
            "provider": {"virtualRouter": {"virtualRouterName": "color"}},
        }}),
    )
    .await;
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "caller", "spec": {
            "backends": [{"virtualService": {"virtualServiceName": SERVICE}}],
            "listeners": [listener(8000)],
            "serviceDiscovery": dns("10.77.1.1"),
        }}),
    )
    .await;
}

/// Calls of the caller's application.
fn call(from: &Task, service: &str, port: u16, requests: usize) -> Report {
    from.client(async || {
        Load::to(format!("http://{ANYWHERE}:{port}/"))
            .host(&format!("{service}:{port}"))
            .connections(1)
            .noting("x-colour")
            .noting("x-ferromesh-target")
            .timeout(std::time::Duration::from_secs(5))
            .send(requests)
            .await
    })
    .expect("load")
}
