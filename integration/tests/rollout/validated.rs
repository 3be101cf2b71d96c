//! Stock Envoy judges a change before any proxy is given it.

use std::{fs, process::Command};

use anyhow::{ensure, Result};
use ferromesh_integration::{
    rig::{paths, Modules, Rig, PATIENCE},
    tiny_module::tiny_module,
};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::Variant,
    way::Way,
};
use reqwest::Method;
use serde_json::{json, Value};

use super::{callers, route, verdict};

const MESH: &str = "validated";
const PROXIES: usize = 5;

/// A module that passes everything which can be told without running it, and takes no configuration.
fn takes_no_configuration() -> Result<Vec<u8>> {
    let text = tiny_module("", "", "(i32.const 0)");
    let configure = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))"#;
    ensure!(text.contains(configure), "{text}");
    Ok(wat::parse_str(
        text.replace(configure, &configure.replace("const 1", "const 0")),
    )?)
}

fn module(rig: &Rig, arguments: &[&str]) -> Result<()> {
    let output = Command::new(paths::ferromesh()?)
        .arg("module")
        .args(arguments)
        .args(["--server", &format!("http://{}", rig.address())])
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_envoy_does_not_take_reaches_no_proxy_and_what_it_takes_goes_its_way() -> Result<()> {
    let envoy = paths::envoy()?.display().to_string();
    let flags = [
        "--rollout",
        "staged",
        "--rollout-observe",
        "0",
        "--validate-seconds",
        "60",
        "--validate-with",
        &envoy,
    ];
    let rig = Rig::start_as(Modules::Built, flags.map(str::to_owned).to_vec(), None).await?;
    callers(&rig, MESH, PROXIES).await?;
    let order = Order::of(
        Way::plain(rig.address()),
        "mesh/validated/virtualNode/n{}",
        PROXIES,
        Variant::Delta,
    );
    let fleet = Fleet::launch(&order);
    fleet.complete(PATIENCE).await?;

    let file = rig.file("poisoned.wasm");
    fs::write(&file, takes_no_configuration()?)?;
    let file = file.display().to_string();
    module(&rig, &["add", "--version", "poisoned", "--mesh", &file])?;
    module(&rig, &["rollout", "--mesh", MESH, "poisoned"])?;
    let refused = verdict(&rig, MESH, "rolledBack").await?;
    assert_eq!(refused["reached"], 0, "{refused}");
    let reason = refused["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("envoy --mode validate refuses it: "), "{reason}");
    assert!(reason.contains("Wasm"), "{reason}");
    assert_eq!(refused["modules"][0]["name"], "mesh", "{refused}");
    let proxy = rig
        .accepted(Method::GET, "/v1/proxies/mesh/validated/virtualNode/n0", &Value::Null)
        .await?;
    assert_ne!(proxy["state"], "rejected", "no proxy was asked: {proxy:#}");

    let good = json!({"spec": route("poison")});
    rig.put(&format!("meshes/{MESH}/virtualRouter/r/routes/r"), &good)
        .await?;
    let accepted = verdict(&rig, MESH, "accepted").await?;
    assert_eq!(accepted["reached"], PROXIES, "{accepted}");
    let metrics = reqwest::get(format!("http://{}/metrics", rig.address()))
        .await?
        .text()
        .await?;
    for line in [
        "ferromesh_validations_total{outcome=\"refused\"} 1",
        "ferromesh_validations_total{outcome=\"unknown\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    Ok(())
}
