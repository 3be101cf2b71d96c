//! An Envoy that speaks the state-of-the-world variant, as one with a bootstrap of the user's may: the agent passes it on,
//! keeps what is good of it, and an Envoy that starts in an outage is given that in the same variant.

use ferromesh_integration::{
    load::Load,
    rig::{eventually, ports, status, Modules, Rig, PATIENCE},
    two_colours::{route, TwoColours},
};
use serde_json::{json, Value};

use crate::agent::{spec, until_source, Agent, Gateway};

/// The agent's own bootstrap, with another variant of the protocol.
fn bootstrap(mesh: &TwoColours, gateway: &Gateway, socket: &str) -> String {
    let admin = ports::free().expect("a port");
    let mut command = gateway.command(&mesh.rig, admin, ports::free().expect("a port"));
    command
        .arg("--print-bootstrap")
        .env("APPNET_RELAY_LISTENER_UDS_PATH", socket);
    let printed = command.output().expect("a bootstrap");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let mut bootstrap: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    let ads = &mut bootstrap["dynamic_resources"]["ads_config"];
    assert_eq!(ads["api_type"], "DELTA_GRPC", "what is to be another");
    ads["api_type"] = json!("GRPC");
    let cluster = bootstrap["static_resources"]["clusters"][0].to_string();
    assert!(cluster.contains(socket), "{cluster}");
    // Two agents, one after the other: each Envoy takes a port of its own.
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    bootstrap.to_string()
}

/// Waits until all requests are answered by a colour.
async fn until_all_are(colour: &str, gateway: &Gateway, agent: &Agent) {
    let load = Load::to(gateway.url()).noting("x-colour");
    let changed = eventually("a change through the agent", PATIENCE, async || {
        let notes = load.clone().send(40).await.ok()?.notes();
        (notes.get(colour) == Some(&40)).then_some(())
    });
    changed
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_speaks_state_of_the_world_is_relayed_and_served_in_an_outage() {
    // Each change goes to everybody at once: stages are another test's.
    let arguments = ["--rollout", "immediate"].map(str::to_owned).to_vec();
    let rig = Rig::start_as(Modules::Built, arguments, None).await;
    let rig = rig.expect("a control plane");
    let mut mesh = TwoColours::start_on(rig, route([50, 50])).await.expect("the mesh");
    let mut other = Gateway::make(&mesh.rig, "other").await;
    let socket = mesh.rig.file("other.sock").display().to_string();
    let file = mesh.rig.file("sotw.json");
    std::fs::write(&file, bootstrap(&mesh, &other, &socket)).expect("written");
    other.variables = vec![
        ("ENVOY_CONFIG_FILE", file.display().to_string()),
        ("APPNET_RELAY_LISTENER_UDS_PATH", socket),
    ];
    let agent = other.start(&mesh.rig);
    other.until_serving(&agent).await;
    until_source(agent.port, "CONTROL_PLANE").await;
    other.until_kept().await;
    mesh.set_weights([0, 100]).await.expect("an update");
    until_all_are("green", &other, &agent).await;

    // A listener goes and another one comes: in this variant what is gone is only not there any more.
    let gone = other.url();
    let kept = || std::fs::read(other.last_good()).unwrap_or_default();
    let has = |port: u16| {
        let name = format!("_{port}").into_bytes();
        kept().windows(name.len()).any(|window| window == name)
    };
    let before = other.port;
    assert!(has(before), "the name of a listener has its port");
    let after = ports::free().expect("a port");
    let moved = json!({ "spec": spec(after) });
    let gateway = "meshes/colours/virtualGateways/other";
    mesh.rig.put(gateway, &moved).await.expect("an update");
    let settled = eventually("the listener before is forgotten", PATIENCE, async || {
        (has(after) && !has(before)).then_some(())
    });
    settled
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", agent.process.log()));
    other.port = after;
    until_all_are("green", &other, &agent).await;

    mesh.rig.kill_control_plane();
    until_source(agent.port, "LAST_GOOD").await;
    drop(agent);
    let agent = other.start(&mesh.rig);
    other.until_serving_in_time(&agent).await;
    until_source(agent.port, "LAST_GOOD").await;
    until_all_are("green", &other, &agent).await;
    assert_eq!(status(&gone).await, None, "nothing listens where it did before");

    mesh.rig.start_control_plane().await.expect("a restart");
    until_source(agent.port, "CONTROL_PLANE").await;
    mesh.set_weights([100, 0]).await.expect("an update");
    until_all_are("blue", &other, &agent).await;
}
