//! A gateway's listener moves to another port, which may be refused: names of listeners say their ports, so the change is one
//! listener that goes and another one that comes.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use ferromesh_integration::{
    rig::{eventually, ports, wait_for_status, PATIENCE},
    two_colours::TwoColours,
};
use reqwest::Method;
use serde_json::Value;

use super::listeners::{listener, port_of, set, until_closed};

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// What the gateway's Envoy has said of listeners that it refuses.
async fn refusal(mesh: &TwoColours) -> Option<String> {
    let path = "/v1/proxies/mesh/colours/virtualGateway/gateway";
    let shown = mesh.rig.accepted(Method::GET, path, &Value::Null).await.ok()?;
    let streams = shown["streams"].as_array()?;
    let messages = streams
        .iter()
        .map(|stream| &stream["types"][LISTENER]["nacked"]["message"]);
    messages.filter_map(Value::as_str).next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_new_port_is_taken_serves_on_at_the_old_one_and_the_status_says_why() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let old = port_of(&mesh);
    let load = mesh.load().per_second(200).start().await.expect("load");
    // Without the option by which sockets share a port.
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    let new = taken.local_addr().expect("an address").port();
    set(&mesh, vec![listener(new)]).await;
    let said = eventually("the refusal in the status", PATIENCE, async || refusal(&mesh).await)
        .await
        .expect("a reason");
    assert!(said.contains("Address already in use"), "{said}");
    // Longer than a stream waits before it takes away clusters.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = load.stop().await;
    report.assert_no_failures("a port that is taken");
    assert!(report.len() > 100, "only {} requests", report.len());

    let free = ports::free().expect("a port");
    set(&mesh, vec![listener(free)]).await;
    wait_for_status(&format!("http://127.0.0.1:{free}/"), 200)
        .await
        .expect("the new listener serves");
    until_closed(old).await;
    assert_eq!(refusal(&mesh).await, None);
    drop(taken);
}
