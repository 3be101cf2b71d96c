//! A listener's name says its port, as App Mesh's do: a change of the port takes one listener away and brings another.
//!
//! Of a response of listeners Envoy does the removals first, and refuses single listeners after that.

use std::time::Duration;

use ferromesh_xds::stream::Protocol;
use ferromesh_xds::type_url::{EXTENSION, LISTENER, ROUTE};

use crate::control::Control;
use crate::proxy::{free_port, upstream, Load, Proxy};
use crate::resources::Mesh;
use crate::{in_both, serving};

/// A mesh at this port that shares nothing with one at another port.
fn at(port: u16, cluster: &str, address: std::net::SocketAddr) -> Mesh {
    let mut mesh = Mesh::new(&[(cluster, address)]);
    mesh.port = port;
    mesh.listener = format!("listener_{port}");
    mesh.routes = format!("routes_{port}");
    mesh.stamp = Some((format!("stamp_{port}"), cluster.to_owned()));
    mesh.route = cluster.into();
    mesh
}

/// Until the port is closed. Up to then somebody must answer: the old listener, or else the new one.
async fn until_only(envoy: &Proxy, old: u16, new: u16, answer: &str) {
    let wait = async {
        loop {
            let before = envoy.get(old).await;
            let after = envoy.get(new).await;
            match before.0 {
                0 if after == (200, answer.to_owned()) => return,
                200 => {}
                _ => panic!("the old port answers {before:?}, the new one {after:?}"),
            }
        }
    };
    let done = tokio::time::timeout(crate::control::PATIENCE, wait).await;
    assert!(done.is_ok(), "the old port is never closed");
}

/// Updates of the type that removed something, or left out what was there before.
fn removals(control: &Control, protocol: Protocol, type_url: &str, name: &str) -> usize {
    let sent = format!("sent {type_url} ");
    let log = control.log();
    let lines = log.iter().filter(|line| line.starts_with(&sent));
    let quoted = format!("{name:?}");
    let goes = |line: &&String| {
        let (here, gone) = line.rsplit_once(" -").unwrap_or((line.as_str(), ""));
        match protocol {
            Protocol::Delta => gone.contains(&quoted),
            Protocol::StateOfTheWorld => !here.contains(name),
        }
    };
    lines.filter(goes).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_leaves_the_listener_at_the_old_one_with_all_it_needs() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let old = at(free_port(), "blue", blue);
        let (control, envoy) = serving(protocol, &old, "blue").await;
        control.until_all_acked().await;
        let load = Load::start(old.port);
        // Without the option by which sockets share a port.
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut new = at(taken.local_addr().unwrap().port(), "green", green);
        control.publish(&new);
        let message = control.until_nacked(LISTENER).await;
        assert!(message.contains("Address already in use"), "{message}");
        // As long as a removal of clusters would take, and more.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(envoy.get(old.port).await, (200, "blue".into()), "{:#?}", control.log());
        assert_eq!(envoy.stamp(old.port).await.as_deref(), Some("blue"));
        for (type_url, name) in [(LISTENER, &old.listener), (ROUTE, &old.routes)] {
            let count = if type_url == ROUTE && protocol == Protocol::StateOfTheWorld {
                // A part of the route tables takes none away.
                0
            } else {
                removals(&control, protocol, type_url, name)
            };
            assert_eq!(count, 0, "{:#?}", control.log());
        }
        load.none_has_failed().await;

        drop(taken);
        new.stat_prefix = "again".into();
        control.publish(&new);
        until_only(&envoy, old.port, new.port, "green").await;
        assert_eq!(envoy.stamp(new.port).await.as_deref(), Some("green"));
        let version = new
            .seal()
            .resources(ferromesh_xds::type_url::CLUSTER)
            .version()
            .to_string();
        envoy.until_clusters_are(&version, crate::control::PATIENCE).await;
        control.until_all_acked().await;
        assert!(control.sent(EXTENSION) >= 2, "{:#?}", control.log());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_moves_from_port_to_port_and_somebody_always_answers() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let mut now = at(free_port(), "blue", blue);
        let (control, envoy) = serving(protocol, &now, "blue").await;
        for round in 0..4 {
            let (name, address) = if round % 2 == 0 {
                ("green", green)
            } else {
                ("blue", blue)
            };
            let next = at(free_port(), name, address);
            control.publish(&next);
            until_only(&envoy, now.port, next.port, name).await;
            now = next;
        }
        control.until_all_acked().await;
        let nacked = control.log().into_iter().find(|line| line.starts_with("nacked"));
        assert_eq!(nacked, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_another_name_takes_over_the_port_in_one_step() {
    in_both(|protocol| async move {
        let (blue, green) = (upstream("blue").await, upstream("green").await);
        let old = at(free_port(), "blue", blue);
        let (control, envoy) = serving(protocol, &old, "blue").await;
        let mut new = at(old.port, "green", green);
        new.listener = "another".into();
        new.routes = "others".into();
        control.publish(&new);
        envoy.until_answer(new.port, "green").await;
        control.until_all_acked().await;
        let log = control.log();
        assert!(!log.iter().any(|line| line.starts_with("nacked")), "{log:#?}");
        assert_eq!(removals(&control, protocol, LISTENER, &old.listener), 1, "{log:#?}");
        assert_eq!(control.sent(LISTENER), 2, "{log:#?}");
    })
    .await;
}
