//! Streams that end, servers that go and come: requests go on.

use std::time::Duration;

use ferromesh_xds::type_url::CLUSTER;
use ferromesh_xds::Config;

use crate::control::{Control, PATIENCE};
use crate::proxy::{upstream, Load, Proxy};
use crate::resources::Mesh;
use crate::{in_both, serving};

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_end_while_a_cluster_and_its_route_are_replaced_fail_no_request() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        control.until_all_acked().await;
        let load = Load::start(mesh.port);
        for round in 0..4 {
            let (name, address) = [("green", green), ("blue", blue)][round % 2];
            let mut next = Mesh::new(&[(name, address)]);
            next.port = mesh.port;
            next.route = name.into();
            // The client sees the change only on its next stream, and the server has seen it on this one.
            let connections = control.connections();
            control.end_streams();
            control.publish(&next);
            control.until_connections(connections + 1).await;
            let version = next.seal().resources(CLUSTER).version().to_string();
            envoy.until_clusters_are(&version, PATIENCE).await;
            envoy.until_answer(mesh.port, name).await;
        }
        load.none_has_failed().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_server_and_a_successor_with_an_unread_store_fail_no_request() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut mesh = Mesh::new(&[("blue", blue), ("green", green)]);
        mesh.route = "blue".into();
        let (mut control, envoy) = serving(protocol, &mesh, "blue").await;
        control.until_all_acked().await;
        let load = Load::start(mesh.port);
        control.drain();
        tokio::time::sleep(Duration::from_millis(500)).await;
        control.restart().await;
        control.until_connected().await;
        // Nothing is known yet, so nothing may be said: not even that there is nothing.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(control.sent_in_all(), 0, "{protocol:?}: {:?}", control.log());
        control.publish(&mesh);
        mesh.route = "green".into();
        control.publish(&mesh);
        envoy.until_answer(mesh.port, "green").await;
        load.none_has_failed().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_does_not_ask_for_clusters_is_told_to_come_again_and_serves_on() {
    in_both(|protocol| async move {
        let blue = upstream("blue").await;
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        let config = Config {
            cluster_deadline: Some(Duration::from_millis(300)),
            ..Config::default()
        };
        let control = Control::start_with(config).await;
        control.publish(&mesh);
        let envoy = Proxy::start_without_clusters(protocol, control.port(), "blue", blue).await;
        envoy.until_answer(mesh.port, "blue").await;
        let load = Load::start(mesh.port);
        control.until_connections(3).await;
        load.none_has_failed().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_megabytes_of_clusters_are_taken_and_a_change_among_them_too() {
    in_both(|protocol| async move {
        let names: Vec<String> = (0..9).map(|n| format!("blue-{n}")).collect();
        let blue = upstream("blue").await;
        let clusters: Vec<(&str, _)> = names.iter().map(|n| (n.as_str(), blue)).collect();
        let mut mesh = Mesh::new(&clusters);
        mesh.route = names[0].clone();
        mesh.ballast = 1_000_000;
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        mesh.connect_timeout_seconds = 2;
        control.publish(&mesh);
        control.until_all_acked().await;
        let nacks: Vec<String> = control.log().into_iter().filter(|l| l.starts_with("nacked")).collect();
        assert!(nacks.is_empty(), "{nacks:?}");
        assert_eq!(envoy.get(mesh.port).await, (200, "blue".into()));
    })
    .await;
}

/// It is there, and answers nobody: pings tell.
#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_hangs_loses_its_stream_and_has_what_changed_when_it_goes_on() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut mesh = Mesh::new(&[("blue", blue), ("green", green)]);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        control.until_all_acked().await;
        envoy.signal("STOP");
        control.until_disconnected().await;
        mesh.route = "green".into();
        control.publish(&mesh);
        envoy.signal("CONT");
        envoy.until_answer(mesh.port, "green").await;
    })
    .await;
}
