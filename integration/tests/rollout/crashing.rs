//! An Envoy that is killed, each time, by what it was given.

use std::time::Instant;

use anyhow::{Context, Result};
use ferromesh_integration::{
    rig::{eventually, Modules, Rig, PATIENCE},
    upstream::Upstream,
};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::json;

use super::{
    assert_status_says, assert_taken_back, callers,
    gateway::{recovered, Gateway},
    node, staged,
};

const MESH: &str = "crashing";
/// Where the poisoned configuration leads.
const PORT: u16 = 1;

/// The Envoy of an agent.
fn envoy_of(rig: &Rig, agent: u32) -> Option<Pid> {
    let is_child = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in brackets and may hold anything; the state and the parent come after it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        (parent.parse() == Ok(agent)).then_some(())
    };
    let found = rig.running().into_iter().find(|found| is_child(found.id).is_some())?;
    Pid::from_raw(i32::try_from(found.id).ok()?)
}

/// Whether an Envoy has taken the poisoned configuration.
async fn is_poisoned(gateway: &Gateway) -> bool {
    let dump = gateway
        .proxy
        .admin()
        .get("/config_dump?resource=dynamic_active_clusters");
    let dump = dump.await.unwrap_or_default();
    dump.contains(&format!("\"port_value\": {PORT}\n")) || dump.contains(&format!("\"port_value\": {PORT},"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_dies_of_what_it_was_given_is_the_only_one_and_gets_back_what_it_had() -> Result<()> {
    let good = Upstream::start("good").await?;
    let rig = staged(Modules::Absent, "3").await?;
    callers(&rig, MESH, 0).await?;
    let path = format!("meshes/{MESH}/virtualNodes/good");
    rig.put(&path, &json!({"spec": node(good.port(), json!([]))})).await?;
    let mut gateways = Gateway::start(&rig, MESH, 3, &[("APPNET_ENVOY_RESTART_COUNT", "10")]).await?;

    let asked = Instant::now();
    rig.put(&path, &json!({"spec": node(PORT, json!([]))})).await?;
    let mut killed = Vec::new();
    for _ in 0..2 {
        let (place, pid) = eventually("an Envoy has it", PATIENCE, async || {
            for (place, gateway) in gateways.iter_mut().enumerate() {
                let agent = gateway.proxy.process().id();
                let envoy = envoy_of(&rig, agent).filter(|envoy| !killed.contains(&(place, *envoy)));
                if let (Some(envoy), true) = (envoy, is_poisoned(gateway).await) {
                    return Some((place, envoy));
                }
            }
            None
        })
        .await?;
        kill_process(pid, Signal::KILL).context("it is there")?;
        killed.push((place, pid));
    }
    assert_eq!(killed[0].0, killed[1].0, "it is one gateway's Envoy both times");
    let because = "was lost 2 times";
    assert_taken_back(&rig, MESH, asked, because).await?;
    recovered(&gateways).await?;
    for gateway in &gateways {
        assert!(!is_poisoned(gateway).await, "{}", gateway.name);
    }
    assert_status_says(&rig, MESH, because).await
}
