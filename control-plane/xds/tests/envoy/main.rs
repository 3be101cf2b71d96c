//! The service and a stock Envoy, in both variants of the protocol.

mod control;
mod histories;
mod ports;
mod proxy;
mod reconnects;
mod resources;

use std::time::Duration;

use control::Control;
use ferromesh_xds::stream::Protocol;
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};
use proxy::{slow_dns, upstream, Proxy};
use resources::Mesh;

const BOTH: [Protocol; 2] = [Protocol::StateOfTheWorld, Protocol::Delta];

/// Both variants at a time, because most of the time is Envoy's start.
async fn in_both<F: std::future::Future<Output = ()>>(test: impl Fn(Protocol) -> F) {
    tokio::join!(test(BOTH[0]), test(BOTH[1]));
}

/// A control plane with this mesh, and an Envoy that has it: its listener gives this answer.
async fn serving(protocol: Protocol, mesh: &Mesh, answer: &str) -> (Control, Proxy) {
    let control = Control::start().await;
    control.publish(mesh);
    let envoy = Proxy::start(protocol, control.port()).await;
    envoy.until_answer(mesh.port, answer).await;
    (control, envoy)
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_change_and_a_restart_of_the_server_pushes_nothing() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut mesh = Mesh::new(&[("blue", blue), ("green", green)]);
        mesh.route = "blue".into();
        let (mut control, envoy) = serving(protocol, &mesh, "blue").await;
        control.until_all_acked().await;
        assert_eq!(control.sent(CLUSTER), 1, "{protocol:?}");
        assert_eq!(control.sent(LISTENER), 1);
        assert_eq!(control.sent(ROUTE), 1);

        mesh.route = "green".into();
        control.publish(&mesh);
        envoy.until_answer(mesh.port, "green").await;
        control.until_all_acked().await;
        assert_eq!((control.sent(ROUTE), control.sent_in_all()), (2, 4));
        let dump = envoy.admin("/config_dump?resource=dynamic_route_configs").await;
        assert!(dump.contains("\"cluster\": \"green\""), "{dump}");
        let routes = mesh.seal();
        let version = match protocol {
            Protocol::StateOfTheWorld => routes.resources(ROUTE).version().to_string(),
            Protocol::Delta => routes.resources(ROUTE).get("routes").unwrap().version().to_string(),
        };
        assert!(
            dump.contains(&format!("\"version_info\": \"{version}\"")),
            "{version} in {dump}"
        );

        control.restart().await;
        control.publish(&mesh);
        control.until_connected().await;
        // As long as an Envoy takes to ask for everything, and much more.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(control.sent_in_all(), 0, "{protocol:?}: {:?}", control.log());
        assert_eq!(envoy.get(mesh.port).await, (200, "green".into()));

        mesh.route = "blue".into();
        control.publish(&mesh);
        envoy.until_answer(mesh.port, "blue").await;
        control.until_all_acked().await;
        assert_eq!((control.sent(ROUTE), control.sent_in_all()), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_cluster_warms_with_unchanged_endpoints() {
    in_both(|protocol| async move {
        let blue = upstream("blue").await;
        let mut mesh = Mesh::new(&[]);
        mesh.eds_clusters.insert("blue".into(), blue);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        for seconds in 2..6 {
            mesh.connect_timeout_seconds = seconds;
            control.publish(&mesh);
            let version = mesh.seal().resources(CLUSTER).version().to_string();
            // Without its endpoints the cluster would warm for 15 s.
            envoy.until_clusters_are(&version, Duration::from_secs(10)).await;
            assert_eq!(envoy.get(mesh.port).await, (200, "blue".into()));
        }
        control.until_all_acked().await;
        assert!(control.sent(ENDPOINT) >= 5, "{:?}", control.log());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_cluster_warms_after_a_restart_of_the_server() {
    in_both(|protocol| async move {
        let blue = upstream("blue").await;
        let mut mesh = Mesh::new(&[]);
        mesh.eds_clusters.insert("blue".into(), blue);
        mesh.route = "blue".into();
        let (mut control, envoy) = serving(protocol, &mesh, "blue").await;
        control.until_all_acked().await;

        control.restart().await;
        mesh.connect_timeout_seconds = 7;
        control.publish(&mesh);
        let version = mesh.seal().resources(CLUSTER).version().to_string();
        envoy.until_clusters_are(&version, Duration::from_secs(20)).await;
        assert_eq!(envoy.get(mesh.port).await, (200, "blue".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_and_its_route_come_without_a_failed_request() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        for round in 0..5 {
            let (name, address) = if round % 2 == 0 {
                ("green", green)
            } else {
                ("blue", blue)
            };
            // The other cluster goes in the same step in which this one comes.
            let mut next = Mesh::new(&[(name, address)]);
            next.port = mesh.port;
            next.route = name.into();
            control.publish(&next);
            let mut answer = String::new();
            while answer != name {
                let (status, body) = envoy.get(mesh.port).await;
                assert_eq!(status, 200, "{protocol:?}, round {round}: {body}");
                answer = body;
            }
            let version = next.seal().resources(CLUSTER).version().to_string();
            envoy.until_clusters_are(&version, Duration::from_secs(10)).await;
            assert_eq!(envoy.get(mesh.port).await, (200, name.into()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_to_a_new_cluster_comes_when_its_slow_name_is_resolved() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let delay = Duration::from_millis(1500);
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        mesh.dns = Some(slow_dns(delay).await);
        mesh.dns_clusters.insert("green.test".into(), green.port());
        mesh.route = "green.test".into();
        let start = std::time::Instant::now();
        control.publish(&mesh);
        let mut answer = String::new();
        while answer != "green" {
            let (status, body) = envoy.get(mesh.port).await;
            assert_eq!(status, 200, "{protocol:?}, after {:?}: {body}", start.elapsed());
            answer = body;
        }
        assert!(start.elapsed() >= delay, "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_listener_leaves_the_old_one_and_tells_why() {
    in_both(|protocol| async move {
        let blue = upstream("blue").await;
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        mesh.broken_listener = true;
        control.publish(&mesh);
        let message = control.until_nacked(LISTENER).await;
        assert!(message.contains("no.such.filter"), "{message}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(control.sent(LISTENER), 2, "{protocol:?}: {:?}", control.log());
        assert_eq!(envoy.get(mesh.port).await, (200, "blue".into()));
        mesh.broken_listener = false;
        mesh.stat_prefix = "mended".into();
        control.publish(&mesh);
        control.until_all_acked().await;
        assert_eq!(control.sent(LISTENER), 3);
    })
    .await;
}
