//! Modules that everything is right with until they run.

use std::fs;

use ferromesh_integration::{
    rig::{eventually, Modules, Rig, PATIENCE},
    tiny_module::tiny_module,
    two_colours::{route, TwoColours},
};
use serde_json::Value;

use crate::{done, module, running, sha256, text};

/// A module that lets every request pass, and takes no configuration: Envoy rejects it.
fn takes_no_configuration() -> Vec<u8> {
    let text = tiny_module("", "", "(i32.const 0)");
    let configure = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))"#;
    assert!(text.contains(configure), "{text}");
    wat::parse_str(text.replace(configure, &configure.replace("const 1", "const 0"))).expect("a module")
}

/// A module that Envoy takes, and that dies of every request.
fn dies_of_every_request() -> Vec<u8> {
    wat::parse_str(tiny_module("", "", "unreachable")).expect("a module")
}

/// Adds a module as the set of this name, and gives it to the mesh.
async fn roll_out(mesh: &TwoColours, version: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("poisoned.wasm");
    fs::write(&file, bytes).expect("a module");
    done(&mesh.rig, &["add", "--version", version, "--mesh", text(&file)]).await;
    done(&mesh.rig, &["rollout", "--mesh", "colours", version]).await;
}

/// Waits until the mesh has left a set by itself; gives what it has then.
async fn left(mesh: &TwoColours, version: &str) -> Value {
    let what = format!("the mesh has left {version}");
    let choice = eventually(&what, PATIENCE, async || {
        let shown = module(&mesh.rig, &["show", "--mesh", "colours", "--output", "json"]).await;
        let choice: Value = serde_json::from_slice(&shown.stdout).ok()?;
        (choice["version"] != version).then_some(choice)
    })
    .await;
    choice.unwrap_or_else(|error| panic!("{error:#}\n{}", mesh.rig.log()))
}

async fn mesh() -> TwoColours {
    let flags = ["--rollout", "staged", "--rollout-observe", "3"].map(str::to_owned);
    let rig = Rig::start_as(Modules::Built, flags.into(), None)
        .await
        .expect("a control plane");
    TwoColours::start_on(rig, route([50, 50])).await.expect("the mesh")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_envoy_rejects_costs_no_request_and_is_not_tried_again() {
    let mut mesh = mesh().await;
    let before = running(&mesh).await.expect("the filter");
    let load = mesh.load().per_second(100).start().await.expect("load");
    roll_out(&mesh, "poisoned", &takes_no_configuration()).await;
    let choice = left(&mesh, "poisoned").await;
    assert_eq!(choice["version"], "built-in", "{choice}");
    let turn = &choice["history"][1];
    assert_eq!(
        (&turn["by"], &turn["what"]),
        (&"(control plane)".into(), &"rollback".into())
    );
    assert!(
        turn["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
        "{turn}"
    );
    mesh.rig.kill_control_plane();
    mesh.rig.start_control_plane().await.expect("a control plane");
    let shown = done(&mesh.rig, &["show", "--mesh", "colours"]).await;
    assert_eq!(shown["version"], "built-in", "a restart does not try it again");
    assert_eq!(running(&mesh).await, Some(before));
    load.stop().await.assert_no_failures("a module that Envoy rejects");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_dies_of_requests_is_left() {
    let mesh = mesh().await;
    let before = running(&mesh).await.expect("the filter");
    let load = mesh.load().per_second(100).start().await.expect("load");
    let poison = dies_of_every_request();
    // At once: nothing that its Envoy counts may have been reported before the module comes.
    roll_out(&mesh, "poisoned", &poison).await;
    eventually("Envoy has taken it", PATIENCE, async || {
        running(&mesh).await.filter(|now| *now == sha256(&poison))
    })
    .await
    .expect("nothing is wrong with it that Envoy sees");
    let choice = left(&mesh, "poisoned").await;
    assert_eq!(choice["version"], "built-in", "{choice}");
    eventually("Envoy runs what it ran before", PATIENCE, async || {
        running(&mesh).await.filter(|now| *now == before)
    })
    .await
    .expect("a swap");
    load.stop().await;
    let load = mesh.load().per_second(100).start().await.expect("load");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    load.stop().await.assert_no_failures("after a module that died");
}
