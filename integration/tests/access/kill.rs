//! What was acknowledged is in the audit record, however the process ended.

use std::{
    collections::BTreeSet,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex,
    },
    time::Duration,
};

use ferromesh_integration::rig::{Modules, Rig};
use serde_json::{json, Value};

/// Ends by kill -9 in the middle of writing.
const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_change_has_its_record_after_kill_9() {
    let mut rig = Rig::start_as(Modules::Built, Vec::new(), None)
        .await
        .expect("a control plane");
    let url = format!("http://{}", rig.address());
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for round in 0..KILLS {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for writer in 0..4 {
            let (client, url) = (client.clone(), url.clone());
            let (is_over, acknowledged) = (Arc::clone(&is_over), Arc::clone(&acknowledged));
            writers.push(tokio::spawn(async move {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("m-{round}-{writer}-{number}");
                    let put = client
                        .put(format!("{url}/v20190125/meshes"))
                        .json(&json!({ "meshName": name }));
                    if put.send().await.is_ok_and(|answer| answer.status() == 200) {
                        acknowledged.lock().expect("no panic").insert(name);
                    }
                }
            }));
        }
        tokio::time::sleep(Duration::from_millis(300 + 150 * round as u64)).await;
        rig.kill_control_plane();
        is_over.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.expect("no panic");
        }
        rig.start_control_plane().await.expect("it starts again");
    }
    let acknowledged = acknowledged.lock().expect("no panic").clone();
    assert!(acknowledged.len() > KILLS, "{} writes", acknowledged.len());

    let (mut recorded, mut token) = (BTreeSet::new(), String::new());
    loop {
        let page = client
            .get(format!("{url}/v1/audit?limit=1000{token}"))
            .send()
            .await
            .expect("an answer");
        let page: Value = page.json().await.expect("JSON");
        for record in page["records"].as_array().expect("records") {
            let changes = record["changes"].as_array().into_iter().flatten();
            recorded.extend(changes.filter_map(|changed| changed["mesh"].as_str().map(str::to_owned)));
        }
        match page["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    let missing: Vec<_> = acknowledged.difference(&recorded).collect();
    assert!(missing.is_empty(), "{missing:?} of {}", acknowledged.len());
    // And the other way: what is recorded has happened.
    let mut there = BTreeSet::new();
    let mut token = String::new();
    loop {
        let page = client
            .get(format!("{url}/v20190125/meshes?limit=100{token}"))
            .send()
            .await
            .expect("an answer");
        let page: Value = page.json().await.expect("JSON");
        let meshes = page["meshes"].as_array().into_iter().flatten();
        there.extend(meshes.filter_map(|mesh| mesh["meshName"].as_str().map(str::to_owned)));
        match page["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    assert_eq!(there, recorded);
    rig.shut_down().expect("a clean end");
}
