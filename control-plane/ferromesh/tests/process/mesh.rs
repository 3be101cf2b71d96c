//! The whole way: `serve`, resources by `apply`, a gateway by `proxy` with stock Envoy, and requests through it.

mod commands;
mod stage;

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crate::support::{eventually, file};
use stage::*;

#[test]
fn resources_become_traffic_and_changes_arrive_within_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let port = free_port();
    resources(files.path(), port);
    let mut plane = ControlPlane::start(folder.path(), "127.0.0.1:0");
    let files = files.path().to_str().unwrap();

    let applied = plane.ok(&["apply", "-f", files]);
    let lines: Vec<&str> = applied.lines().collect();
    assert_eq!(lines[0], "mesh/colors created");
    assert_eq!(lines.len(), 9, "{applied}");
    assert!(lines.iter().all(|line| line.ends_with(" created")), "{applied}");
    let again = plane.ok(&["apply", "-f", files]);
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");

    let mut proxy = gateway(plane.address());
    let serving = eventually(Duration::from_secs(30), || {
        (ask(port, 1) == only("blue", 1)).then_some(())
    });
    assert!(serving.is_some(), "{}\n{}", proxy.output(), plane.process.output());
    assert_eq!(ask(port, 50), only("blue", 50));

    let changed = file(folder.path(), "changed.json", &route(0, 1));
    let said = plane.ok(&["apply", "-f", changed.to_str().unwrap()]);
    assert_eq!(said, "virtualRouter/r/route/t updated to version 2\n");
    let begun = Instant::now();
    let green = eventually(Duration::from_secs(2), || {
        (ask(port, 1) == only("green", 1)).then_some(())
    });
    assert!(green.is_some(), "{}", plane.process.output());
    println!("a new weight was effective after {:?}", begun.elapsed());
    assert_eq!(ask(port, 50), only("green", 50));

    let current = eventually(Duration::from_secs(10), || {
        Some(plane.proxies()).filter(|proxies| proxies["proxies"][0]["state"] == "current")
    });
    let current = current.unwrap_or_else(|| panic!("{:#}", plane.proxies()));
    assert_eq!(current["proxies"][0]["id"], "mesh/colors/virtualGateway/front");
    let status = plane.ok(&["status", "vg", "front"]);
    assert!(status.contains("current") && status.lines().count() == 2, "{status}");

    // The control plane dies. Traffic goes on; the next one finds the same state and pushes nothing.
    let address = plane.address().to_owned();
    let before = plane.proxies()["proxies"][0]["published"].clone();
    plane.process.signal("KILL");
    plane.process.end(Duration::from_secs(5));
    assert_eq!(ask(port, 50), only("green", 50));
    let mut plane = ControlPlane::start(folder.path(), &address);
    let back = eventually(Duration::from_secs(20), || {
        Some(plane.proxies()).filter(|proxies| proxies["proxies"][0]["state"] == "current")
    });
    let back = back.unwrap_or_else(|| panic!("{}\n{}", plane.process.output(), proxy.output()));
    assert_eq!(back["proxies"][0]["published"], before);
    assert_eq!(
        back["proxies"][0]["streams"][0]["types"],
        serde_json::json!({}),
        "{back:#}"
    );
    assert_eq!(ask(port, 50), only("green", 50));

    proxy.signal("TERM");
    assert_eq!(proxy.end(Duration::from_secs(30)).code(), Some(0), "{}", proxy.output());
    plane.process.signal("TERM");
    let ended = plane.process.end(Duration::from_secs(15));
    assert_eq!(ended.code(), Some(0), "{}", plane.process.output());
}

#[test]
fn no_request_fails_while_weights_change_and_the_control_plane_dies() {
    let mut rig = running(&[]);
    let load = Load::start("", rig.port);
    let folder = tempfile::tempdir().unwrap();
    for (blue, green) in [(1, 1), (0, 1), (1, 0), (0, 1)] {
        let path = file(folder.path(), "route.json", &route(blue, green));
        rig.plane.ok(&["apply", "-f", path.to_str().unwrap()]);
        thread::sleep(Duration::from_millis(300));
    }
    rig.plane.process.signal("KILL");
    rig.plane.process.end(Duration::from_secs(5));
    thread::sleep(Duration::from_millis(500));
    let mut answers = load.stop();
    let (blue, green) = (answers.remove("blue"), answers.remove("green"));
    assert!(answers.is_empty(), "{answers:?}\n{}", rig.proxy.output());
    assert!(
        blue.is_some_and(|n| n > 50) && green.is_some_and(|n| n > 50),
        "{blue:?} {green:?}"
    );
    assert_eq!(ask(rig.port, 20), only("green", 20));
}

#[test]
fn a_drained_gateway_cuts_no_request() {
    let mut rig = running(&[("LISTENER_DRAIN_WAIT_TIME_S", "2")]);
    let load = Load::start("slow", rig.port);
    thread::sleep(Duration::from_millis(500));
    rig.proxy.signal("TERM");
    let ended = rig.proxy.end(Duration::from_secs(20));
    assert_eq!(ended.code(), Some(0), "{}", rig.proxy.output());
    let mut answers = load.stop();
    assert!(answers.remove("blue").is_some_and(|n| n > 20));
    // Once nobody listens any more.
    answers.remove("connection refused");
    assert!(answers.is_empty(), "{answers:?}\n{}", rig.proxy.output());
}

#[test]
fn what_envoy_rejects_is_shown_with_its_reason() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    resources(folders[1].path(), taken.local_addr().unwrap().port());
    let plane = ControlPlane::start(folders[0].path(), "127.0.0.1:0");
    plane.ok(&["apply", "-f", folders[1].path().to_str().unwrap()]);
    let proxy = gateway(plane.address());
    let rejected = eventually(Duration::from_secs(30), || {
        Some(plane.proxies()["proxies"][0].clone()).filter(|proxy| proxy["state"] == "rejected")
    });
    let rejected = rejected.unwrap_or_else(|| panic!("{:#}\n{}", plane.proxies(), proxy.output()));
    let reason = rejected["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Listener: ") && reason.contains("Address already in use"),
        "{reason}"
    );
}

/// A module that every Envoy takes: it starts, accepts any configuration and does nothing.
const IDLE: &[u8] =
    b"\x00asm\x01\x00\x00\x00\x01\x14\x04`\x00\x00`\x01\x7f\x01\x7f`\x02\x7f\x7f\x00`\x02\x7f\x7f\x01\x7f\
    \x03\x06\x05\x00\x01\x02\x03\x03\x05\x03\x01\x00\x01\x07p\x06\x06memory\x02\x00\x17proxy_abi_version\
    _0_2_1\x00\x00\x06malloc\x00\x01\x17proxy_on_context_create\x00\x02\x11proxy_on_vm_start\x00\x03\x12\
    proxy_on_configure\x00\x04\x0a\x17\x05\x02\x00\x0b\x05\x00A\x80\x08\x0b\x02\x00\x0b\x04\x00A\x01\x0b\
    \x04\x00A\x01\x0b";

#[test]
fn a_budget_in_front_of_upstreams_is_discovered_and_traffic_flows_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let modules = tempfile::tempdir().unwrap();
    std::fs::write(modules.path().join("mesh.wasm"), IDLE).unwrap();
    let port = free_port();
    resources(files.path(), port);
    let exact = serde_json::json!({"name": "exact", "mesh": "colors", "target": {"virtualService": "color.local"},
        "spec": {"retry": {"budget": {"mode": "exact"}}}});
    file(files.path(), "exact.json", &exact.to_string());
    let named = [("FERROMESH_MODULES", modules.path().to_str().unwrap())];
    let plane = ControlPlane::start_with(folder.path(), "127.0.0.1:0", &named);
    plane.ok(&["apply", "-f", files.path().to_str().unwrap()]);
    let proxy = gateway(plane.address());
    let serves = || (ask(port, 1) == only("blue", 1)).then_some(());
    assert!(
        eventually(Duration::from_secs(30), serves).is_some(),
        "{}\n{}",
        proxy.output(),
        plane.process.output()
    );
    // Another budget is another filter, which comes with the cluster that names it.
    let mut other = exact.clone();
    other["spec"]["retry"]["budget"]["ratio"] = serde_json::json!(0.5);
    let path = file(files.path(), "exact.json", &other.to_string());
    plane.ok(&["apply", "-f", path.to_str().unwrap()]);
    for _ in 0..20 {
        assert_eq!(ask(port, 5), only("blue", 5), "{}", proxy.output());
        thread::sleep(Duration::from_millis(50));
    }
    let state = &plane.proxies()["proxies"][0]["state"];
    assert_eq!(state, "current", "{:#}", plane.proxies());
}
