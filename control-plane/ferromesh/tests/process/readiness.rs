//! The readiness probe, and environments that `ferromesh proxy` refuses.

use std::time::{Duration, Instant};

use crate::support::{envoy, ferromesh, file, logged, Process};

const PROXY: [(&str, &str); 3] = [
    ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
    // Nobody listens there.
    ("APPMESH_XDS_ENDPOINT", "127.0.0.1:1"),
    ("ENVOY_ADMIN_MODE", "uds"),
];

#[test]
fn the_probe_ends_with_0_when_envoy_is_live_and_with_1_when_the_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let environment = [
        &PROXY[..],
        &[
            ("FERROMESH_ADMIN_UDS_PATH", socket.to_str().unwrap()),
            ("APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S", "1"),
        ],
    ]
    .concat();
    let probe = |seconds: &str| {
        let mut command = ferromesh(&environment);
        command
            .env("APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S", seconds)
            .args(["proxy", "--envoy-readiness"]);
        command.output().unwrap()
    };
    let begun = Instant::now();
    let early = probe("2");
    assert_eq!(early.status.code(), Some(1), "{early:?}");
    assert!(
        String::from_utf8_lossy(&early.stderr).contains("envoy is not ready"),
        "{early:?}"
    );
    assert!((2..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

    let mut command = ferromesh(&environment);
    command
        .env("ENVOY_INITIAL_FETCH_TIMEOUT", "1")
        .env("APPNET_AGENT_HTTP_PORT", "0")
        .env("ENVOY_CONCURRENCY", "1")
        .env("FERROMESH_ENVOY", envoy())
        .arg("proxy");
    let mut process = Process::start(&mut command);
    process.wait_for("envoy", |output| logged(output, "envoy started", "pid"));
    let ready = probe("60");
    assert_eq!(ready.status.code(), Some(0), "{ready:?}\n{}", process.output());
    process.signal("TERM");
    let ended = process.end(Duration::from_secs(30));
    assert_eq!(ended.code(), Some(0), "{}", process.output());
}

#[test]
fn an_environment_that_cannot_be_meant_is_refused_with_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let empty = file(folder.path(), "empty.yaml", "");
    let old = file(folder.path(), "rules.json", r#"{"version": 1, "default": {}}"#);
    for (variables, said) in [
        (
            vec![
                ("ENABLE_ENVOY_XRAY_TRACING", "1"),
                ("ENABLE_ENVOY_DATADOG_TRACING", "1"),
            ],
            "ENABLE_ENVOY_XRAY_TRACING and ENABLE_ENVOY_DATADOG_TRACING are set",
        ),
        (
            vec![("ENVOY_TRACING_CFG_FILE", "/nowhere.yaml")],
            "ENVOY_TRACING_CFG_FILE is /nowhere.yaml: ",
        ),
        (
            vec![("ENVOY_STATS_CONFIG_FILE", empty.to_str().unwrap())],
            "the file is empty",
        ),
        (
            vec![
                ("ENABLE_ENVOY_XRAY_TRACING", "1"),
                ("XRAY_SAMPLING_RULE_MANIFEST", old.to_str().unwrap()),
            ],
            "version 2 is the only one",
        ),
        (vec![("APPNET_ENABLE_RELAY_MODE_FOR_XDS", "1")], "of its own Envoy only"),
    ] {
        let ended = ferromesh(&[&PROXY[..], &variables].concat())
            .arg("proxy")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{variables:?}: {stderr}");
        assert!(stderr.contains(said), "{variables:?}: {stderr}");
    }
}
