//! Stock Envoys take a configuration without complaint, and then every request fails.

use std::time::Instant;

use anyhow::Result;
use ferromesh_integration::{
    full,
    rig::{eventually, Modules, PATIENCE},
    upstream::{Faults, Upstream},
};
use serde_json::{json, Value};

use super::{
    assert_status_says, assert_taken_back, callers,
    gateway::{harmed, now, recovered, Gateway},
    node, rollout, route, staged,
};

const MESH: &str = "failing";
const BECAUSE: &str = "requests failed at proxies that were given this";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_and_then_fails_reaches_one_envoy_and_is_taken_back() -> Result<()> {
    let good = Upstream::start("good").await?;
    let rig = staged(Modules::Built, "3").await?;
    callers(&rig, MESH, 0).await?;
    let path = format!("meshes/{MESH}/virtualNodes/good");
    let works = json!({"spec": node(good.port(), json!([]))});
    rig.put(&path, &works).await?;
    let gateways = Gateway::start(&rig, MESH, full(4, 12), &[]).await?;

    // Nobody listens there; Envoy takes the cluster all the same.
    let from = now(&gateways);
    let asked = Instant::now();
    rig.put(&path, &json!({"spec": node(1, json!([]))})).await?;
    let verdict = assert_taken_back(&rig, MESH, asked, BECAUSE).await?;
    let types = verdict["types"].as_array();
    assert!(
        types.is_some_and(|types| types.contains(&json!("Cluster"))),
        "{verdict}"
    );
    let first = harmed(&gateways, &from);
    assert_eq!(first.len(), 1, "one gateway has failed requests: {first:?}");
    recovered(&gateways).await?;
    assert_status_says(&rig, MESH, BECAUSE).await?;
    rig.put(&path, &works).await?;

    // A policy that no answer can keep: the application needs longer.
    let delay_millis = 50;
    good.inject(Faults {
        delay_millis,
        ..Faults::default()
    });
    eventually("nothing else is on its way", PATIENCE, async || {
        let shown = rollout(&rig, MESH).await.ok()?;
        let is_over = shown["trial"].is_null() && shown["rolledBack"][0]["isNewest"] == false;
        is_over.then_some(())
    })
    .await?;
    let from = now(&gateways);
    let asked = Instant::now();
    let mut hasty = route("good");
    hasty["httpRoute"]["timeout"] = json!({"perRequest": {"unit": "ms", "value": 5}});
    rig.put(
        &format!("meshes/{MESH}/virtualRouter/r/routes/r"),
        &json!({"spec": hasty}),
    )
    .await?;
    let second = eventually("the policy is taken back", PATIENCE, async || {
        let shown = rollout(&rig, MESH).await.ok()?;
        let newest: &Value = &shown["verdicts"][0];
        (newest["id"] != verdict["id"] && newest["outcome"] == "rolledBack").then(|| newest.clone())
    })
    .await?;
    assert!(asked.elapsed() < super::LIMIT, "{second}");
    assert_eq!(second["reached"], 1, "{second}");
    assert!(
        second["reason"].as_str().is_some_and(|reason| reason.contains(BECAUSE)),
        "{second}"
    );
    let harmed = harmed(&gateways, &from);
    assert_eq!(harmed.len(), 1, "one gateway has failed requests: {harmed:?}");
    recovered(&gateways).await
}
