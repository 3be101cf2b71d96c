//! Fifty simulated proxies, of which each would refuse, or fall silent at, what is poisoned.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use ferromesh_integration::rig::{eventually, Modules, Rig, PATIENCE};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::{Manner, Variant},
    way::Way,
};
use reqwest::Method;
use serde_json::{json, Value};

use super::{assert_taken_back, callers, rollout, route, staged, verdict};

const MESH: &str = "many";
const PROXIES: usize = 50;

/// Names of clusters have the names of the nodes in them.
const POISON: &str = "_poison_";

async fn fleet(rig: &Rig, manner: Manner, variant: Variant) -> Result<Fleet> {
    let order = Order {
        manner,
        ..Order::of(Way::plain(rig.address()), "mesh/many/virtualNode/n{}", PROXIES, variant)
    };
    let fleet = Fleet::launch(&order);
    fleet.complete(PATIENCE).await?;
    Ok(fleet)
}

async fn poison(rig: &Rig) -> Result<Instant> {
    let asked = Instant::now();
    let route = json!({"spec": route("poison")});
    rig.put("meshes/many/virtualRouter/r/routes/r", &route).await?;
    Ok(asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_refuses_is_taken_back_and_stays_away_after_a_restart() -> Result<()> {
    let mut rig = staged(Modules::Absent, "2").await?;
    callers(&rig, MESH, PROXIES).await?;
    let proxies = fleet(&rig, Manner::Refusing(POISON), Variant::Delta).await?;
    let asked = poison(&rig).await?;
    let verdict = assert_taken_back(&rig, MESH, asked, "refused by a simulated proxy").await?;
    assert_eq!(verdict["proxies"].as_array().map(Vec::len), Some(PROXIES), "{verdict}");
    assert_eq!(proxies.tally.struck_count(), 1, "one was given it");

    let shown = rollout(&rig, MESH).await?;
    let id = verdict["id"].as_str().unwrap_or_default();
    assert_eq!(shown["rolledBack"][0]["id"], id, "{shown:#}");
    assert_eq!(shown["rolledBack"][0]["isNewest"], true, "{shown:#}");
    // The one that was given it is `rejected` until it has what was before.
    eventually("n7 is stale by a rollback", PATIENCE, async || {
        let path = "/v1/proxies/mesh/many/virtualNode/n7";
        let proxy = rig.accepted(Method::GET, path, &Value::Null).await.ok()?;
        (proxy["rollout"]["state"] == "rolledBack" && proxy["state"] == "stale").then_some(())
    })
    .await?;

    // What was rolled back is known to the next life, too.
    rig.kill_control_plane();
    rig.start_control_plane().await?;
    eventually("the proxies come again", PATIENCE, async || {
        let proxies = rig.accepted(Method::GET, "/v1/proxies", &Value::Null).await.ok()?;
        let open = |proxy: &&Value| proxy["state"] != "disconnected";
        let count = proxies["proxies"].as_array()?.iter().filter(open).count();
        (count == PROXIES).then_some(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(proxies.tally.struck_count(), 1, "nobody else was given it");

    // Something else is a new change.
    rig.put("meshes/many/virtualRouter/r/routes/r", &json!({"spec": route("good")}))
        .await?;
    eventually("everybody has what the resources come to", PATIENCE, async || {
        let shown = rollout(&rig, MESH).await.ok()?;
        let is_over = shown["trial"].is_null() && shown["rolledBack"][0]["isNewest"] == false;
        is_over.then_some(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_is_noticed_and_nobody_else_is_asked() -> Result<()> {
    let rig = staged(Modules::Absent, "1").await?;
    callers(&rig, MESH, PROXIES).await?;
    let proxies = fleet(&rig, Manner::FallingSilent(POISON), Variant::Sotw).await?;
    let asked = poison(&rig).await?;
    assert_taken_back(&rig, MESH, asked, "has not answered Cluster for 10 s").await?;
    assert_eq!(proxies.tally.struck_count(), 1, "one was given it");
    let metrics = reqwest::get(format!("http://{}/metrics", rig.address()))
        .await?
        .text()
        .await?;
    ensure!(
        metrics.contains("ferromesh_rollouts_total{outcome=\"rolledBack\"} 1"),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_change_reaches_all_by_itself() -> Result<()> {
    let rig = staged(Modules::Absent, "0").await?;
    callers(&rig, MESH, PROXIES).await?;
    let proxies = fleet(&rig, Manner::Accepting, Variant::Delta).await?;
    poison(&rig).await?;
    let accepted = verdict(&rig, MESH, "accepted").await?;
    assert_eq!(accepted["reached"], PROXIES, "{accepted}");
    let (failed, why) = proxies.tally.failures();
    assert_eq!(failed, 0, "{why:?}");
    Ok(())
}
