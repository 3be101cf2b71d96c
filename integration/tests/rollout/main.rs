//! A poisoned configuration reaches one proxy of fifty, is taken back within 15 s, and the status says why.

mod crashing;
mod failing;
mod gateway;
mod many;
mod reported;
mod stuck;
mod validated;
mod ways;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ferromesh_integration::rig::{eventually, Modules, Rig, PATIENCE};
use reqwest::Method;
use serde_json::{json, Value};

/// In which a poisoned change is taken back, from the moment at which it was asked for.
const LIMIT: Duration = Duration::from_secs(15);

/// A control plane with stages, and so many seconds of observation.
async fn staged(modules: Modules, observe: &str) -> Result<Rig> {
    let flags = ["--rollout", "staged", "--rollout-observe", observe];
    Rig::start_as(modules, flags.map(str::to_owned).to_vec(), None).await
}

/// What is known of a mesh's rollouts.
async fn rollout(rig: &Rig, mesh: &str) -> Result<Value> {
    rig.accepted(Method::GET, &format!("/v1/rollouts/{mesh}"), &Value::Null)
        .await
}

/// Waits for a verdict with this outcome, the newest first.
async fn verdict(rig: &Rig, mesh: &str, outcome: &str) -> Result<Value> {
    let mut last = Value::Null;
    let found = eventually(&format!("a verdict {outcome}"), PATIENCE, async || {
        last = rollout(rig, mesh).await.ok()?;
        let verdicts = last["verdicts"].as_array()?;
        verdicts.iter().find(|verdict| verdict["outcome"] == outcome).cloned()
    })
    .await;
    found.with_context(|| format!("last seen: {last:#}"))
}

/// Asserts that a poisoned change was taken back in time, having reached one stream.
async fn assert_taken_back(rig: &Rig, mesh: &str, asked: Instant, because: &str) -> Result<Value> {
    let verdict = verdict(rig, mesh, "rolledBack").await?;
    let took = asked.elapsed();
    assert!(took < LIMIT, "it took {took:?}: {verdict}");
    assert_eq!(verdict["reached"], 1, "{verdict}");
    let reason = verdict["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(because), "{reason}");
    Ok(verdict)
}

/// Asserts that somebody who asks for the proxies is told why one of them does not have the newest.
async fn assert_status_says(rig: &Rig, mesh: &str, because: &str) -> Result<()> {
    let mut last = String::new();
    let said = eventually("the reason in the status", PATIENCE, async || {
        last = ways::cli(rig, &["status", "--mesh", mesh]).ok()?;
        last.lines()
            .any(|line| line.contains("stale") && line.contains(because))
            .then_some(())
    })
    .await;
    said.with_context(|| format!("last seen:\n{last}"))
}

/// A mesh in which so many nodes `n0`, `n1`, … call one service, whose route leads to the node `good`.
async fn callers(rig: &Rig, mesh: &str, count: usize) -> Result<()> {
    rig.put("meshes", &json!({"meshName": mesh})).await?;
    let within = format!("meshes/{mesh}");
    for target in ["good", "poison"] {
        let node = json!({"virtualNodeName": target, "spec": node(9000, json!([]))});
        rig.put(&format!("{within}/virtualNodes"), &node).await?;
    }
    let listener = json!({"portMapping": {"port": 9000, "protocol": "http"}});
    let router = json!({"virtualRouterName": "r", "spec": {"listeners": [listener]}});
    rig.put(&format!("{within}/virtualRouters"), &router).await?;
    let route = json!({"routeName": "r", "spec": route("good")});
    rig.put(&format!("{within}/virtualRouter/r/routes"), &route).await?;
    let provider = json!({"virtualRouter": {"virtualRouterName": "r"}});
    let service = json!({"virtualServiceName": "s.test.local", "spec": {"provider": provider}});
    rig.put(&format!("{within}/virtualServices"), &service).await?;
    for number in 0..count {
        let backends = json!([{"virtualService": {"virtualServiceName": "s.test.local"}}]);
        let node = json!({"virtualNodeName": format!("n{number}"), "spec": node(8080, backends)});
        rig.put(&format!("{within}/virtualNodes"), &node).await?;
    }
    Ok(())
}

fn node(port: u16, backends: Value) -> Value {
    json!({
        "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "127.0.0.1"}},
        "backends": backends,
    })
}

fn route(target: &str) -> Value {
    json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [{"virtualNode": target, "weight": 1}]},
    }})
}
