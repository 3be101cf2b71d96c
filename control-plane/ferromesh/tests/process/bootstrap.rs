//! Stock Envoy accepts the bootstraps that `ferromesh proxy` writes.

use std::process::Command;

use crate::support::{envoy, ferromesh};

/// Prints the bootstrap for an environment and lets Envoy judge it.
fn validate(variables: &[(&str, &str)], flags: &[&str]) {
    let printed = ferromesh(variables)
        .args(["proxy", "--print-bootstrap"])
        .args(flags)
        .output()
        .unwrap();
    let problems = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{problems}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap.json");
    std::fs::write(&path, &printed.stdout).unwrap();
    let judged = Command::new(envoy())
        .args(["--mode", "validate", "-l", "warning", "-c"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}");
    for word in ["deprecated", "Unknown", "unknown field"] {
        assert!(!said.contains(word), "{said}");
    }
}

#[test]
fn envoy_accepts_the_smallest_environment() {
    validate(
        &[
            ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
            ("APPMESH_XDS_ENDPOINT", "127.0.0.1:8080"),
        ],
        &[],
    );
}

#[test]
fn envoy_accepts_everything_that_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("admin.log");
    let socket = folder.path().join("admin.sock");
    validate(
        &[
            (
                "APPMESH_RESOURCE_ARN",
                "arn:aws:appmesh:us-west-2:123456789012:mesh/m@210987654321/virtualGateway/g",
            ),
            ("APPMESH_RESOURCE_CLUSTER", "c"),
            ("APPMESH_XDS_ENDPOINT", "unix:///run/ferromesh.sock"),
            ("ENVOY_ADMIN_MODE", "uds"),
            ("FERROMESH_ADMIN_UDS_PATH", socket.to_str().unwrap()),
            ("ENVOY_ADMIN_ACCESS_LOG_FILE", log.to_str().unwrap()),
            ("ENVOY_INITIAL_FETCH_TIMEOUT", "5"),
            ("ENABLE_ENVOY_STATS_TAGS", "1"),
            ("ENVOY_STATS_FLUSH_INTERVAL", "2500ms"),
            ("MAX_REQUESTS_PER_IO_CYCLE", "10"),
            ("FERROMESH_WORKER_KILL_TIMEOUT_S", "0"),
        ],
        &[],
    );
}

#[test]
fn envoy_accepts_a_control_plane_by_name() {
    validate(
        &[
            ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
            ("APPMESH_XDS_ENDPOINT", "mesh.example.com:8080"),
        ],
        &["--insecure-xds"],
    );
}

#[test]
fn wrong_usage_names_the_variable_and_exits_with_two() {
    let ended = ferromesh(&[]).arg("proxy").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("error: APPMESH_RESOURCE_ARN is not set"), "{said}");
    assert!(said.contains("error: APPMESH_XDS_ENDPOINT is not set"), "{said}");
    let ended = ferromesh(&[]).arg("proxi").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn a_missing_envoy_is_wrong_usage() {
    let ended = ferromesh(&[
        ("APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n"),
        ("APPMESH_XDS_ENDPOINT", "127.0.0.1:8080"),
        ("FERROMESH_ENVOY", "/nowhere/envoy"),
    ])
    .arg("proxy")
    .output()
    .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("FERROMESH_ENVOY"), "{said}");
}
