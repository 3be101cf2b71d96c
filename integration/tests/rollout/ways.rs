//! What operators see and do: the API, its events, and the command line.

use std::{process::Command, time::Duration};

use anyhow::{ensure, Result};
use ferromesh_integration::rig::{eventually, paths, Modules, Rig, PATIENCE};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::{Manner, Variant},
    way::Way,
};
use reqwest::Method;
use serde_json::{json, Value};

use super::{callers, rollout, route, staged, verdict};

const MESH: &str = "ways";

pub fn cli(rig: &Rig, arguments: &[&str]) -> Result<String> {
    let output = Command::new(paths::ferromesh()?)
        .args(arguments)
        .args(["--server", &format!("http://{}", rig.address())])
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {error}");
    Ok(String::from_utf8(output.stdout)?)
}

async fn turn(rig: &Rig, path: &str) -> Result<Value> {
    rig.accepted(Method::POST, &format!("/v1/rollouts/{MESH}/{path}"), &Value::Null)
        .await
}

async fn change(rig: &Rig, target: &str) -> Result<()> {
    let route = json!({"spec": route(target)});
    rig.put(&format!("meshes/{MESH}/virtualRouter/r/routes/r"), &route)
        .await?;
    Ok(())
}

/// Reads events until one of this kind comes.
async fn event(stream: &mut reqwest::Response, kind: &str) -> Result<(u64, Value)> {
    let mut text = String::new();
    let read = async {
        while let Some(chunk) = stream.chunk().await? {
            text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some((one, rest)) = text.split_once("\n\n") {
                let field = |name: &str| one.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if field("event:") == Some(kind) {
                    let id = field("id:").unwrap_or_default().parse()?;
                    let data = serde_json::from_str(field("data:").unwrap_or_default())?;
                    return Ok((id, data));
                }
                text = rest.to_owned();
            }
        }
        anyhow::bail!("the events have ended")
    };
    tokio::time::timeout(PATIENCE, read).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_pause_resume_skip_and_retry_and_events_tell_of_it() -> Result<()> {
    let rig = staged(Modules::Absent, "0").await?;
    callers(&rig, MESH, 5).await?;
    let events = format!("http://{}/v1/events?mesh={MESH}", rig.address());
    let mut stream = reqwest::get(&events).await?;
    let kind = stream
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    assert_eq!(kind, Some("text/event-stream"));
    let order = Order {
        manner: Manner::Refusing("_poison_"),
        ..Order::of(
            Way::plain(rig.address()),
            "mesh/ways/virtualNode/n{}",
            5,
            Variant::Delta,
        )
    };
    let fleet = Fleet::launch(&order);
    fleet.complete(PATIENCE).await?;
    let (first, connected) = event(&mut stream, "connected").await?;
    assert_eq!(connected["mesh"], MESH);

    cli(&rig, &["rollout", "pause", "--mesh", MESH])?;
    change(&rig, "poison").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fleet.tally.struck_count(), 0, "nothing goes on while it is paused");
    let list = cli(&rig, &["rollout", "list"])?;
    assert!(list.contains("paused"), "{list}");
    cli(&rig, &["rollout", "resume", "--mesh", MESH])?;

    let rolled_back = verdict(&rig, MESH, "rolledBack").await?;
    assert_eq!(fleet.tally.struck_count(), 1);
    let (_, told) = event(&mut stream, "verdict").await?;
    assert_eq!(
        (&told["id"], &told["outcome"]),
        (&rolled_back["id"], &rolled_back["outcome"])
    );
    let id = rolled_back["id"].as_str().unwrap_or_default();
    let list = cli(&rig, &["rollout", "list"])?;
    assert!(
        list.contains(id) && list.contains("refused by a simulated proxy"),
        "{list}"
    );
    let status = cli(&rig, &["status"])?;
    assert!(status.contains("stale"), "{status}");

    // Who comes again gets what it missed.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let again = client.get(&events).header("last-event-id", first.to_string());
    let (_, told) = event(&mut again.send().await?, "verdict").await?;
    assert_eq!(told["id"], id);

    cli(&rig, &["rollout", "retry", id, "--mesh", MESH])?;
    eventually("it was tried again", PATIENCE, async || {
        let shown = rollout(&rig, MESH).await.ok()?;
        let verdicts = shown["verdicts"].as_array()?;
        (verdicts.iter().filter(|verdict| verdict["id"] == id).count() == 2).then_some(())
    })
    .await?;
    cli(&rig, &["rollout", "skip", id, "--mesh", MESH])?;
    eventually("everybody was given it", PATIENCE, async || {
        (fleet.tally.struck_count() == 5).then_some(())
    })
    .await?;
    let unknown = rig
        .call(Method::POST, &format!("/v1/rollouts/{MESH}/nothing/retry"), "")
        .await?;
    assert_eq!((unknown.status, unknown.error.as_str()), (404, "NotFoundException"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_loses_much_waits_for_somebody_to_approve() -> Result<()> {
    let rig = staged(Modules::Absent, "0").await?;
    callers(&rig, MESH, 1).await?;
    let within = format!("meshes/{MESH}");
    let mut backends = Vec::new();
    for number in 0..30 {
        let target = format!("t{number}");
        let node = json!({"virtualNodeName": target, "spec": super::node(7000 + number, json!([]))});
        rig.put(&format!("{within}/virtualNodes"), &node).await?;
        let name = format!("{target}.test.local");
        let provider = json!({"virtualNode": {"virtualNodeName": target}});
        let service = json!({"virtualServiceName": name, "spec": {"provider": provider}});
        rig.put(&format!("{within}/virtualServices"), &service).await?;
        backends.push(json!({"virtualService": {"virtualServiceName": name}}));
    }
    let caller = |backends: &[Value]| json!({"spec": super::node(8080, json!(backends))});
    let path = format!("{within}/virtualNodes/n0");
    rig.put(&path, &caller(&backends)).await?;
    let order = Order::of(
        Way::plain(rig.address()),
        "mesh/ways/virtualNode/n{}",
        1,
        Variant::Delta,
    );
    let fleet = Fleet::launch(&order);
    fleet.complete(PATIENCE).await?;

    rig.put(&path, &caller(&backends[..1])).await?;
    let held = verdict(&rig, MESH, "heldBack").await?;
    let reason = held["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("would be removed"), "{reason}");
    let proxy = rig
        .accepted(Method::GET, "/v1/proxies/mesh/ways/virtualNode/n0", &Value::Null)
        .await?;
    assert_eq!(proxy["rollout"]["state"], "heldBack", "{proxy:#}");
    turn(&rig, &format!("{}/approve", held["id"].as_str().unwrap_or_default())).await?;
    verdict(&rig, MESH, "accepted").await?;

    // A few are nobody's business.
    rig.put(&path, &caller(&[])).await?;
    eventually("it goes at once", PATIENCE, async || {
        let shown = rollout(&rig, MESH).await.ok()?;
        let accepted = shown["verdicts"]
            .as_array()?
            .iter()
            .filter(|v| v["outcome"] == "accepted");
        (accepted.count() == 2).then_some(())
    })
    .await?;
    Ok(())
}
