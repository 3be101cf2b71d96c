//! kill -9 at random moments of a write load: nothing acknowledged is lost, no change set is half there, the start is fast.
//!
//! Ten kills in the normal run; `FERROMESH_FULL=1` makes it a thousand:
//! `FERROMESH_FULL=1 cargo test -p ferromesh-integration --test store kills -- --nocapture`.

use std::time::{Duration, Instant};

use ferromesh_integration::rig::{Modules, Rig};
use serde_json::json;

use super::{
    is_full,
    write_load::{fill, Writers},
};

/// What the issue asks of a start, with some thousand resources.
const START_LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_killed_while_it_writes_loses_nothing_and_starts_at_once() {
    let kills = if is_full() { 1000 } else { 10 };
    let mut rig = Rig::start_with(Modules::Absent).await.expect("a control plane");
    // What is there already, apart: a change set is judged together with its whole mesh.
    for mesh in ["m", "full"] {
        rig.put("meshes", &json!({"meshName": mesh})).await.expect("a mesh");
    }
    fill(&rig, "full", 2000).await;
    let writers = Writers::new("m", 4);
    let mut slowest = Duration::ZERO;
    // A fixed sequence: a failure comes again.
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 1..=kills {
        let running = writers.start(&rig.address());
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(30 + (chance >> 33) % 400)).await;
        rig.kill_control_plane();
        running.stop().await;
        let began = Instant::now();
        rig.start_control_plane().await.expect("it starts again");
        let took = began.elapsed();
        assert!(took < START_LIMIT, "kill {kill}: the start took {took:?}");
        slowest = slowest.max(took);
        writers.check(&rig, &format!("kill {kill}")).await;
        if kill % 100 == 0 {
            println!(
                "{kill} kills, {} change sets, slowest start {slowest:?}",
                writers.acknowledged()
            );
        }
    }
    let nodes = rig
        .get("meshes/full/virtualNodes/filler-1999")
        .await
        .expect("what nobody wrote to");
    assert_eq!(nodes["metadata"]["version"], 1);
    assert!(writers.acknowledged() > kills, "{} change sets", writers.acknowledged());
    println!(
        "{kills} kills, {} change sets of 5 resources acknowledged, slowest start {slowest:?} with 2000 resources",
        writers.acknowledged()
    );
}
