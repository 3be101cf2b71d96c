//! The commands and where they find their control plane.

use std::time::Duration;

use super::stage::*;
use crate::support::{eventually, ferromesh, file};

#[test]
fn commands_say_what_went_wrong_by_text_and_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(folder.path(), "127.0.0.1:0");
    let wrong = |arguments: &[&str], code: i32, word: &str| {
        let output = plane.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    };
    wrong(&["get", "pod"], 2, "virtual-node (vn)");
    wrong(&["get", "vn"], 2, "no mesh yet");
    wrong(&["apply"], 2, "--filename");
    wrong(&["apply", "-f", "/nowhere.yaml"], 1, "/nowhere.yaml");
    wrong(&["delete", "vn", "n"], 2, "--mesh");
    wrong(&["delete", "vn", "n", "--mesh", "m"], 1, "NotFoundException");

    let refused = r#"[{"meshName":"m"},{"meshName":"m","virtualNodeName":"n","spec":{"lisseners":[]}}]"#;
    let path = file(folder.path(), "refused.json", refused);
    let output = plane.run(&["apply", "-f", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "nothing of it is applied");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("refused.json, item 2: virtualNode/n refused: BadRequestException"),
        "{said}"
    );
    assert!(said.contains("lisseners"), "{said}");
    assert_eq!(plane.ok(&["get", "mesh", "-o", "json"]), "[]\n");
    let path = file(folder.path(), "mesh.json", r#"{"meshName":"m"}"#);
    assert_eq!(plane.ok(&["apply", "-f", path.to_str().unwrap()]), "mesh/m created\n");

    assert!(plane.ok(&["get", "mesh"]).contains("m     1"));
    let yaml = plane.ok(&["get", "mesh", "m", "-o", "yaml"]);
    assert!(yaml.contains("meshName: m"), "{yaml}");
    assert_eq!(plane.ok(&["delete", "mesh", "m"]), "mesh/m deleted\n");
    assert_eq!(plane.ok(&["get", "mesh", "-o", "json"]), "[]\n");
    plane.ok(&["delete", "mesh", "m", "--ignore-missing"]);

    let mut nobody = ferromesh(&[("FERROMESH_SERVER", "http://127.0.0.1:1")]);
    let output = nobody.args(["get", "mesh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("127.0.0.1:1"));
}

#[test]
fn changes_that_wait_for_each_other_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(folder.path(), "127.0.0.1:0");
    let router = |ports: &[u16]| {
        let listener = |port| serde_json::json!({"portMapping": {"port": port, "protocol": "http"}});
        let listeners: Vec<_> = ports.iter().map(listener).collect();
        serde_json::json!({"virtualRouterName": "r", "spec": {"listeners": listeners}})
    };
    let route = |condition: serde_json::Value| {
        let action = serde_json::json!({"weightedTargets": [{"virtualNode": "n", "weight": 1}]});
        serde_json::json!({"virtualRouterName": "r", "routeName": "t",
            "spec": {"httpRoute": {"match": condition, "action": action}}})
    };
    let apply = |documents: serde_json::Value| {
        let path = file(folder.path(), "documents.json", &documents.to_string());
        plane.ok(&["apply", "--mesh", "m", "-f", path.to_str().unwrap()])
    };
    apply(serde_json::json!([
        route(serde_json::json!({"prefix": "/"})),
        router(&[80]),
        {"virtualNodeName": "n", "spec": {"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": "n"}}}},
        {"meshName": "m"},
    ]));
    // A second listener needs a port in every route, and a port a listener: they change at one moment.
    let said = apply(serde_json::json!([
        router(&[80, 81]),
        route(serde_json::json!({"prefix": "/", "port": 80})),
    ]));
    let expected = "virtualRouter/r updated to version 2\nvirtualRouter/r/route/t updated to version 2\n";
    assert_eq!(said, expected);
}

#[test]
fn a_unix_socket_serves_clients_and_proxies() {
    let folder = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let port = free_port();
    resources(files.path(), port);
    let listen = format!("unix://{}", folder.path().join("api.sock").display());
    let mut plane = ControlPlane::start(folder.path(), &listen);
    assert_eq!(plane.url, listen);
    plane.ok(&["apply", "-f", files.path().to_str().unwrap()]);
    let proxy = gateway(&listen);
    let serving = eventually(Duration::from_secs(30), || {
        (ask(port, 1) == only("blue", 1)).then_some(())
    });
    assert!(serving.is_some(), "{}\n{}", proxy.output(), plane.process.output());
    plane.process.signal("TERM");
    let ended = plane.process.end(Duration::from_secs(15));
    assert_eq!(ended.code(), Some(0), "{}", plane.process.output());
}

#[test]
fn a_control_plane_does_not_listen_to_the_network_without_tls_or_without_a_key() {
    for (listen, status, word) in [("http://0.0.0.0:0", 2, "TLS"), ("0.0.0.0:0", 1, "there is no key")] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = ferromesh(&[]);
        command.args(["serve", "--listen", listen, "--data"]).arg(folder.path());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{listen}: {said}");
        assert!(said.contains(word), "{listen}: {said}");
    }
}

#[test]
fn a_ramp_is_started_paused_and_resumed_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(folder.path(), "127.0.0.1:0");
    let steps = serde_json::json!([{"afterSeconds": 0, "weights": [1, 0]}, {"afterSeconds": 60, "weights": [0, 1]}]);
    let documents = serde_json::json!([
        {"meshName": "m"},
        {"mesh": "m", "name": "p", "target": {"mesh": {}},
            "spec": {"canary": {"ramp": {"startUnixMillis": 1, "steps": steps}}}},
    ]);
    let path = file(folder.path(), "documents.json", &documents.to_string());
    plane.ok(&["apply", "-f", path.to_str().unwrap()]);
    assert_eq!(plane.ok(&["ramp", "start", "p", "-m", "m"]), "policy/p started\n");
    assert_eq!(plane.ok(&["ramp", "pause", "p", "-m", "m"]), "policy/p paused\n");
    let again = plane.run(&["ramp", "pause", "p", "-m", "m"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is paused already"));
    assert_eq!(plane.ok(&["ramp", "resume", "p", "-m", "m"]), "policy/p resumed\n");
    assert_eq!(plane.run(&["ramp", "stop", "p", "-m", "m"]).status.code(), Some(2));
    assert_eq!(plane.run(&["ramp", "start", "p"]).status.code(), Some(2));
}
