//! The API against its own OpenAPI document: requests that the document allows and requests that it does not, made by
//! schemathesis. No answer is a 5xx, and every answer has a status, a content type, headers and a body that the document
//! has for its operation.
//!
//! One run names resources that are there, so that operations get to do something; the other makes names up. A few
//! requests of each operation; `FERROMESH_FULL=1` gives them ten minutes each.

use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use ferromesh_integration::{
    rig::{paths, Rig},
    scale::is_full,
};
use serde_json::{json, Value};

/// Runs schemathesis as its own command does.
const MAIN: &str = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())";

/// What schemathesis does not know of itself: the content type of Cloud Map is JSON.
const HOOKS: &str = r#"
import json

import schemathesis

schemathesis.serializer.alias("application/x-amz-json-1.1", "application/json")


@schemathesis.deserializer("application/x-amz-json-1.1")
def cloud_map(_context, response):
    return json.loads(response.content)
"#;

const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection";

/// A proxy that is not known yet hears 503 on purpose: it is the one answer after which its filter sends a report again.
const ALWAYS: &str = r#"
[[operations]]
include-operation-id = "ReportCanaries"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 503]
"#;

/// What is there under which label. Of what can be deleted there is another that keeps the rest from being deleted.
const THERE: &str = r#"
[parameters]
"path.meshName" = "m"
"path.virtualNodeName" = "n"
"path.virtualRouterName" = "r"
"path.virtualServiceName" = "s"
"path.virtualGatewayName" = "g"
"path.routeName" = "t"
"path.gatewayRouteName" = "t"
"query.resourceArn" = "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualNode/n"
"query.mesh" = "m"
"path.mesh" = "m"
"path.policy" = "p"
"path.namespace" = "apps.local"
"path.service" = "back"
"path.instance" = "one"
"path.account" = "210987654321"
"#;

async fn resources(rig: &Rig) -> Result<()> {
    let route = json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    }});
    let gateway_route = json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}
    }});
    for (path, body) in [
        ("meshes", json!({"meshName": "m"})),
        ("meshes/m/virtualNodes", json!({"virtualNodeName": "n", "spec": {}})),
        ("meshes/m/virtualNodes", json!({"virtualNodeName": "k", "spec": {}})),
        ("meshes/m/virtualRouters", json!({"virtualRouterName": "r", "spec": {}})),
        (
            "meshes/m/virtualRouter/r/routes",
            json!({"routeName": "t", "spec": route}),
        ),
        (
            "meshes/m/virtualRouter/r/routes",
            json!({"routeName": "keep", "spec": route}),
        ),
        (
            "meshes/m/virtualServices",
            json!({"virtualServiceName": "s", "spec": {}}),
        ),
        (
            "meshes/m/virtualGateways",
            json!({"virtualGatewayName": "g", "spec": {"listeners": []}}),
        ),
        (
            "meshes/m/virtualGateway/g/gatewayRoutes",
            json!({"gatewayRouteName": "t", "spec": gateway_route}),
        ),
        (
            "meshes/m/virtualGateway/g/gatewayRoutes",
            json!({"gatewayRouteName": "keep", "spec": gateway_route}),
        ),
    ] {
        rig.put(path, &body).await?;
    }
    for (path, body) in [
        (
            "/v1/policies/m/p",
            json!({"target": {"mesh": {}}, "spec": {"canary": {"rollback": {"canary": "n", "baseline": "k"}}}}),
        ),
        ("/v1/policies/m/keep", json!({"target": {"mesh": {}}, "spec": {}})),
        ("/v1/registry/namespaces/apps.local", json!({})),
        ("/v1/registry/namespaces/apps.local/services/back", json!({})),
        (
            "/v1/registry/namespaces/apps.local/services/back/instances/keep",
            json!({"attributes": {"AWS_INSTANCE_IPV4": "10.0.0.1"}}),
        ),
    ] {
        let answer = rig.call(reqwest::Method::PUT, path, body.to_string()).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
    }
    Ok(())
}

/// How much is tried: whatever fits into ten minutes; or so many made-up requests of each operation, and where there are
/// resources also those that cover each parameter's borders. Counts, because a time says nothing on a busy machine.
fn extent(configuration: &str) -> [&'static str; 4] {
    match (is_full(), configuration) {
        (true, _) => ["--max-time", "600", "--phases", "coverage,fuzzing"],
        (false, "") => ["--max-examples", "3", "--phases", "fuzzing"],
        (false, _) => ["--max-examples", "2", "--phases", "coverage,fuzzing"],
    }
}

/// Runs schemathesis and gives what it prints.
fn run(address: &str, folder: &Path, configuration: &str) -> Result<String> {
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, format!("{configuration}{ALWAYS}"))?;
    let hooks = folder.join("hooks.py");
    std::fs::write(&hooks, HOOKS)?;
    let output = Command::new(paths::schemathesis()?)
        .args(["-c", MAIN, "--config-file"])
        .arg(&config)
        .args(["run", &format!("http://{address}/v1/openapi.json")])
        .args(["--checks", CHECKS])
        .args(extent(configuration))
        .args(["--generation-deterministic", "--suppress-health-check", "all"])
        .args([
            "--workers",
            "1",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ])
        // The first key closes the server to everybody who has none.
        .args(["--exclude-operation-id", "CreateKey"])
        .env("SCHEMATHESIS_HOOKS", &hooks)
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(folder)
        .output()
        .context("schemathesis cannot be started")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(told)
}

/// How many requests schemathesis made: `  1,234 generated, …`.
fn cases(told: &str) -> u64 {
    let counts = told.lines().filter_map(|line| line.split_once(" generated"));
    let last = counts.filter_map(|(before, _)| before.rsplit(' ').next()?.replace(',', "").parse::<u64>().ok());
    last.max().unwrap_or(0)
}

/// How many operations it tried, and of how many: `  Selected: 113/114` and `  Tested: 113`.
fn operations(told: &str) -> Option<(u64, u64)> {
    let number = |label: &str| {
        let line = told.lines().find_map(|line| line.trim().strip_prefix(label))?;
        line.trim().split('/').next()?.parse().ok()
    };
    Some((number("Tested:")?, number("Selected:")?))
}

#[tokio::test]
async fn every_answer_is_one_that_the_document_has_and_none_is_a_5xx() -> Result<()> {
    let rig = Rig::start().await?;
    resources(&rig).await?;
    let folder = tempfile::tempdir()?;
    for configuration in [THERE, ""] {
        let (address, folder) = (rig.address(), folder.path().to_owned());
        let told = tokio::task::spawn_blocking(move || run(&address, &folder, configuration)).await??;
        println!("{told}");
        let (tested, selected) = operations(&told).context(told.clone())?;
        assert_eq!(tested, selected, "operations that were not tried:\n{told}");
        assert!(cases(&told) >= selected, "too few requests:\n{told}");
    }
    let answer = rig.call(reqwest::Method::GET, "/readyz", "").await?;
    assert_eq!((answer.status, answer.body), (200, Value::Null));
    Ok(())
}
