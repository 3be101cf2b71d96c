//! Configuration changes under load: nothing fails, and each is in effect soon.

mod listeners;
mod modules;
mod ports;

use std::time::Duration;

use ferromesh_integration::{
    rig::{eventually, wait_for_status, PATIENCE},
    two_colours::{self, TwoColours, ROUTE, SERVICE},
    upstream::Upstream,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn forty_weight_updates_under_load_fail_no_request() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let load = mesh.load().per_second(400).start().await.expect("load");
    for step in 0..40 {
        let green = 5 * (step % 21);
        mesh.set_weights([100 - green, green]).await.expect("an update");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    mesh.set_weights([0, 100]).await.expect("an update");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let settled = load.now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = load.stop().await;
    report.assert_no_failures("weight updates");
    assert!(report.len() > 1_500, "only {} requests", report.len());
    let last = report.between(settled, Duration::MAX);
    assert_eq!(last.notes().keys().collect::<Vec<_>>(), ["green"]);
    let stored = mesh.rig.get(ROUTE).await.expect("the route");
    assert_eq!(stored["metadata"]["version"], 42, "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_and_targets_come_and_go_under_load_without_failing_a_request() {
    let mesh = TwoColours::start([100, 0]).await.expect("the mesh");
    let red = Upstream::start("red").await.expect("an upstream");
    let load = mesh.load().per_second(300).start().await.expect("load");

    for _ in 0..4 {
        // A new target under the route …
        let node = json!({"virtualNodeName": "red", "spec": two_colours::node(red.port())});
        mesh.rig
            .put("meshes/colours/virtualNodes", &node)
            .await
            .expect("a node");
        let mut with_red = two_colours::route([50, 50]);
        with_red["httpRoute"]["action"]["weightedTargets"][1]["virtualNode"] = json!("red");
        mesh.rig.put(ROUTE, &json!({"spec": with_red})).await.expect("a target");
        eventually("red gets traffic", PATIENCE, async || {
            (red.counts().requests > 0).then_some(())
        })
        .await
        .expect("traffic on the new target");

        // … a route beside it, longer, to another target …
        let mut special = two_colours::route([0, 100]);
        special["httpRoute"]["match"]["prefix"] = json!("/special");
        let route = json!({"routeName": "special", "spec": special});
        mesh.rig
            .put("meshes/colours/virtualRouter/color/routes", &route)
            .await
            .expect("a route");
        let special = mesh.url("/special");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        eventually("the new route leads to green", PATIENCE, async || {
            let answer = http.get(&special).send().await.ok()?;
            (answer.text().await.ok()?.trim() == "green").then_some(())
        })
        .await
        .expect("the new route");

        // … and both go again, the target last.
        mesh.rig
            .delete("meshes/colours/virtualRouter/color/routes/special")
            .await
            .expect("deleted");
        mesh.rig
            .put(ROUTE, &json!({"spec": two_colours::route([100, 0])}))
            .await
            .expect("a route without red");
        mesh.rig
            .delete("meshes/colours/virtualNodes/red")
            .await
            .expect("deleted");
        tokio::time::sleep(Duration::from_millis(500)).await;
        red.forget();
    }
    load.stop().await.assert_no_failures("routes and targets");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_routes_and_services_come_and_go_under_load_without_failing_a_request() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let load = mesh.load().per_second(300).start().await.expect("load");
    for number in 0..3 {
        let name = format!("extra-{number}.test.local");
        let provider = json!({"virtualNode": {"virtualNodeName": "green"}});
        mesh.rig
            .put(
                "meshes/colours/virtualServices",
                &json!({"virtualServiceName": name, "spec": {"provider": provider}}),
            )
            .await
            .expect("a service");
        mesh.rig
            .put(
                "meshes/colours/virtualGateway/gateway/gatewayRoutes",
                &json!({"gatewayRouteName": "extra", "spec": {"httpRoute": {
                    "match": {"prefix": "/extra"},
                    "action": {"target": {"virtualService": {"virtualServiceName": name}}},
                }}}),
            )
            .await
            .expect("a gateway route");
        wait_for_status(&mesh.url("/extra"), 200)
            .await
            .expect("the new service");
        eventually("the new service is seen as host", PATIENCE, async || {
            wait_for_status(&mesh.url("/extra/thing"), 200).await.ok()?;
            let seen = mesh.green.seen();
            seen.iter()
                .any(|seen| seen.host.starts_with(&name) && seen.path == "/thing")
                .then_some(())
        })
        .await
        .expect("host and path rewritten");
        mesh.rig
            .delete("meshes/colours/virtualGateway/gateway/gatewayRoutes/extra")
            .await
            .expect("deleted");
        mesh.rig
            .delete(&format!("meshes/colours/virtualServices/{name}"))
            .await
            .expect("deleted");
    }
    load.stop().await.assert_no_failures("gateway routes and services");
    // The load's own service was never touched.
    assert!(mesh.blue.seen().iter().all(|seen| seen.host.starts_with(SERVICE)));
}
