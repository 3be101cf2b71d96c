//! The control plane dies and comes back: traffic does not notice, nothing is lost, nothing is pushed again.

use std::{collections::BTreeMap, time::Duration};

use ferromesh_integration::{
    rig::{eventually, PATIENCE},
    two_colours::TwoColours,
};
use serde_json::Value;

use crate::agent::until_source;

const LISTS: [(&str, &str); 4] = [
    ("virtualNodes", "virtualNodes"),
    ("virtualRouters", "virtualRouters"),
    ("virtualServices", "virtualServices"),
    ("virtualGateways", "virtualGateways"),
];

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_control_plane_under_load_fails_nothing_and_restarting_it_pushes_nothing() {
    let mut mesh = TwoColours::start([80, 20]).await.expect("the mesh");
    mesh.set_weights([60, 40]).await.expect("an update");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resources(&mesh).await;
    let updates = updates(&mesh).await;
    let load = mesh.load().per_second(300).start().await.expect("load");
    tokio::time::sleep(Duration::from_secs(1)).await;

    mesh.rig.kill_control_plane();
    // The agent has it from now on; Envoy is connected to the agent.
    until_source(mesh.gateway.agent_port(), "LAST_GOOD").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    mesh.rig.start_control_plane().await.expect("a restart");
    assert_eq!(resources(&mesh).await, before, "resources after the restart");
    until_source(mesh.gateway.agent_port(), "CONTROL_PLANE").await;
    // Long enough for a push of everything, were there one.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let report = load.stop().await;
    report.assert_no_failures("an outage of the control plane");
    report.assert_share("green", 0.4);
    assert_eq!(
        self::updates(&mesh).await,
        updates,
        "what Envoy applied since before the outage"
    );

    // And it is a working control plane again.
    mesh.set_weights([0, 100]).await.expect("an update");
    eventually("the new weights hold", PATIENCE, async || {
        let notes = mesh.load().send(40).await.ok()?.notes();
        (notes.get("green") == Some(&40)).then_some(())
    })
    .await
    .expect("an update after the restart");
}

/// Every resource with its metadata, as the API describes it.
async fn resources(mesh: &TwoColours) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut paths = vec!["meshes/colours".to_owned()];
    for (collection, member) in LISTS {
        let list = format!("meshes/colours/{collection}");
        let listed = mesh.rig.get(&list).await.expect("a list");
        let items = listed[member].as_array().expect("an array");
        assert!(!items.is_empty(), "{listed}");
        found.insert(list, listed);
    }
    paths.push("meshes/colours/virtualRouter/color/routes/color".to_owned());
    paths.push("meshes/colours/virtualGateway/gateway/gatewayRoutes/all".to_owned());
    paths.push("meshes/colours/virtualNodes/blue".to_owned());
    for path in paths {
        let described = mesh.rig.get(&path).await.expect("a resource");
        found.insert(path, described);
    }
    found
}

/// How often Envoy has applied an update of each kind.
async fn updates(mesh: &TwoColours) -> BTreeMap<String, u64> {
    let filter = "^(cluster_manager\\.cds|listener_manager\\.lds|http\\..*\\.rds\\..*|.*extension_config_discovery.*)\\.(update_success|update_rejected|config_reload)$";
    let updates = mesh.gateway.admin().stats(filter).await.expect("statistics");
    assert!(updates.len() >= 3, "{updates:?}");
    updates
}
