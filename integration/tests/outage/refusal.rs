//! What Envoy refuses is told to the control plane through the agent, and is never what an Envoy starts with.

use ferromesh_integration::{
    rig::{eventually, PATIENCE},
    two_colours::TwoColours,
};
use reqwest::Method;
use serde_json::json;

use crate::agent::{spec, until_source, Gateway};

const NOWHERE: &str = "/proc/no-such-folder/access.log";

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_listener_is_told_with_envoys_words_and_an_envoy_in_an_outage_starts_with_the_one_before() {
    let mut mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let other = Gateway::make(&mesh.rig, "other").await;
    let agent = other.start(&mesh.rig);
    other.until_serving(&agent).await;
    other.until_kept().await;

    // A file that cannot be made: Envoy does not take a listener that logs there.
    let mut logging = spec(other.port);
    logging["logging"] = json!({"accessLog": {"file": {"path": NOWHERE}}});
    let gateway = "meshes/colours/virtualGateways/other";
    mesh.rig
        .put(gateway, &json!({ "spec": logging }))
        .await
        .expect("an update");
    let path = "/v1/proxies/mesh/colours/virtualGateway/other";
    let mut last = String::new();
    eventually("the control plane knows why", PATIENCE, async || {
        let answer = mesh.rig.call(Method::GET, path, "").await.ok()?;
        last = answer.body.to_string();
        last.contains(NOWHERE).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{last}\n{}", agent.process.log()));
    eventually("the agent has seen it", PATIENCE, async || {
        agent
            .process
            .log()
            .contains("envoy has rejected an update")
            .then_some(())
    })
    .await
    .expect("a line in the log");
    other.until_serving(&agent).await;

    mesh.rig.kill_control_plane();
    drop(agent);
    let agent = other.start(&mesh.rig);
    other.until_serving_in_time(&agent).await;
    until_source(agent.port, "LAST_GOOD").await;
    let log = agent.process.log();
    let (before, since) = log
        .rsplit_once("there is a last good configuration")
        .expect("the second agent");
    assert!(before.contains(NOWHERE) && !since.contains(NOWHERE), "{log}");
}
