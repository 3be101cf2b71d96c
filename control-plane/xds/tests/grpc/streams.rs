//! What goes over the wire.

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::rpc;
use ferromesh_xds::Config;
use tonic::Code;

use crate::server::*;

fn text(s: &'static str) -> Bytes {
    Bytes::from_static(s.as_bytes())
}

#[tokio::test]
async fn resources_of_every_size_arrive_whole_in_both_variants() {
    let server = Server::start(Config::default()).await;
    let sizes = [0, 1, 100, 4095, 4096, 4097, 16_384, 70_000, 3_000_000];
    let values: Vec<(String, Bytes)> = sizes
        .iter()
        .map(|n| (format!("r{n}"), Bytes::from(vec![b'x'; *n])))
        .collect();
    let resources: Vec<(&str, &str, Bytes)> = values
        .iter()
        .map(|(name, value)| (LISTENER, name.as_str(), value.clone()))
        .collect();
    server.source.publish("n", &resources);

    let mut sotw = server.sotw("n").await;
    sotw.ask(LISTENER, &[]).await;
    let response = sotw.next().await;
    assert_eq!(response.control_plane.as_ref().unwrap().identifier, "ferromesh");
    let mut lengths: Vec<usize> = response.resources.iter().map(|r| r.value.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, sizes);
    assert!(response.resources.iter().all(|r| r.type_url == LISTENER));
    sotw.ack(&response, &[]).await;

    let mut delta = server.delta("n").await;
    delta.subscribe(LISTENER, &["*", "missing"]).await;
    let mut seen = Vec::new();
    while seen.len() < sizes.len() {
        let response = delta.next().await;
        if seen.is_empty() {
            assert_eq!(response.removed_resources, ["missing"]);
        }
        for resource in &response.resources {
            assert_eq!(resource.version.len(), 16);
            let any = resource.resource.as_ref().unwrap();
            assert_eq!(any.type_url, LISTENER);
            assert_eq!(resource.name, format!("r{}", any.value.len()));
            seen.push(any.value.len());
        }
        delta.ack(&response).await;
    }
    seen.sort_unstable();
    assert_eq!(seen, sizes);
}

#[tokio::test]
async fn changes_reach_every_stream_of_a_node_and_no_other() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[(CLUSTER, "a", text("1"))]);
    server.source.publish("m", &[(CLUSTER, "other", text("1"))]);
    let mut one = server.sotw("n").await;
    let mut two = server.delta("n").await;
    let mut other = server.sotw("m").await;
    one.ask(CLUSTER, &[]).await;
    two.subscribe(CLUSTER, &[]).await;
    other.ask(CLUSTER, &[]).await;
    let r = one.next().await;
    one.ack(&r, &[]).await;
    let r = two.next().await;
    two.ack(&r).await;
    assert_eq!(other.next().await.resources[0].value, b"1");
    server.source.publish("n", &[(CLUSTER, "a", text("2"))]);
    assert_eq!(one.next().await.resources[0].value, b"2");
    assert_eq!(two.next().await.resources[0].resource.as_ref().unwrap().value, b"2");
    assert_eq!(server.service.streams(), 3);
}

#[tokio::test]
async fn the_delivery_status_follows_from_sending_to_the_answer() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[(CLUSTER, "a", text("1"))]);
    let mut client = server.delta("n").await;
    client.subscribe(CLUSTER, &[]).await;
    let response = client.next().await;
    let clusters = |server: &Server| server.status.proxy("n")[0].types[CLUSTER].clone();
    assert!(clusters(&server).silent_since_seconds.is_some());
    client.ack(&response).await;
    server
        .until("the acknowledgement", |s| clusters(s).acked.is_some())
        .await;
    server.source.publish("n", &[(CLUSTER, "a", text("bad"))]);
    let response = client.next().await;
    let rejection = DeltaDiscoveryRequest {
        type_url: CLUSTER.into(),
        response_nonce: response.nonce.clone(),
        error_detail: Some(rpc::Status {
            code: 13,
            message: "no good".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.send(rejection).await;
    server.until("the rejection", |s| clusters(s).nacked.is_some()).await;
    let nack = clusters(&server).nacked.unwrap();
    assert_eq!(
        (nack.version, nack.message.as_str()),
        (response.system_version_info, "no good")
    );
    drop(client);
    server
        .until("the end", |s| s.status.proxy("n")[0].disconnected_at_seconds.is_some())
        .await;
    assert_eq!(server.service.streams(), 0);
}

#[tokio::test]
async fn wrong_first_requests_end_the_stream_with_invalid_argument() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[]);
    let node = || Some(node_of("n"));
    let wrong = [
        DiscoveryRequest {
            type_url: CLUSTER.into(),
            ..Default::default()
        },
        DiscoveryRequest {
            node: node(),
            ..Default::default()
        },
        DiscoveryRequest {
            node: Some(node_of("")),
            type_url: CLUSTER.into(),
            ..Default::default()
        },
    ];
    for request in wrong {
        let client = server.sotw("unused").await;
        client.requests.send(request).await.unwrap();
        let mut client = client;
        assert_eq!(client.end().await.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_node_that_the_source_refuses_or_that_changes_ends_the_stream() {
    let server = Server::start(Config::default()).await;
    let mut client = server.sotw("stranger").await;
    client.ask(CLUSTER, &[]).await;
    assert_eq!(client.end().await.code(), Code::PermissionDenied);

    server.source.publish("n", &[]);
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    let other = DiscoveryRequest {
        node: Some(node_of("m")),
        type_url: CLUSTER.into(),
        ..Default::default()
    };
    client.requests.send(other).await.unwrap();
    let status = client.end().await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "field `node.id` changed from `n` to `m` within the stream"
    );
    let record = &server.status.proxy("n")[0];
    assert_eq!(record.disconnect_reason.as_deref(), Some(status.message()));
}

#[tokio::test]
async fn a_node_without_a_snapshot_is_held_and_then_sent_away() {
    let config = Config {
        hold: std::time::Duration::from_millis(300),
        ..Config::default()
    };
    let server = Server::start(config).await;
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    let status = client.end().await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "there is no configuration for node `n`");
    // And one that comes in time is served as if nothing had been.
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    server.source.publish("n", &[(CLUSTER, "a", text("1"))]);
    assert_eq!(client.next().await.resources.len(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    server.source.publish("n", &[(CLUSTER, "a", text("2"))]);
    let r = DiscoveryRequest {
        type_url: LISTENER.into(),
        ..Default::default()
    };
    client.requests.send(r).await.unwrap();
    assert_eq!(client.next().await.type_url, LISTENER);
}

#[tokio::test]
async fn when_publishing_stops_the_client_is_told_to_come_again() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[]);
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    client.next().await;
    server.source.withdraw("n");
    assert_eq!(client.end().await.code(), Code::Unavailable);
}

#[tokio::test]
async fn draining_ends_streams_politely_and_takes_no_new_ones() {
    let server = Server::start(Config::default()).await;
    server.source.publish("n", &[]);
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    client.next().await;
    server.service.drain();
    assert_eq!(client.end().await.code(), Code::Ok);
    let refused = Sotw::open(server.channel().await, "n").await.err().unwrap();
    assert_eq!(refused.code(), Code::Unavailable);
    server
        .until("the end of all streams", |s| s.service.streams() == 0)
        .await;
}

#[tokio::test]
async fn a_stream_of_age_ends_politely() {
    let config = Config {
        max_stream_age: Some(std::time::Duration::from_millis(200)),
        ..Config::default()
    };
    let server = Server::start(config).await;
    server.source.publish("n", &[]);
    let mut client = server.sotw("n").await;
    client.ask(CLUSTER, &[]).await;
    assert_eq!(client.end().await.code(), Code::Ok);
}

#[tokio::test]
async fn an_envoy_that_has_lost_its_clusters_is_told_to_come_again() {
    let deadline = Some(std::time::Duration::from_millis(200));
    let server = Server::start(Config {
        cluster_deadline: deadline,
        ..Config::default()
    })
    .await;
    server
        .source
        .publish("n", &[(CLUSTER, "a", text("1")), (LISTENER, "l", text("1"))]);
    let envoy = || DiscoveryRequest {
        node: Some(envoy_types::pb::envoy::config::core::v3::Node {
            user_agent_name: "envoy".into(),
            ..node_of("n")
        }),
        type_url: LISTENER.into(),
        ..Default::default()
    };
    let mut client = server.sotw("unused").await;
    client.requests.send(envoy()).await.unwrap();
    assert_eq!(client.end().await.code(), Code::Unavailable);
    // Another client may live without.
    let mut client = server.sotw("n").await;
    client.ask(LISTENER, &[]).await;
    let r = client.next().await;
    client.ack(&r, &[]).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    server
        .source
        .publish("n", &[(CLUSTER, "a", text("1")), (LISTENER, "l", text("2"))]);
    client.next().await;
}
