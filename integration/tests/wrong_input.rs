//! Wrong input gets App Mesh's error with the field's path, changes nothing stored, and running Envoys serve on.

use std::time::Duration;

use ferromesh_integration::two_colours::{self, TwoColours, ROUTE};
use reqwest::Method;
use serde_json::{json, Value};

struct Wrong {
    what: &'static str,
    method: Method,
    path: &'static str,
    body: String,
    error: &'static str,
    status: u16,
    /// What the message must hold.
    says: &'static [&'static str],
}

fn put(
    what: &'static str,
    path: &'static str,
    body: Value,
    error: &'static str,
    says: &'static [&'static str],
) -> Wrong {
    let status = match error {
        "NotFoundException" => 404,
        "ConflictException" | "ResourceInUseException" => 409,
        _ => 400,
    };
    Wrong {
        what,
        method: Method::PUT,
        path,
        body: body.to_string(),
        error,
        status,
        says,
    }
}

fn delete(what: &'static str, path: &'static str, error: &'static str) -> Wrong {
    Wrong {
        method: Method::DELETE,
        body: String::new(),
        ..put(what, path, Value::Null, error, &[])
    }
}

const ROUTES: &str = "/v20190125/meshes/colours/virtualRouter/color/routes";
const ROUTE_ITEM: &str = "/v20190125/meshes/colours/virtualRouter/color/routes/color";
const NODES: &str = "/v20190125/meshes/colours/virtualNodes";

fn update(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = two_colours::route([50, 50]);
    change(&mut spec["httpRoute"]);
    json!({ "spec": spec })
}

fn wrong_calls() -> Vec<Wrong> {
    let bad = "BadRequestException";
    let mut calls = vec![
        put(
            "an unknown field",
            ROUTE_ITEM,
            update(|route| route["action"]["weightedTarget"] = json!([])),
            bad,
            &["spec.httpRoute.action.weightedTarget"],
        ),
        put(
            "a wrong type",
            ROUTE_ITEM,
            update(|route| route["match"]["prefix"] = json!(7)),
            bad,
            &["spec.httpRoute.match.prefix"],
        ),
        put(
            "a weight above the limit",
            ROUTE_ITEM,
            update(|route| route["action"]["weightedTargets"][1]["weight"] = json!(101)),
            bad,
            &["spec.httpRoute.action.weightedTargets[1].weight", "101", "100"],
        ),
        put(
            "a negative weight",
            ROUTE_ITEM,
            update(|route| route["action"]["weightedTargets"][0]["weight"] = json!(-1)),
            bad,
            &["spec.httpRoute.action.weightedTargets[0].weight"],
        ),
        put(
            "weights that sum to nothing",
            ROUTE_ITEM,
            json!({"spec": two_colours::route([0, 0])}),
            bad,
            &["weightedTargets"],
        ),
        put(
            "no targets",
            ROUTE_ITEM,
            update(|route| route["action"]["weightedTargets"] = json!([])),
            bad,
            &["spec.httpRoute.action.weightedTargets"],
        ),
        put(
            "a prefix without slash",
            ROUTE_ITEM,
            update(|route| route["match"]["prefix"] = json!("color")),
            bad,
            &["spec.httpRoute.match.prefix"],
        ),
        put(
            "two kinds of route at once",
            ROUTE_ITEM,
            {
                let mut body = update(|_| ());
                body["spec"]["http2Route"] = body["spec"]["httpRoute"].clone();
                body
            },
            bad,
            &["spec"],
        ),
        put("a missing spec", ROUTE_ITEM, json!({}), bad, &["spec"]),
        put(
            "a target that does not exist",
            ROUTE_ITEM,
            update(|route| route["action"]["weightedTargets"][1]["virtualNode"] = json!("gren")),
            "NotFoundException",
            &["gren"],
        ),
        put(
            "a mesh that does not exist",
            "/v20190125/meshes/nowhere/virtualNodes",
            json!({"virtualNodeName": "n", "spec": two_colours::node(80)}),
            "NotFoundException",
            &["nowhere"],
        ),
        put(
            "a router that does not exist",
            "/v20190125/meshes/colours/virtualRouter/none/routes",
            json!({"routeName": "r", "spec": two_colours::route([1, 1])}),
            "NotFoundException",
            &["none"],
        ),
        put(
            "a port out of range",
            NODES,
            json!({"virtualNodeName": "n", "spec": two_colours::node(0)}),
            bad,
            &["spec.listeners[0].portMapping.port"],
        ),
        put(
            "a listener without service discovery",
            NODES,
            json!({"virtualNodeName": "n", "spec": {
                "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]
            }}),
            bad,
            &["serviceDiscovery"],
        ),
        put(
            "an unknown protocol",
            NODES,
            {
                let mut spec = two_colours::node(80);
                spec["listeners"][0]["portMapping"]["protocol"] = json!("gopher");
                json!({"virtualNodeName": "n", "spec": spec})
            },
            bad,
            &["spec.listeners[0].portMapping.protocol"],
        ),
        put(
            "a name that is taken",
            ROUTES,
            json!({"routeName": "color", "spec": two_colours::route([1, 1])}),
            "ConflictException",
            &["color"],
        ),
        delete(
            "a node in use",
            "/v20190125/meshes/colours/virtualNodes/blue",
            "ResourceInUseException",
        ),
        delete(
            "a router with routes",
            "/v20190125/meshes/colours/virtualRouters/color",
            "ResourceInUseException",
        ),
        delete(
            "a mesh with children",
            "/v20190125/meshes/colours",
            "ResourceInUseException",
        ),
        delete(
            "a node that does not exist",
            "/v20190125/meshes/colours/virtualNodes/none",
            "NotFoundException",
        ),
    ];
    for (what, body) in [
        ("JSON that ends early", r#"{"spec": {"httpRoute": "#),
        ("no JSON at all", "weight=100"),
        ("an array", "[]"),
        ("bytes that are no text", "{\"spec\": \"\u{0}\"}"),
    ] {
        calls.push(Wrong {
            body: body.to_owned(),
            ..put(what, ROUTE_ITEM, Value::Null, bad, &[])
        });
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_gets_its_error_and_changes_nothing_while_envoy_serves_on() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let before = state(&mesh).await;
    let load = mesh.load().per_second(100).start().await.expect("load");
    let mut misses = Vec::new();
    for wrong in wrong_calls() {
        let answer = mesh
            .rig
            .call(wrong.method.clone(), wrong.path, wrong.body.clone())
            .await
            .expect("an answer");
        let error = answer.error.split(':').next().unwrap_or_default();
        let silent: Vec<_> = wrong
            .says
            .iter()
            .filter(|text| !answer.message().contains(**text))
            .collect();
        if (answer.status, error) != (wrong.status, wrong.error) || answer.message().is_empty() || !silent.is_empty() {
            misses.push(format!(
                "{}: expected {} {} naming {:?}, got {} {} {}",
                wrong.what, wrong.status, wrong.error, wrong.says, answer.status, answer.error, answer.body
            ));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
    assert_eq!(state(&mesh).await, before, "something stored has changed");
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.stop().await.assert_no_failures("wrong input");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_shows_the_error_type_and_the_field() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let before = state(&mesh).await;
    let input = |spec: Value| {
        json!({
            "meshName": "colours",
            "virtualRouterName": "color",
            "routeName": "color",
            "spec": spec,
        })
    };
    let mut dangling = two_colours::route([50, 50]);
    dangling["httpRoute"]["action"]["weightedTargets"][0]["virtualNode"] = json!("nobody");
    let refusal = mesh
        .rig
        .aws_refused("update-route", &input(dangling))
        .await
        .expect("a refusal");
    assert_eq!(refusal.error, "NotFoundException");
    assert!(refusal.message.contains("nobody"), "{refusal:?}");

    let mut weights = two_colours::route([50, 50]);
    weights["httpRoute"]["match"]["prefix"] = json!("no-slash");
    let refusal = mesh
        .rig
        .aws_refused("update-route", &input(weights))
        .await
        .expect("a refusal");
    assert_eq!(refusal.error, "BadRequestException");
    assert!(refusal.message.contains("spec.httpRoute.match.prefix"), "{refusal:?}");

    let refusal = mesh
        .rig
        .aws_refused("describe-mesh", &json!({"meshName": "nowhere"}))
        .await
        .expect("a refusal");
    assert_eq!(refusal.error, "NotFoundException");
    assert_eq!(state(&mesh).await, before, "something stored has changed");
}

/// Everything that the wrong calls aim at.
async fn state(mesh: &TwoColours) -> Vec<Value> {
    let mut state = Vec::new();
    for path in [
        "meshes",
        "meshes/colours/virtualNodes",
        "meshes/colours/virtualRouters",
        "meshes/colours/virtualServices",
        "meshes/colours/virtualRouter/color/routes",
        ROUTE,
        "meshes/colours/virtualNodes/blue",
    ] {
        state.push(mesh.rig.get(path).await.expect(path));
    }
    state
}
