//! What the tests stand on: a control plane, a gateway, two colours behind it, and clients.

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
    time::Duration,
};

use crate::support::{envoy, eventually, ferromesh, file, http, logged, Process};

pub(super) struct ControlPlane {
    pub(super) process: Process,
    pub(super) url: String,
}

impl ControlPlane {
    pub(super) fn start(data: &Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    pub(super) fn start_with(data: &Path, listen: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = ferromesh(variables);
        command.args(["serve", "--listen", listen, "--data"]).arg(data);
        let mut process = Process::start(&mut command);
        let url = process.wait_for("url", |output| logged(output, "listening", "url"));
        Self { process, url }
    }

    pub(super) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url)
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = ferromesh(&[("FERROMESH_SERVER", &self.url)]);
        command.args(arguments).output().unwrap()
    }

    /// Standard output of a command that succeeds.
    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}{problems}");
        text
    }

    pub(super) fn proxies(&self) -> serde_json::Value {
        let (status, body) = http("GET", &format!("{}/v1/proxies", self.url), "").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

pub(super) fn gateway(xds: &str) -> Process {
    gateway_with(xds, &[])
}

pub(super) fn gateway_with(xds: &str, more: &[(&str, &str)]) -> Process {
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
pub(super) fn upstream(color: &'static str) -> u16 {
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

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A mesh with one gateway, one service, and two targets at 1:0.
pub(super) fn resources(folder: &Path, gateway_port: u16) {
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

pub(super) fn route(blue: u32, green: u32) -> String {
    let targets = serde_json::json!([
        {"virtualNode": "blue", "weight": blue}, {"virtualNode": "green", "weight": green}]);
    let action = serde_json::json!({ "weightedTargets": targets });
    let http_route = serde_json::json!({"match": {"prefix": "/"}, "action": action});
    serde_json::json!({"meshName": "colors", "virtualRouterName": "r", "routeName": "t",
        "spec": {"httpRoute": http_route}})
    .to_string()
}

/// Answers by what they say; failures under their status or error.
pub(super) fn ask(port: u16, times: usize) -> BTreeMap<String, usize> {
    ask_for("", port, times)
}

pub(super) fn ask_for(path: &str, port: u16, times: usize) -> BTreeMap<String, usize> {
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

pub(super) fn only(word: &str, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(word.to_owned(), count)])
}

/// Requests without a pause, each on a connection of its own, until told to stop.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<thread::JoinHandle<BTreeMap<String, usize>>>,
}

impl Load {
    pub(super) fn start(path: &'static str, port: u16) -> Self {
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

    pub(super) fn stop(self) -> BTreeMap<String, usize> {
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
pub(super) struct Running {
    pub(super) plane: ControlPlane,
    pub(super) proxy: Process,
    pub(super) port: u16,
    _folders: [tempfile::TempDir; 2],
}

pub(super) fn running(more: &[(&str, &str)]) -> Running {
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
