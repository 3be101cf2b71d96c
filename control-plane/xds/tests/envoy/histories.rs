//! What an Envoy has in the end does not depend on how it came there.

use std::time::{Duration, Instant};

use ferromesh_xds::stream::Protocol;

use crate::control::{Control, PATIENCE};
use crate::proxy::{upstream, Load, Proxy};
use crate::resources::Mesh;
use crate::{in_both, serving};

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_random_history_an_envoy_has_what_a_fresh_one_has() {
    let upstreams = [upstream("0").await, upstream("1").await, upstream("2").await];
    in_both(|protocol| async move {
        let control = Control::start().await;
        let mut dice = Dice(if protocol == Protocol::Delta { 7 } else { 11 });
        let mut mesh = Mesh::new(&[("c0", upstreams[0])]);
        mesh.route = "c0".into();
        mesh.stamp = Some(("stamp".into(), "first".into()));
        control.publish(&mesh);
        let envoy = Proxy::start(protocol, control.port()).await;
        envoy.until_answer(mesh.port, "0").await;
        let load = Load::start(mesh.port);
        for _ in 0..25 {
            // Everything may change in one step: which clusters there are and of which kind, their settings, the
            // route, the filter's configuration. Often before the one before is acknowledged.
            mesh.clusters.clear();
            mesh.eds_clusters.clear();
            for n in 0..4 {
                let address = upstreams[dice.roll(3) as usize];
                match dice.roll(3) {
                    0 => drop(mesh.clusters.insert(format!("c{n}"), address)),
                    1 => drop(mesh.eds_clusters.insert(format!("c{n}"), address)),
                    _ => {}
                }
            }
            let mut names: Vec<String> = mesh.clusters.keys().chain(mesh.eds_clusters.keys()).cloned().collect();
            if names.is_empty() {
                mesh.eds_clusters.insert("c4".into(), upstreams[0]);
                names.push("c4".into());
            }
            mesh.route = names[dice.roll(names.len() as u64) as usize].clone();
            mesh.connect_timeout_seconds = 1 + dice.roll(2) as i64;
            mesh.stamp = Some(("stamp".into(), format!("step {}", dice.roll(3))));
            control.publish(&mesh);
            if dice.roll(6) == 0 {
                control.end_streams();
            }
            tokio::time::sleep(Duration::from_millis(dice.roll(200))).await;
        }
        let fresh = Proxy::start(protocol, control.port()).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (lived, new) = (envoy.dump().await, fresh.dump().await);
            let is_whole = new.to_string().contains("\"route_config\"");
            if is_whole && lived == new {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{protocol:?}: after a history {lived:#}\nafresh {new:#}\n{:#?}",
                control.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        load.none_has_failed().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_configuration_changes_and_comes_with_a_changed_listener_without_a_failed_request() {
    in_both(|protocol| async move {
        let blue = upstream("blue").await;
        let mut mesh = Mesh::new(&[("blue", blue)]);
        mesh.route = "blue".into();
        mesh.stamp = Some(("stamp".into(), "0".into()));
        let (control, envoy) = serving(protocol, &mesh, "blue").await;
        let until = async |value: &str| {
            let what = format!("the stamp `{value}`");
            let is_there = || async { envoy.stamp(mesh.port).await.as_deref() == Some(value) };
            envoy.until(&what, PATIENCE, is_there).await;
        };
        until("0").await;
        let load = Load::start(mesh.port);
        for value in ["1", "2", "3"] {
            let mut next = mesh.clone();
            next.stamp = Some(("stamp".into(), value.into()));
            control.publish(&next);
            until(value).await;
        }
        // A listener with a filter of another name, whose configuration Envoy has never seen: the old one serves
        // until the new one has it.
        let mut next = mesh.clone();
        next.stamp = Some(("another".into(), "4".into()));
        next.stat_prefix = "changed".into();
        control.publish(&next);
        until("4").await;
        load.none_has_failed().await;
    })
    .await;
}
