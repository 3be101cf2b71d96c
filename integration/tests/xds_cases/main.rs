//! Cases of the xDS protocol at the whole product, by a client that is neither Envoy nor ours: gRPC's C core.
//!
//! The bulk of the cases is in `control-plane/xds/tests`, see `CASES.md` there. Here is what only the whole can show: what is
//! the same after a restart, and limits that are flags.

mod client;

use std::collections::BTreeMap;

use anyhow::Result;
use client::{Ask, Client};
use ferromesh_integration::rig::{Modules, Rig};
use ferromesh_integration::two_colours;
use serde_json::json;

const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// Of no resource: what is asked for is answered at once, and after everything else.
const MARK: &str = "type.googleapis.com/test.Mark";
const NODE: &str = "mesh/colours/virtualNode/green";

/// A mesh in which `green` calls `blue`.
async fn rig_with(arguments: &[&str]) -> Result<Rig> {
    let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
    let rig = Rig::start_as(Modules::Built, arguments, None).await?;
    rig.put("meshes", &json!({"meshName": "colours"})).await?;
    for (name, port) in [("blue", 9001), ("green", 9002)] {
        let mut spec = two_colours::node(port);
        if name == "green" {
            spec["backends"] = json!([{"virtualService": {"virtualServiceName": "blue.test"}}]);
        }
        let node = json!({"virtualNodeName": name, "spec": spec});
        rig.put("meshes/colours/virtualNodes", &node).await?;
        if name == "blue" {
            let provider = json!({"virtualNode": {"virtualNodeName": "blue"}});
            let service = json!({"virtualServiceName": "blue.test", "spec": {"provider": provider}});
            rig.put("meshes/colours/virtualServices", &service).await?;
        }
    }
    Ok(rig)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_delta_client_has_is_not_sent_again_after_a_kill_and_its_local_cluster_is_tolerated() -> Result<()> {
    let mut rig = rig_with(&[]).await?;
    let mut client = Client::open(&rig, "delta").await?;
    let mut held: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for type_url in [CLUSTER, LISTENER] {
        let first = Ask::of(type_url).from(NODE);
        client.send(&first).await?;
        let response = client.next_of(type_url).await?;
        assert!(!response.resources.is_empty(), "{response:?}");
        held.insert(type_url, response.versions());
        client.ack(&response).await?;
    }
    // As App Mesh's agent does.
    client.send(&Ask::of(ENDPOINT).named("local_cluster")).await?;
    let response = client.next_of(ENDPOINT).await?;
    assert_eq!(
        (response.removed.as_slice(), response.resources.len()),
        (&["local_cluster".to_owned()][..], 0)
    );
    client.ack(&response).await?;

    rig.kill_control_plane();
    rig.start_control_plane().await?;
    let mut client = Client::open(&rig, "delta").await?;
    for type_url in [CLUSTER, LISTENER] {
        let again = Ask::of(type_url).from(NODE).having(&held[type_url]);
        client.send(&again).await?;
    }
    client.send(&Ask::of(MARK).named("mark")).await?;
    let response = client.next().await?;
    assert_eq!(response.type_url, MARK, "nothing comes before it: {response:?}");
    drop(client);
    rig.shut_down()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_variants_give_the_same_and_the_state_of_the_world_survives_a_kill_too() -> Result<()> {
    let mut rig = rig_with(&[]).await?;
    let mut sotw = Client::open(&rig, "sotw").await?;
    let mut delta = Client::open(&rig, "delta").await?;
    let mut clusters = None;
    for type_url in [CLUSTER, LISTENER] {
        for client in [&mut sotw, &mut delta] {
            client.send(&Ask::of(type_url).from(NODE)).await?;
        }
        let (one, other) = (sotw.next_of(type_url).await?, delta.next_of(type_url).await?);
        assert_eq!(one.contents(), other.contents(), "{type_url}");
        sotw.ack(&one).await?;
        delta.ack(&other).await?;
        clusters = clusters.or(Some(one.version));
    }
    rig.kill_control_plane();
    rig.start_control_plane().await?;
    let mut sotw = Client::open(&rig, "sotw").await?;
    sotw.send(&Ask::of(CLUSTER).from(NODE).at(clusters.as_deref().unwrap_or_default()))
        .await?;
    sotw.send(&Ask::of(LISTENER)).await?;
    let response = sotw.next().await?;
    // Clusters would have come first.
    assert_eq!(response.type_url, LISTENER, "{response:?}");
    drop((sotw, delta));
    rig.shut_down()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_proxy_more_than_a_node_may_have_is_refused_with_code_8() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("serve.yaml");
    std::fs::write(&file, "quotas: {envoysPerVirtualNode: 2}\n")?;
    let rig = rig_with(&["--config", &file.to_string_lossy()]).await?;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(&rig, "delta").await?;
        client.send(&Ask::of(CLUSTER).from(NODE)).await?;
        client.next_of(CLUSTER).await?;
        open.push(client);
    }
    let mut third = Client::open(&rig, "delta").await?;
    third.send(&Ask::of(CLUSTER).from(NODE)).await?;
    let (code, message) = third.end().await?;
    assert_eq!(code, 8, "{message}");
    assert!(message.contains("quota is 2"), "{message}");
    drop((open, third));
    rig.shut_down()
}
