//! The whole way: `serve`, resources by `apply`, a gateway by `proxy` with stock Envoy, and requests through it.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::support::{envoy, eventually, ferromesh, file, http, logged, Process};

struct ControlPlane {
    process: Process,
    url: String,
}

impl ControlPlane {
    fn start(data: &Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    fn start_with(data: &Path, listen: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = ferromesh(variables);
        command.args(["serve", "--listen", listen, "--data"]).arg(data);
        let mut process = Process::start(&mut command);
        let url = process.wait_for("url", |output| logged(output, "listening", "url"));
        Self { process, url }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = ferromesh(&[("FERROMESH_SERVER", &self.url)]);
        command.args(arguments).output().unwrap()
    }

    /// Standard output of a command that succeeds.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}{problems}");
        text
    }

    fn proxies(&self) -> serde_json::Value {
        let (status, body) = http("GET", &format!("{}/v1/proxies", self.url), "").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn gateway(xds: &str) -> Process {
    gateway_with(xds, &[])
}

fn gateway_with(xds: &str, more: &[(&str, &str)]) -> Process {
    let envoy = envoy();
    let mut command = ferromesh(&[
        ("APPMESH_RESOURCE_ARN", "mesh/colors/virtualGateway/front"),
        ("APPMESH_XDS_ENDPOINT", xds),
        ("ENVOY_ADMIN_ACCESS_PORT", "0"),
        ("APPNET_AGENT_HTTP_PORT", "0"),
        ("ENVOY_CONCURRENCY", "1"),
        ("FERROMESH_ENVOY", envoy.to_str().unwrap()),
    ]);
    Process::start(command.envs(more.iter().copied()).arg("proxy"))
}

/// An HTTP server that answers every request with its colour, those to `/slow` after 300 ms.
fn upstream(color: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream, color));
        }
    });
    port
}

fn answer(mut stream: TcpStream, color: &str) {
    let mut pending = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..read]);
        while let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            let request: Vec<u8> = pending.drain(..end + 4).collect();
            if request.starts_with(b"GET /slow") {
                thread::sleep(Duration::from_millis(300));
            }
            let length = color.len();
            let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{color}");
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A mesh with one gateway, one service, and two targets at 1:0.
fn resources(folder: &Path, gateway_port: u16) {
    let node = |color: &'static str| {
        let port = upstream(color);
        format!(
            "meshName: colors\nvirtualNodeName: {color}\nspec:\n  listeners: [{{portMapping: {{port: {port}, protocol: http}}}}]\n  \
             serviceDiscovery: {{dns: {{hostname: 127.0.0.1}}}}\n"
        )
    };
    // In an order in which they cannot be created.
    let yaml = format!(
        "virtualGatewayName: front\nmeshName: colors\ngatewayRouteName: all\nspec:\n  httpRoute:\n    match: {{prefix: /}}\n    \
         action: {{target: {{virtualService: {{virtualServiceName: color.local}}}}}}\n---\n\
         virtualServiceName: color.local\nmeshName: colors\nspec: {{provider: {{virtualRouter: {{virtualRouterName: r}}}}}}\n---\n\
         {}---\n{}---\nmeshName: colors\n",
        node("blue"),
        node("green")
    );
    file(folder, "1.yaml", &yaml);
    file(folder, "route.json", &route(1, 0));
    file(
        folder,
        "rest.json",
        &serde_json::json!([
            {"virtualRouter": {"meshName": "colors", "virtualRouterName": "r", "metadata": {}, "spec": {
                "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}}},
            {"meshName": "colors", "virtualGatewayName": "front", "spec": {
                "listeners": [{"portMapping": {"port": gateway_port, "protocol": "http"}}]}},
            {"name": "sticky", "mesh": "colors", "target": {"virtualService": "color.local"},
                "spec": {"canary": {"sticky": {"header": "x-user"}}}},
        ])
        .to_string(),
    );
}

fn route(blue: u32, green: u32) -> String {
    let targets = serde_json::json!([
        {"virtualNode": "blue", "weight": blue}, {"virtualNode": "green", "weight": green}]);
    let action = serde_json::json!({ "weightedTargets": targets });
    let http_route = serde_json::json!({"match": {"prefix": "/"}, "action": action});
    serde_json::json!({"meshName": "colors", "virtualRouterName": "r", "routeName": "t",
        "spec": {"httpRoute": http_route}})
    .to_string()
}

/// Answers by what they say; failures under their status or error.
fn ask(port: u16, times: usize) -> BTreeMap<String, usize> {
    ask_for("", port, times)
}

fn ask_for(path: &str, port: u16, times: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..times {
        let said = match http("GET", &format!("http://127.0.0.1:{port}/{path}"), "") {
            Ok((200, body)) => body,
            Ok((status, _)) => status.to_string(),
            Err(error) => error.kind().to_string(),
        };
        *answers.entry(said).or_default() += 1;
    }
    answers
}

fn only(word: &str, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(word.to_owned(), count)])
}

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

/// Requests without a pause, each on a connection of its own, until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<thread::JoinHandle<BTreeMap<String, usize>>>,
}

impl Load {
    fn start(path: &'static str, port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let worker = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut answers = BTreeMap::new();
                while !stop.load(Ordering::Relaxed) {
                    for (answer, count) in ask_for(path, port, 1) {
                        *answers.entry(answer).or_default() += count;
                    }
                }
                answers
            })
        };
        let workers = (0..8).map(worker).collect();
        Self { stop, workers }
    }

    fn stop(self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = BTreeMap::new();
        for worker in self.workers {
            for (answer, count) in worker.join().unwrap() {
                *sum.entry(answer).or_default() += count;
            }
        }
        sum
    }
}

/// A control plane with the resources, and a gateway that serves them.
struct Running {
    plane: ControlPlane,
    proxy: Process,
    port: u16,
    _folders: [tempfile::TempDir; 2],
}

fn running(more: &[(&str, &str)]) -> Running {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let port = free_port();
    resources(folders[1].path(), port);
    let plane = ControlPlane::start(folders[0].path(), "127.0.0.1:0");
    plane.ok(&["apply", "-f", folders[1].path().to_str().unwrap()]);
    let proxy = gateway_with(plane.address(), more);
    let serving = eventually(Duration::from_secs(30), || {
        (ask(port, 1) == only("blue", 1)).then_some(())
    });
    assert!(serving.is_some(), "{}\n{}", proxy.output(), plane.process.output());
    Running {
        plane,
        proxy,
        port,
        _folders: folders,
    }
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
    assert_eq!(String::from_utf8_lossy(&output.stdout), "mesh/m created\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("refused.json, item 2: virtualNode/n refused: BadRequestException"),
        "{said}"
    );
    assert!(said.contains("lisseners"), "{said}");

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
    // A second listener needs a port in every route, and the router stands before its routes.
    let said = apply(serde_json::json!([
        router(&[80, 81]),
        route(serde_json::json!({"prefix": "/", "port": 80})),
    ]));
    let expected = "virtualRouter/r/route/t updated to version 2\nvirtualRouter/r updated to version 2\n";
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
fn a_control_plane_does_not_listen_to_the_network_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ferromesh(&[]);
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--data"])
        .arg(folder.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("TLS"));
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
