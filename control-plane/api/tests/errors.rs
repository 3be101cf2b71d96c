//! Wrong requests: the error's type, its status, a message with the field's path, and nothing stored.

mod harness;

use harness::Api;
use serde_json::{json, Value};

async fn mesh() -> Api {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": "n", "spec": {}}))
        .await;
    let listeners = json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]});
    api.put(
        "/meshes/m/virtualRouters",
        json!({"virtualRouterName": "r", "spec": listeners}),
    )
    .await;
    api
}

fn route(weight: Value, node: &str) -> Value {
    json!({"routeName": "t", "spec": {"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [{"virtualNode": node, "weight": weight}]}
    }}})
}

#[tokio::test]
async fn refuses_wrong_input_with_its_path_and_stores_nothing() {
    let api = mesh().await;
    let before = api.stored();
    let routes = "/meshes/m/virtualRouter/r/routes";
    let mut unknown = route(json!(1), "n");
    unknown["spec"]["httpRoute"]["match"]["colour"] = json!("red");
    for (method, path, body, expected) in [
        (
            "PUT",
            routes,
            route(json!(101), "n"),
            (
                400,
                "BadRequestException",
                "spec.httpRoute.action.weightedTargets[0].weight: must be at most 100, is 101",
            ),
        ),
        (
            "PUT",
            routes,
            route(json!("1"), "n"),
            (
                400,
                "BadRequestException",
                "spec.httpRoute.action.weightedTargets[0].weight: must be a number, is the string \"1\"",
            ),
        ),
        (
            "PUT",
            routes,
            route(json!(0), "n"),
            (
                400,
                "BadRequestException",
                "spec.httpRoute.action.weightedTargets: the sum of all weights must be at least 1, is 0",
            ),
        ),
        (
            "PUT",
            routes,
            unknown,
            (
                400,
                "BadRequestException",
                "spec.httpRoute.match.colour: is not a member of HttpRouteMatch",
            ),
        ),
        (
            "PUT",
            routes,
            route(json!(1), "dangling"),
            (
                404,
                "NotFoundException",
                "VirtualNode with name dangling is missing (spec.httpRoute.action.weightedTargets[0].virtualNode)",
            ),
        ),
        (
            "PUT",
            "/meshes/nowhere/virtualNodes",
            json!({"virtualNodeName": "n", "spec": {}}),
            (
                404,
                "NotFoundException",
                "Mesh with name nowhere is not present for account 123456789012",
            ),
        ),
        (
            "PUT",
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": "n", "spec": {}}),
            (
                409,
                "ConflictException",
                "VirtualNode with name n already exists under mesh m for account 123456789012",
            ),
        ),
        (
            "PUT",
            "/meshes/m/virtualNodes",
            json!({"spec": {}, "unknown": 1}),
            (
                400,
                "BadRequestException",
                "unknown: is not a member of CreateVirtualNodeInput; virtualNodeName: is required",
            ),
        ),
        (
            "PUT",
            "/meshes",
            json!({"meshName": null}),
            (400, "BadRequestException", "meshName: must be a string, is null"),
        ),
        (
            "PUT",
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": "arn:aws:appmesh:us-east-1:123456789012:mesh/m", "spec": {}}),
            (
                400,
                "BadRequestException",
                "virtualNodeName: must be a name, is the ARN \"arn:aws:appmesh:us-east-1:123456789012:mesh/m\"",
            ),
        ),
        (
            "GET",
            "/meshes/arn:aws:appmesh:us-east-1:123456789012:mesh%2Fm/virtualNodes",
            Value::Null,
            (
                400,
                "BadRequestException",
                "meshName: must be a name, is the ARN \"arn:aws:appmesh:us-east-1:123456789012:mesh/m\"",
            ),
        ),
        (
            "GET",
            "/meshes/m/virtualNodes/x",
            Value::Null,
            (
                404,
                "NotFoundException",
                "VirtualNode with name x is not present under mesh m for account 123456789012",
            ),
        ),
        (
            "GET",
            "/meshes/m/virtualRouter/r/routes/x",
            Value::Null,
            (
                404,
                "NotFoundException",
                "Route with name x is not present under VirtualRouter r of mesh m for account 123456789012",
            ),
        ),
        (
            "GET",
            "/meshes/x/virtualRouter/r/routes/x",
            Value::Null,
            (
                404,
                "NotFoundException",
                "Mesh with name x is not present for account 123456789012",
            ),
        ),
        (
            "GET",
            "/meshes/m/virtualRouter/x/routes",
            Value::Null,
            (
                404,
                "NotFoundException",
                "VirtualRouter with name x is not present under mesh m for account 123456789012",
            ),
        ),
        (
            "PUT",
            "/meshes/m/virtualNodes/x",
            json!({"spec": {}}),
            (
                404,
                "NotFoundException",
                "VirtualNode with name x is not present under mesh m for account 123456789012",
            ),
        ),
        (
            "DELETE",
            "/meshes/m",
            Value::Null,
            (
                409,
                "ResourceInUseException",
                "Mesh m cannot be deleted because it holds the following: VIRTUAL_NODE: [n], VIRTUAL_ROUTER: [r]",
            ),
        ),
    ] {
        let answer = api.call(method, path, body.clone()).await;
        assert_eq!(answer.refused(), expected, "{method} {path} {body}");
    }
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn refuses_bodies_that_are_no_json_objects() {
    let api = mesh().await;
    let before = api.stored();
    for (body, part) in [
        (
            "{",
            "body: is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "{\"meshName\": \"x\",}",
            "body: is not valid JSON: trailing comma at line 1 column 18",
        ),
        ("[]", "body: must be a JSON object"),
        ("null", "body: must be a JSON object"),
        (
            "{} {}",
            "body: is not valid JSON: trailing characters at line 1 column 4",
        ),
        ("", "meshName: is required"),
    ] {
        let answer = api.text("PUT", "/v20190125/meshes", body).await;
        assert_eq!(answer.refused(), (400, "BadRequestException", part), "{body}");
    }
    for body in [
        &b"{\"meshName\": \"\xff\"}"[..],
        b"\xff\xfe",
        b"{\"meshName\": \"\\ud800\"}",
    ] {
        let answer = api.text("PUT", "/v20190125/meshes", body.to_vec()).await;
        assert_eq!(answer.refused().1, "BadRequestException", "{body:?}");
    }
    let deep = format!("{{\"meshName\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        api.text("PUT", "/v20190125/meshes", deep).await.refused().1,
        "BadRequestException"
    );
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn refuses_bodies_over_the_limit_and_takes_those_at_it() {
    let limit = 1000;
    let api = Api::with(|mut state| {
        state.config.max_body_bytes = limit;
        state
    });
    let body = |length: usize| {
        let empty = r#"{"meshName":"m","clientToken":""}"#.len();
        format!(r#"{{"meshName":"m","clientToken":"{}"}}"#, "x".repeat(length - empty))
    };
    let over = api.text("PUT", "/v20190125/meshes", body(limit + 1)).await;
    assert_eq!(
        over.refused(),
        (400, "BadRequestException", "body: must have at most 1000 bytes")
    );
    let far_over = api.text("PUT", "/v20190125/meshes", vec![b'x'; 20 << 20]).await;
    assert_eq!(far_over.refused().1, "BadRequestException");
    assert_eq!(api.stored().0, 0);
    assert_eq!(api.text("PUT", "/v20190125/meshes", body(limit)).await.status, 200);
}

#[tokio::test]
async fn answers_wrong_paths_and_methods_in_the_same_form() {
    let api = Api::new();
    for path in [
        "/",
        "/v20190125",
        "/v20190125/",
        "/v20190125/meshes/",
        "/v20190125//",
        "/v20190125/nothing",
        "/x/y",
        "/v1",
    ] {
        let answer = api.text("GET", path, "").await;
        assert_eq!(answer.refused().0, 404, "{path}");
        assert_eq!(answer.refused().1, "NotFoundException", "{path}");
    }
    for (method, path) in [
        ("POST", "/v20190125/meshes"),
        ("PATCH", "/v20190125/meshes/m"),
        ("POST", "/v1/policies"),
    ] {
        let answer = api.text(method, path, "{}").await;
        assert_eq!(
            (answer.refused().0, answer.refused().1),
            (400, "BadRequestException"),
            "{method} {path}"
        );
    }
    let response = api.raw("POST", "/v20190125/meshes", "{}").await;
    assert_eq!(response.headers()["allow"], "PUT, GET");
    let answer = api.text("GET", "/v20190125/meshes/%zz", "").await;
    assert_eq!(
        answer.refused(),
        (400, "BadRequestException", "path: \"%zz\" is not percent-encoded UTF-8")
    );
}

#[tokio::test]
async fn refuses_resources_over_the_quota() {
    let api = Api::with(|mut state| {
        state.config.quotas.meshes = Some(1);
        state
    });
    api.put("/meshes", json!({"meshName": "m"})).await;
    let answer = api.call("PUT", "/meshes", json!({"meshName": "n"})).await;
    assert_eq!(
        answer.refused(),
        (
            400,
            "LimitExceededException",
            "this account has 1 of at most 1 Mesh resources"
        )
    );
}

/// A sample of every spec's broken values, through the wire: all the way to a message that names the path.
#[tokio::test]
async fn names_the_path_of_every_limit_that_is_broken() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.put(
        "/meshes/m/virtualRouters",
        json!({"virtualRouterName": "r", "spec": {}}),
    )
    .await;
    api.put(
        "/meshes/m/virtualGateways",
        json!({"virtualGatewayName": "g", "spec": {"listeners": []}}),
    )
    .await;
    let before = api.stored();
    let mut refused = 0;
    for (collection, member, shape) in [
        ("/meshes", "meshName", "MeshSpec"),
        ("/meshes/m/virtualNodes", "virtualNodeName", "VirtualNodeSpec"),
        ("/meshes/m/virtualRouters", "virtualRouterName", "VirtualRouterSpec"),
        ("/meshes/m/virtualRouter/r/routes", "routeName", "RouteSpec"),
        ("/meshes/m/virtualServices", "virtualServiceName", "VirtualServiceSpec"),
        ("/meshes/m/virtualGateways", "virtualGatewayName", "VirtualGatewaySpec"),
        (
            "/meshes/m/virtualGateway/g/gatewayRoutes",
            "gatewayRouteName",
            "GatewayRouteSpec",
        ),
    ] {
        let shape = ferromesh_model::shapes::shape(shape).expect("a shape");
        let broken = cases::cases(shape)
            .into_iter()
            .filter_map(|case| Some((case.value, case.broken?)));
        for (spec, path) in broken.step_by(5) {
            let answer = api.call("PUT", collection, json!({member: "new", "spec": spec})).await;
            let (status, error, message) = answer.refused();
            assert_eq!((status, error), (400, "BadRequestException"), "{spec}");
            let separator = if path.is_empty() { "" } else { "." };
            assert!(
                message.starts_with(&format!("spec{separator}{path}: ")),
                "{path}: {message}"
            );
            refused += 1;
        }
    }
    println!("{refused} broken specs refused");
    assert!(refused > 600);
    assert_eq!(api.stored(), before);
}

#[path = "../../model/tests/cases/mod.rs"]
mod cases;
