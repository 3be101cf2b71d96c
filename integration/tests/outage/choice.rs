//! Several control planes, and none.

use ferromesh_integration::{
    load::Load,
    rig::{eventually, ports, status, PATIENCE},
    two_colours::TwoColours,
};

use crate::{
    address::Address,
    agent::{told, until_source, Gateway},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_is_passed_by_and_a_dying_one_fails_no_request() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let [first, second] = [
        Address::to(mesh.rig.address()).await,
        Address::to(mesh.rig.address()).await,
    ];
    let dead = ports::free().expect("a port");
    let mut other = Gateway::make(&mesh.rig, "other").await;
    let all = [dead, first.port, second.port].map(|port| format!("127.0.0.1:{port}"));
    other.endpoints = all.join(",");
    let agent = other.start(&mesh.rig);
    other.until_serving(&agent).await;
    let connected = until_source(agent.port, "CONTROL_PLANE").await;
    let address = connected["managementServerAddress"]
        .as_str()
        .expect("an address")
        .to_owned();

    let load = Load::to(other.url()).noting("x-colour").per_second(200.0);
    let load = load.start().await.expect("load");
    let (left, gone) = if address.ends_with(&first.port.to_string()) {
        (second, first)
    } else {
        (first, second)
    };
    assert!(address.ends_with(&gone.port.to_string()), "{address}");
    drop(gone);
    eventually("the agent has moved", PATIENCE, async || {
        let told = told(agent.port).await?;
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let now = told["managementServerAddress"].as_str()?.to_owned();
        now.ends_with(&left.port.to_string()).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
    mesh.set_weights([0, 100]).await.expect("an update");
    let through = Load::to(other.url()).noting("x-colour");
    eventually("a change comes through the other address", PATIENCE, async || {
        let notes = through.clone().send(40).await.ok()?.notes();
        (notes.get("green") == Some(&40)).then_some(())
    })
    .await
    .expect("an update");
    eventually("requests on either side of it", PATIENCE, async || {
        (load.report().len() > 400).then_some(())
    })
    .await
    .expect("a load");
    let report = load.stop().await;
    report.assert_no_failures("the change of the control plane");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_control_plane_and_without_a_last_good_configuration_envoy_waits_and_it_is_said() {
    let mut mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let other = Gateway::make(&mesh.rig, "other").await;
    mesh.rig.kill_control_plane();
    let agent = other.start(&mesh.rig);
    eventually("it is said", PATIENCE, async || {
        let log = agent.process.log();
        (log.contains("envoy waits") && log.contains("the control plane is not reached")).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
    let told = until_source(agent.port, "NONE").await;
    assert_eq!(told["managementServerConnectionStatus"], "NOT_CONNECTED");
    assert!(told["lastGoodConfigurationAge"].is_null(), "{told}");
    assert_eq!(status(&other.url()).await, None);
    mesh.rig.start_control_plane().await.expect("a restart");
    other.until_serving(&agent).await;
}
