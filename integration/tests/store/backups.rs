//! `ferromesh backup` and `ferromesh restore`: from a running control plane, into an empty one, from redb to etcd.

use std::{
    path::Path,
    process::{Command, Output},
};

use ferromesh_integration::rig::{eventually, paths, Etcd, Modules, Rig, PATIENCE};
use serde_json::{json, Value};

fn ferromesh(arguments: &[&str]) -> Output {
    let program = paths::ferromesh().expect("the program");
    Command::new(program).args(arguments).output().expect("it starts")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = ferromesh(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn fails(arguments: &[&str]) -> String {
    let output = ferromesh(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn word(path: &Path) -> &str {
    path.to_str().expect("a text")
}

fn version(resource: &Value) -> u64 {
    resource["metadata"]["version"].as_u64().expect("a version")
}

async fn revision(rig: &Rig) -> u64 {
    let answer = reqwest::get(format!("http://{}/metrics", rig.address()))
        .await
        .expect("an answer");
    let text = answer.text().await.expect("a text");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("ferromesh_store_revision "));
    line.and_then(|number| number.parse().ok()).expect("a revision")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_brings_everything_back_with_later_versions_and_damage_is_refused_before_anything_is_written() {
    let mut rig = Rig::start_with(Modules::Absent).await.expect("a control plane");
    rig.put("meshes", &json!({"meshName": "m"})).await.expect("a mesh");
    let node = |host: &str| json!({"spec": {"serviceDiscovery": {"dns": {"hostname": host}}}});
    let mut body = node("a.local");
    body["virtualNodeName"] = json!("n");
    rig.put("meshes/m/virtualNodes", &body).await.expect("a node");
    let taken = rig.get("meshes/m/virtualNodes/n").await.expect("the node");
    let file = rig.file("backup");
    let url = format!("http://{}", rig.address());
    succeeds(&["backup", "--to", word(&file), "--server", &url]);
    for host in ["b.local", "c.local"] {
        rig.put("meshes/m/virtualNodes/n", &node(host))
            .await
            .expect("an update");
    }
    let (seen, seen_revision) = (
        rig.get("meshes/m/virtualNodes/n").await.expect("the node"),
        revision(&rig).await,
    );
    let root = std::fs::read_to_string(rig.file("data/certificates/root.pem")).expect("a certificate");

    // The store is in use, then not empty, then damaged files.
    let data = rig.file("data");
    let restore = ["restore", "--from", word(&file), "--data", word(&data)];
    assert!(fails(&restore).contains("in use"));
    rig.kill_control_plane();
    assert!(fails(&restore).contains("--replace"));
    let text = std::fs::read_to_string(&file).expect("a text");
    let damaged = rig.file("damaged");
    for (content, reason) in [
        (text[..text.len() / 2].to_owned(), "cut off"),
        (text.replacen("a.local", "x.local", 1), "SHA-256"),
        (text.replacen("ferromesh-backup 1", "ferromesh-backup 9", 1), "format 9"),
        ("{}".to_owned(), "no backup"),
    ] {
        std::fs::write(&damaged, content).expect("a file");
        let said = fails(&["restore", "--from", word(&damaged), "--data", word(&data), "--replace"]);
        assert!(said.contains(reason), "{reason}: {said}");
    }
    rig.start_control_plane().await.expect("a restart");
    assert_eq!(rig.get("meshes/m/virtualNodes/n").await.expect("the node"), seen);

    // Of a stopped one it is the same file form.
    rig.kill_control_plane();
    let stopped = rig.file("stopped");
    succeeds(&["backup", "--to", word(&stopped), "--data", word(&data)]);
    assert!(std::fs::read_to_string(&stopped).expect("a text").contains("c.local"));

    let with_replace = [restore.as_slice(), &["--replace"]].concat();
    succeeds(&with_replace);
    rig.start_control_plane().await.expect("a start");
    let restored = rig.get("meshes/m/virtualNodes/n").await.expect("the node");
    assert_eq!(restored["spec"], taken["spec"]);
    assert_eq!(restored["metadata"]["uid"], taken["metadata"]["uid"]);
    assert!(version(&restored) > version(&seen), "{restored} after {seen}");
    assert!(revision(&rig).await > seen_revision);

    // Into an empty folder of another machine: with the secret key file the authority is the same one.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = elsewhere.path().join("data");
    succeeds(&["restore", "--from", word(&file), "--data", word(&other)]);
    std::fs::create_dir_all(other.join("certificates")).expect("a folder");
    std::fs::copy(
        rig.file("data/certificates/secret.key"),
        other.join("certificates/secret.key"),
    )
    .expect("the key");
    let second = Rig::start_as(Modules::Absent, Vec::new(), Some(other.clone()))
        .await
        .expect("a start");
    let moved = second.get("meshes/m/virtualNodes/n").await.expect("the node");
    assert_eq!(moved["spec"], taken["spec"]);
    let same = std::fs::read_to_string(other.join("certificates/root.pem")).expect("a certificate");
    assert_eq!(same, root);

    // And from redb to etcd, while a control plane runs over it.
    let etcd = Etcd::start().await.expect("etcd");
    let mut arguments = etcd.arguments().expect("arguments");
    arguments[3] = rig.file("data/certificates/secret.key").display().to_string();
    let running = Rig::start_as(Modules::Absent, arguments, None)
        .await
        .expect("a control plane");
    running
        .put("meshes", &json!({"meshName": "gone"}))
        .await
        .expect("a mesh");
    let from = ["restore", "--from", word(&file), "--store", &etcd.url()];
    assert!(fails(&from).contains("--replace"));
    let before = revision(&running).await;
    succeeds(&[from.as_slice(), &["--replace"]].concat());
    // It kept what it had until the restore was whole.
    let moved = eventually("the control plane has what was restored", PATIENCE, async || {
        running.get("meshes/m/virtualNodes/n").await.ok()
    })
    .await
    .expect("the node");
    assert_eq!(moved["spec"], taken["spec"]);
    assert!(running.get("meshes/gone").await.is_err());
    assert!(revision(&running).await > before.max(seen_revision));
    running
        .put("meshes/m/virtualNodes/n", &node("d.local"))
        .await
        .expect("writes go on");
}
