//! Modules that never come back: on a worker thread, at the first request; on the main thread, as they are configured.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use ferromesh_integration::{
    rig::{eventually, Modules, Rig, PATIENCE},
    scale::is_full,
    tiny_module::tiny_module,
    upstream::Upstream,
};
use serde_json::{json, Value};

use super::{
    assert_taken_back, callers,
    gateway::{harmed, now, recovered, Gateway},
    node, staged,
    ways::cli,
};

const MESH: &str = "stuck";

const LOOP: &str = "(loop $again (br $again)) (i32.const 1)";

/// Agents start their Envoys again.
const VARIABLES: [(&str, &str); 1] = [("APPNET_ENVOY_RESTART_COUNT", "10")];

async fn mesh(upstream: &Upstream) -> Result<(Rig, Vec<Gateway>)> {
    let rig = staged(Modules::Built, "3").await?;
    callers(&rig, MESH, 0).await?;
    let works = json!({"spec": node(upstream.port(), json!([]))});
    rig.put(&format!("meshes/{MESH}/virtualNodes/good"), &works).await?;
    let gateways = Gateway::start(&rig, MESH, 3, &VARIABLES).await?;
    Ok((rig, gateways))
}

/// Asserts that the mesh has left the set, and says why: the proxies have what the resources come to again.
async fn assert_left(rig: &Rig, because: &str) -> Result<()> {
    let mut last = String::new();
    let left = eventually("the mesh has left the module and says why", PATIENCE, async || {
        last = cli(rig, &["module", "show", "--mesh", MESH, "--output", "json"]).ok()?;
        let choice: Value = serde_json::from_str(&last).ok()?;
        let reason = choice["history"].as_array()?.iter().find_map(|turn| {
            let is_taken_back = turn["what"] == "rollback";
            turn["reason"].as_str().filter(|_| is_taken_back)
        });
        (choice["version"] == "built-in" && reason?.contains(because)).then_some(())
    })
    .await;
    left.with_context(|| format!("last seen:\n{last}"))?;
    let list = cli(rig, &["rollout", "show", "--mesh", MESH])?;
    ensure!(list.contains(because), "{list}");
    Ok(())
}

/// Gives the mesh a module as its set `stuck`.
fn roll_out(rig: &Rig, module: &str) -> Result<Instant> {
    let file = rig.file("stuck.wasm");
    std::fs::write(&file, wat::parse_str(module)?)?;
    let file = file.display().to_string();
    cli(rig, &["module", "add", "--version", "stuck", "--mesh", &file])?;
    let asked = Instant::now();
    cli(rig, &["module", "rollout", "--mesh", MESH, "stuck"])?;
    Ok(asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_never_returns_from_a_request_reaches_one_envoy_and_is_left() -> Result<()> {
    let good = Upstream::start("good").await?;
    let (rig, gateways) = mesh(&good).await?;
    let from = now(&gateways);
    let asked = roll_out(&rig, &tiny_module("", "", LOOP))?;
    let because = "a worker thread of its Envoy stood still, and then Envoy was gone";
    assert_taken_back(&rig, MESH, asked, because).await?;
    recovered(&gateways).await?;
    let harmed = harmed(&gateways, &from);
    assert_eq!(harmed.len(), 1, "one gateway has lost requests: {harmed:?}");
    assert_left(&rig, because).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_never_returns_from_its_configuration_costs_no_request() -> Result<()> {
    let good = Upstream::start("good").await?;
    let (rig, gateways) = mesh(&good).await?;
    let from = now(&gateways);
    let text = tiny_module("", "", "(i32.const 0)");
    let configure = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))"#;
    assert!(text.contains(configure), "{text}");
    let looping = configure.replace("(i32.const 1)", LOOP);
    let asked = roll_out(&rig, &text.replace(configure, &looping))?;
    let because = "has not answered TypedExtensionConfig for 10 s";
    assert_taken_back(&rig, MESH, asked, because).await?;
    assert_eq!(harmed(&gateways, &from), [""; 0], "workers serve with what they have");
    assert_left(&rig, because).await?;
    let status = cli(&rig, &["status", "--mesh", MESH])?;
    let mut lines = status.lines();
    ensure!(
        lines.any(|line| line.contains("silent") && line.contains("no answer to TypedExtensionConfig")),
        "{status}"
    );
    if is_full() {
        // Its watchdog ends the main thread after half a minute; the next Envoy gets what was before.
        tokio::time::sleep(Duration::from_secs(30)).await;
        recovered(&gateways).await?;
    }
    Ok(())
}
