//! The control plane is away under load: nothing fails, and what is restarted meanwhile serves.

use std::time::Duration;

use ferromesh_integration::{
    rig::{eventually, PATIENCE},
    scale::full,
    two_colours::TwoColours,
};
use rustix::process::{kill_process, Pid, Signal};

use crate::agent::{envoy_pid, until_source, Gateway};

/// Requests a second through the proxy that stays.
const RATE: f64 = 500.0;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_fails_no_request_and_what_starts_meanwhile_serves() {
    let mut mesh = TwoColours::start([80, 20]).await.expect("the mesh");
    let other = Gateway::make(&mesh.rig, "other").await;
    let agent = other.start(&mesh.rig);
    other.until_serving(&agent).await;
    let before = until_source(agent.port, "CONTROL_PLANE").await;
    assert_eq!(before["managementServerConnectionStatus"], "CONNECTED");
    assert_eq!(before["managementServerAddress"], mesh.rig.address());
    other.until_kept().await;
    let load = mesh.load().per_second(RATE).start().await.expect("load");
    let begun = std::time::Instant::now();

    mesh.rig.kill_control_plane();
    let during = until_source(agent.port, "LAST_GOOD").await;
    assert_eq!(during["managementServerConnectionStatus"], "NOT_CONNECTED");
    assert!(during["lastGoodConfigurationAge"].is_string(), "{during}");
    assert_eq!(during["healthStatus"], "HEALTHY");
    until_source(mesh.gateway.agent_port(), "LAST_GOOD").await;

    // Envoy alone: the agent starts another.
    let pid = envoy_pid(agent.port).await.expect("an envoy");
    let killed = kill_process(Pid::from_raw(pid as i32).expect("a process"), Signal::KILL);
    killed.expect("a signal");
    eventually("it is gone", PATIENCE, async || {
        (!agent.admin.is_live().await).then_some(())
    })
    .await
    .expect("its end");
    other.until_serving_in_time(&agent).await;

    // The agent too, as a machine that starts again: only the disk remembers.
    drop(agent);
    let agent = other.start(&mesh.rig);
    other.until_serving_in_time(&agent).await;
    until_source(agent.port, "LAST_GOOD").await;
    assert!(agent.process.log().contains("there is a last good configuration"));

    let outage = full(Duration::from_secs(10), Duration::from_secs(1800));
    while begun.elapsed() < outage {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(ferromesh_integration::rig::status(&other.url()).await, Some(200));
    }

    mesh.rig.start_control_plane().await.expect("a restart");
    for port in [agent.port, mesh.gateway.agent_port()] {
        until_source(port, "CONTROL_PLANE").await;
    }
    mesh.set_weights([0, 100]).await.expect("an update");
    eventually("the new weights hold", PATIENCE, async || {
        let notes = mesh.load().send(40).await.ok()?.notes();
        (notes.get("green") == Some(&40)).then_some(())
    })
    .await
    .expect("an update after the restart");
    let through_other = ferromesh_integration::load::Load::to(other.url()).noting("x-colour");
    eventually("and at the one that was restarted", PATIENCE, async || {
        let notes = through_other.clone().send(40).await.ok()?.notes();
        (notes.get("green") == Some(&40)).then_some(())
    })
    .await
    .expect("an update");
    let report = load.stop().await;
    println!("{} requests", report.len());
    report.assert_no_failures("an outage of the control plane");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_at_any_moment_leaves_what_the_next_can_serve() {
    let mut mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let other = Gateway::make(&mesh.rig, "other").await;
    let mut agent = other.start(&mesh.rig);
    other.until_serving(&agent).await;
    other.until_kept().await;
    for round in 0..full(2, 50) {
        // A change is on its way to the disk, or has just arrived there.
        mesh.set_weights([10 + round, 90 - round]).await.expect("an update");
        tokio::time::sleep(Duration::from_millis(u64::from(round * 137) % 700)).await;
        drop(agent);
        agent = other.start(&mesh.rig);
        other.until_serving(&agent).await;
        let log = agent.process.log();
        assert!(!log.contains("cannot be used"), "{log}");
    }
    drop(agent);
    mesh.rig.kill_control_plane();
    let agent = other.start(&mesh.rig);
    other.until_serving_in_time(&agent).await;

    // What is not whole is not served, and is told.
    drop(agent);
    let mut bytes = std::fs::read(other.last_good()).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(other.last_good(), bytes).expect("damage");
    let agent = other.start(&mesh.rig);
    eventually("the damage is told", PATIENCE, async || {
        let log = agent.process.log();
        (log.contains("its checksum is another") && log.contains("envoy waits")).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
    assert_eq!(ferromesh_integration::rig::status(&other.url()).await, None);
    assert!(!other.last_good().exists());
    mesh.rig.start_control_plane().await.expect("a restart");
    other.until_serving(&agent).await;
}
