//! The life of `ferromesh proxy` around a real Envoy, without a control plane.

use std::time::{Duration, Instant};

use crate::support::{envoy, eventually, ferromesh, http, logged, Process};

struct Proxy {
    process: Process,
    agent: String,
}

/// Starts a proxy that takes every port from the system.
fn start(more: &[(&str, &str)]) -> Proxy {
    let envoy = envoy();
    let mut command = ferromesh(&[
        ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
        // Nobody listens there.
        ("APPMESH_XDS_ENDPOINT", "127.0.0.1:1"),
        ("ENVOY_INITIAL_FETCH_TIMEOUT", "1"),
        ("ENVOY_ADMIN_ACCESS_PORT", "0"),
        ("APPNET_AGENT_HTTP_PORT", "0"),
        ("ENVOY_CONCURRENCY", "1"),
        ("FERROMESH_ENVOY", envoy.to_str().unwrap()),
    ]);
    command.envs(more.iter().copied()).arg("proxy");
    let mut process = Process::start(&mut command);
    let agent = process.wait_for("agent api", |output| logged(output, "agent api", "url"));
    Proxy { process, agent }
}

impl Proxy {
    fn status(&self) -> serde_json::Value {
        let (code, body) = http("GET", &format!("{}/status", self.agent), "").unwrap();
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn wait_until_healthy(&self) -> serde_json::Value {
        let healthy = eventually(Duration::from_secs(30), || {
            std::thread::sleep(Duration::from_millis(150));
            Some(self.status()).filter(|status| status["healthStatus"] == "HEALTHY")
        });
        healthy.unwrap_or_else(|| panic!("{}\n{}", self.status(), self.process.output()))
    }

    fn envoy_pid(&self) -> String {
        self.status()["envoyPid"].as_str().unwrap().to_owned()
    }
}

fn is_running(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid).exists()
}

#[test]
fn serves_without_a_control_plane_and_ends_quickly_when_nobody_is_connected() {
    let mut proxy = start(&[]);
    let status = proxy.wait_until_healthy();
    assert_eq!(status["envoyState"], "LIVE");
    assert_eq!(status["managementServerConnectionStatus"], "NOT_CONNECTED");
    assert_eq!(status["initialConfigUpdateStatus"], "UPDATE_SUCCESSFUL");
    let pid = proxy.envoy_pid();
    assert!(is_running(&pid));

    let url = format!("{}/stats/prometheus?usedonly", proxy.agent);
    let (code, stats) = http("GET", &url, "").unwrap();
    assert_eq!(code, 200);
    assert!(stats.contains("envoy_server_live"), "{stats}");
    let (code, said) = http("POST", &format!("{}/enableLogging?level=debug", proxy.agent), "").unwrap();
    assert_eq!(code, 200, "{said}");
    let (code, _) = http("GET", &format!("{}/nothing", proxy.agent), "").unwrap();
    assert_eq!(code, 404);

    let begun = Instant::now();
    proxy.process.signal("TERM");
    let ended = proxy.process.end(Duration::from_secs(15));
    assert_eq!(ended.code(), Some(0), "{}", proxy.process.output());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(!is_running(&pid));
}

#[test]
fn two_proxies_run_on_one_host() {
    let (first, second) = (start(&[]), start(&[]));
    first.wait_until_healthy();
    second.wait_until_healthy();
}

#[test]
fn the_exit_status_is_envoys() {
    let mut proxy = start(&[]);
    proxy.wait_until_healthy();
    let pid = proxy.envoy_pid();
    let killed = std::process::Command::new("kill")
        .args(["-ABRT", &pid])
        .status()
        .unwrap();
    assert!(killed.success());
    let ended = proxy.process.end(Duration::from_secs(15));
    assert_eq!(ended.code(), Some(128 + 6), "{}", proxy.process.output());
}

#[test]
fn an_envoy_that_ended_by_itself_is_started_again_when_asked() {
    let proxy = start(&[("APPNET_ENVOY_RESTART_COUNT", "1")]);
    proxy.wait_until_healthy();
    let first = proxy.envoy_pid();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &first])
        .status()
        .unwrap();
    assert!(killed.success());
    let restarted = eventually(Duration::from_secs(15), || {
        std::thread::sleep(Duration::from_millis(200));
        let status = proxy.status();
        (status["envoyRestartCount"] == "1" && status["envoyPid"] != first.as_str()).then_some(())
    });
    assert!(restarted.is_some(), "{}", proxy.process.output());
    proxy.wait_until_healthy();
}

#[test]
fn envoy_does_not_outlive_a_killed_proxy() {
    let mut proxy = start(&[]);
    proxy.wait_until_healthy();
    let pid = proxy.envoy_pid();
    proxy.process.signal("KILL");
    proxy.process.end(Duration::from_secs(5));
    let gone = eventually(Duration::from_secs(5), || (!is_running(&pid)).then_some(()));
    assert!(gone.is_some(), "envoy {pid} still runs");
}
