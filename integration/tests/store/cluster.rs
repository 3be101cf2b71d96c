//! An etcd of three members under two control planes: one knows a single member, the other all. What that member goes
//! through, the first control plane goes through with it; the second goes on with the majority.

use std::time::Duration;

use ferromesh_integration::rig::{eventually, EtcdCluster, Modules, Rig, PATIENCE};
use reqwest::Method;
use serde_json::{json, Value};

use super::{
    is_full,
    linearizable::{prepare, round, Ordered},
};

const NODE: &str = "meshes/m/virtualNodes/probe";

/// A node whose specs count up.
fn spec(value: u64) -> Value {
    json!({"spec": {"serviceDiscovery": {"dns": {"hostname": format!("p{value}.local")}}}})
}

async fn hostname(rig: &Rig) -> Value {
    let node = rig.get(NODE).await.expect("reads go on");
    node["spec"]["serviceDiscovery"]["dns"]["hostname"].clone()
}

async fn page(rig: &Rig, page: &str) -> String {
    let answer = reqwest::get(format!("http://{}/{page}", rig.address())).await;
    answer.expect("an answer").text().await.expect("a text")
}

/// Waits until a control plane takes writes.
async fn writes(rig: &Rig, value: u64) {
    let written = eventually("writes resume", PATIENCE, async || {
        rig.put(NODE, &spec(value)).await.ok()
    });
    written.await.expect("writes resume");
}

/// Waits until a control plane has lost the majority, and looks at what it does then.
async fn is_read_only(rig: &Rig) {
    let known = hostname(rig).await;
    let refused = eventually("writes are refused", PATIENCE, async || {
        let path = format!("/v20190125/{NODE}");
        let answer = rig.call(Method::PUT, &path, spec(0).to_string()).await.ok()?;
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.await.expect("writes are refused");
    assert_eq!(
        (refused.status, refused.error.as_str()),
        (503, "ServiceUnavailableException")
    );
    let said = eventually("it says so", PATIENCE, async || {
        let ready = page(rig, "readyz").await;
        (ready.starts_with("ok\nstore: read-only since ") && ready.contains("etcd")).then_some(())
    });
    said.await.expect("it says that it is read-only");
    assert!(page(rig, "metrics").await.contains("\nferromesh_store_read_only 1\n"));
    assert_eq!(hostname(rig).await, known, "the last good state is served");
}

async fn is_whole(rig: &Rig) {
    let whole = eventually("it is whole", PATIENCE, async || {
        (page(rig, "readyz").await == "ok\n").then_some(())
    });
    whole.await.expect("it says that it takes writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_without_a_majority_reads_and_the_others_write() {
    let mut etcd = EtcdCluster::start().await.expect("etcd");
    let leader = etcd.leader().await.expect("a leader");
    // Of those that do not lead.
    let (own, third) = ((leader + 1) % 3, (leader + 2) % 3);
    let start = async |members: &[usize]| {
        let arguments = etcd.arguments(members).expect("arguments");
        let rig = Rig::start_as(Modules::Absent, arguments, None).await;
        rig.expect("a control plane")
    };
    let mut rigs = [start(&[own]).await, start(&[leader, own, third]).await];
    prepare(&rigs).await;
    let body = json!({"virtualNodeName": "probe", "spec": spec(0)["spec"]});
    rigs[0].put("meshes/m/virtualNodes", &body).await.expect("a node");

    // The member of the first is cut off; the second does not wait for it.
    etcd.freeze(own).expect("a member");
    writes(&rigs[1], 1).await;
    is_read_only(&rigs[0]).await;
    writes(&rigs[1], 2).await;
    assert_eq!(hostname(&rigs[1]).await, "p2.local");
    etcd.thaw(own).expect("a member");
    let caught_up = eventually("the first catches up", PATIENCE, async || {
        (hostname(&rigs[0]).await == "p2.local").then_some(())
    });
    caught_up.await.expect("the first catches up");
    writes(&rigs[0], 3).await;
    is_whole(&rigs[0]).await;
    assert_eq!(hostname(&rigs[1]).await, "p3.local");

    let mut operations = 0;
    for number in 0..if is_full() { 20 } else { 1 } {
        // The leader dies under load, and comes back.
        let leader = etcd.leader().await.expect("a leader");
        operations += round(&mut rigs, Ordered::Writes, "the leader dies", async |rigs| {
            etcd.kill(leader);
            tokio::time::sleep(Duration::from_millis(500)).await;
            etcd.resume(leader).await.expect("a restart");
            for (index, rig) in rigs.iter().enumerate() {
                writes(rig, 100 + 10 * number + index as u64).await;
            }
        })
        .await;
        // A member that does not lead stands still under load.
        let leader = etcd.leader().await.expect("a leader");
        operations += round(&mut rigs, Ordered::Writes, "a member stands still", async |rigs| {
            let still = (leader + 1) % 3;
            etcd.freeze(still).expect("a member");
            tokio::time::sleep(Duration::from_millis(500)).await;
            etcd.thaw(still).expect("a member");
            for (index, rig) in rigs.iter().enumerate() {
                writes(rig, 105 + 10 * number + index as u64).await;
            }
        })
        .await;
    }
    println!("{operations} writes, all in an order");
    assert!(operations > 20, "{operations} writes");

    if is_full() {
        // No majority anywhere: both read, and both write when it is back.
        let leader = etcd.leader().await.expect("a leader");
        let still = [leader, (leader + 1) % 3];
        for member in still {
            etcd.freeze(member).expect("a member");
        }
        for rig in &rigs {
            is_read_only(rig).await;
        }
        for member in still {
            etcd.thaw(member).expect("a member");
        }
        for (index, rig) in rigs.iter().enumerate() {
            writes(rig, 1_000 + index as u64).await;
            is_whole(rig).await;
        }
    }
}
