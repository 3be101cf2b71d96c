//! A full disk, on a tmpfs that the test mounts: it runs as root.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ferromesh_integration::{
    rig::{eventually, Modules, Rig, PATIENCE},
    two_colours::{self, TwoColours, ROUTE},
};
use reqwest::Method;
use serde_json::json;

/// A file system of 16 MiB, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a full disk is tested on a tmpfs that the test mounts: run it as root"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.expect("mount starts").success(), "a tmpfs is mounted");
        Self(folder)
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let written = std::fs::write(self.ballast(), vec![1; 16 << 20]);
        assert_eq!(
            written.map_err(|error| error.kind()),
            Err(std::io::ErrorKind::StorageFull),
            "the disk is full"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_refused_reads_and_discovery_go_on_and_space_heals_it() {
    let disk = SmallDisk::mount();
    let data: &Path = &disk.0.path().join("data");
    let rig = Rig::start_as(Modules::Built, Vec::new(), Some(data.to_owned()))
        .await
        .expect("a control plane");
    let mut mesh = TwoColours::start_on(rig, two_colours::route([80, 20]))
        .await
        .expect("the mesh");
    let load = mesh.load().per_second(100).start().await.expect("load");
    mesh.set_weights([60, 40]).await.expect("an update");
    let before = mesh.rig.get(ROUTE).await.expect("the route");

    disk.fill();
    for _ in 0..20 {
        let body = json!({"spec": two_colours::route([1, 99])}).to_string();
        let path = format!("/v20190125/{ROUTE}");
        let answer = mesh.rig.call(Method::PUT, &path, body).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.error.as_str()),
            (503, "ServiceUnavailableException")
        );
        assert!(answer.message().contains("full"), "{}", answer.message());
        assert_eq!(mesh.rig.get(ROUTE).await.expect("reads go on"), before);
    }
    assert!(
        ready(&mesh.rig).await.contains("read-only"),
        "{}",
        ready(&mesh.rig).await
    );

    // A proxy that comes now is served, also by a control plane that was killed meanwhile.
    drop(
        mesh.rig
            .proxy("mesh/colours/virtualNode/blue")
            .await
            .expect("a new proxy is served"),
    );
    mesh.rig.kill_control_plane();
    mesh.rig.start_control_plane().await.expect("a start on a full disk");
    assert_eq!(mesh.rig.get(ROUTE).await.expect("reads go on"), before);
    drop(
        mesh.rig
            .proxy("mesh/colours/virtualNode/green")
            .await
            .expect("a new proxy is served"),
    );

    std::fs::remove_file(disk.ballast()).expect("space");
    eventually("writes resume", Duration::from_secs(10), async || {
        mesh.set_weights([0, 100]).await.ok().map(drop)
    })
    .await
    .expect("writes resume within ten seconds");
    assert_eq!(ready(&mesh.rig).await, "ok\n");
    eventually("the new weights hold", PATIENCE, async || {
        let notes = mesh.load().send(40).await.ok()?.notes();
        (notes.get("green") == Some(&40)).then_some(())
    })
    .await
    .expect("an update after the shortage");
    load.stop().await.assert_no_failures("a full disk");
}

async fn ready(rig: &Rig) -> String {
    let answer = reqwest::get(format!("http://{}/readyz", rig.address()))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a text")
}
