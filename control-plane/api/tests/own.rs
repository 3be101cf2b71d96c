//! Our own API: policies, proxies, modules, health, metrics.

mod harness;

use std::sync::Arc;

use bytes::Bytes;
use ferromesh_api::{MetricsSource, Modules, ProxyStatus};
use harness::Api;
use serde_json::{json, Value};

#[tokio::test]
async fn makes_replaces_lists_and_deletes_policies() {
    let api = Api::new();
    for mesh in ["m", "n"] {
        api.put("/meshes", json!({"meshName": mesh})).await;
    }
    api.put(
        "/meshes/m/virtualServices",
        json!({"virtualServiceName": "color.local", "spec": {}}),
    )
    .await;
    let policy = json!({
        "target": {"virtualService": "color.local"},
        "spec": {"canary": {"sticky": {"header": "x-user"}, "override": {"header": "x-canary"}}}
    });
    let mut full = policy.clone();
    full["name"] = json!("sticky");
    full["mesh"] = json!("m");
    let put = api.text("PUT", "/v1/policies/m/sticky", policy.to_string()).await;
    assert_eq!((put.status, &put.body), (200, &full));
    assert_eq!(api.text("GET", "/v1/policies/m/sticky", "").await.body, full);
    api.text(
        "PUT",
        "/v1/policies/n/all",
        json!({"target": {"mesh": {}}, "spec": {}}).to_string(),
    )
    .await;
    assert_eq!(
        api.text("GET", "/v1/policies?mesh=m", "").await.body,
        json!({ "policies": [full] })
    );
    let all = api.text("GET", "/v1/policies", "").await.body;
    assert_eq!(all["policies"].as_array().map(Vec::len), Some(2));
    full["spec"] = json!({"retry": {"enabled": false}});
    assert_eq!(
        api.text("PUT", "/v1/policies/m/sticky", full.to_string()).await.body,
        full
    );
    assert_eq!(api.text("DELETE", "/v1/policies/m/sticky", "").await.body, full);
    assert_eq!(
        api.text("DELETE", "/v1/policies/m/sticky", "").await.refused().1,
        "NotFoundException"
    );
    assert_eq!(api.text("GET", "/v1/policies/m/sticky", "").await.refused().0, 404);
    assert_eq!(api.text("GET", "/v1/policies?mesh=x", "").await.refused().0, 404);
}

#[tokio::test]
async fn refuses_policies_without_a_target_or_with_unknown_members() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let before = api.stored();
    for (path, body, status, message) in [
        (
            "m/p",
            json!({"target": {"virtualNode": "n"}, "spec": {}}),
            404,
            "VirtualNode with name n is missing (target.virtualNode)",
        ),
        (
            "m/p",
            json!({"target": {"route": {"router": "r", "name": "t"}}, "spec": {}}),
            404,
            "Route with name t is missing (target.route)",
        ),
        (
            "x/p",
            json!({"target": {"mesh": {}}, "spec": {}}),
            404,
            "Mesh with name x is not present for account 123456789012",
        ),
        (
            "m/p",
            json!({"target": {"mesh": {}}, "spec": {"color": 1}}),
            400,
            "spec.color: is not a member of PolicySpec",
        ),
        ("m/p", json!({"spec": {}}), 400, "target: is required"),
        (
            "m/p",
            json!({"name": "q", "target": {"mesh": {}}, "spec": {}}),
            400,
            "name: must be \"p\" like in the path, is \"q\"",
        ),
        (
            "m/a%20b",
            json!({"target": {"mesh": {}}, "spec": {}}),
            400,
            "name: must have no '/' and no blanks, is \"a b\"",
        ),
    ] {
        let answer = api.text("PUT", &format!("/v1/policies/{path}"), body.to_string()).await;
        assert_eq!(
            (answer.refused().0, answer.refused().2),
            (status, message),
            "{path} {body}"
        );
    }
    assert_eq!(
        api.text("PUT", "/v1/policies/m/p", "{").await.refused().1,
        "BadRequestException"
    );
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn tells_every_mistake_in_the_filters_own_members() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let spec = json!({"fault": {"abort": {"status": 99}}, "headers": {"request": [{"remove": "x-envoy-internal"}]}});
    let policy = json!({"target": {"mesh": {}}, "spec": spec}).to_string();
    let answer = api.text("PUT", "/v1/policies/m/p", policy).await;
    let (status, _, message) = answer.refused();
    assert_eq!(status, 400);
    for path in ["spec.fault.abort.status: ", "spec.headers.request[0].remove: "] {
        assert!(message.contains(path), "{message}");
    }
}

/// A mesh with a route to blue and green.
async fn with_route(api: &Api) {
    api.put("/meshes", json!({"meshName": "m"})).await;
    for node in ["blue", "green"] {
        let dns = json!({"dns": {"hostname": node}});
        let listeners = json!([{"portMapping": {"port": 80, "protocol": "http"}}]);
        let spec = json!({"listeners": listeners, "serviceDiscovery": dns});
        api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": node, "spec": spec}))
            .await;
    }
    let spec = json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]});
    api.put(
        "/meshes/m/virtualRouters",
        json!({"virtualRouterName": "r", "spec": spec}),
    )
    .await;
    let targets = json!([{"virtualNode": "blue", "weight": 1}, {"virtualNode": "green", "weight": 1}]);
    let route = json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}});
    api.put(
        "/meshes/m/virtualRouter/r/routes",
        json!({"routeName": "t", "spec": route}),
    )
    .await;
}

#[tokio::test]
async fn refuses_a_policy_that_does_not_fit_what_it_names() {
    let api = Api::new();
    with_route(&api).await;
    let put = async |target: Value, spec: Value| {
        let body = json!({"target": target, "spec": spec}).to_string();
        let answer = api.text("PUT", "/v1/policies/m/p", body).await;
        match answer.status {
            200 => (200, String::new()),
            _ => (answer.refused().0, answer.refused().2.to_owned()),
        }
    };
    let route = json!({"route": {"router": "r", "name": "t"}});
    let rollback = |canary: &str| json!({"canary": {"rollback": {"canary": canary, "baseline": "blue"}}});
    let (status, message) = put(route.clone(), rollback("red")).await;
    assert_eq!(status, 400, "{message}");
    assert!(message.starts_with("spec.canary.rollback.canary: "), "{message}");
    assert_eq!(put(route.clone(), rollback("green")).await.0, 200);
    let weights = json!([{"afterSeconds": 0, "weights": [1, 1, 1]}]);
    let ramp = json!({"canary": {"ramp": {"startUnixMillis": 1, "steps": weights}}});
    let (status, message) = put(route, ramp).await;
    assert_eq!(
        (status, message.as_str()),
        (
            400,
            "spec.canary.ramp.steps[0].weights: 3 weights for 2 targets; each target needs one"
        )
    );
    let (status, message) = put(json!({"mesh": {}}), json!({"mirror": {"virtualNode": "shadow"}})).await;
    assert_eq!(
        (status, message.as_str()),
        (404, "VirtualNode with name shadow is missing (spec.mirror.virtualNode)")
    );
}

#[tokio::test]
async fn starts_pauses_and_resumes_a_ramp() {
    let api = Api::new();
    with_route(&api).await;
    let steps = json!([{"afterSeconds": 0, "weights": [1, 0]}, {"afterSeconds": 60, "weights": [0, 1]}]);
    let policy = json!({
        "target": {"route": {"router": "r", "name": "t"}},
        "spec": {"canary": {"ramp": {"startUnixMillis": 1, "steps": steps}}}
    });
    assert_eq!(
        api.text("PUT", "/v1/policies/m/p", policy.to_string()).await.status,
        200
    );
    let turn = async |turn: &str| api.text("POST", &format!("/v1/policies/m/p/ramp/{turn}"), "").await;
    let started = turn("start").await;
    assert_eq!(started.status, 200, "{}", started.body);
    let ramp = &started.body["spec"]["canary"]["ramp"];
    assert!(ramp["startUnixMillis"].as_u64() > Some(1_000_000_000_000), "{ramp}");
    assert_eq!(turn("resume").await.refused().0, 409);
    let paused = turn("pause").await.body;
    assert_eq!(
        paused["spec"]["canary"]["ramp"]["pauses"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        turn("pause").await.refused().2,
        "the ramp of policy \"p\" cannot pause now: it is paused already"
    );
    let resumed = turn("resume").await.body;
    assert!(resumed["spec"]["canary"]["ramp"]["pauses"][0]["untilUnixMillis"].is_u64());
    assert_eq!(api.text("GET", "/v1/policies/m/p", "").await.body, resumed);
    assert_eq!(turn("stop").await.refused().0, 404);
    assert_eq!(
        api.text("GET", "/v1/policies/m/p/ramp/start", "").await.refused().0,
        400
    );
    assert_eq!(
        api.text("POST", "/v1/policies/m/q/ramp/start", "").await.refused().0,
        404
    );
    let without = json!({"target": {"mesh": {}}, "spec": {}}).to_string();
    api.text("PUT", "/v1/policies/m/q", without).await;
    assert_eq!(
        api.text("POST", "/v1/policies/m/q/ramp/start", "").await.refused().2,
        "policy \"q\" has no spec.canary.ramp to start"
    );
}

#[tokio::test]
async fn forgets_a_meshs_policies_with_the_mesh_but_keeps_those_of_other_resources() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": "n", "spec": {}}))
        .await;
    let policy = json!({"target": {"virtualNode": "n"}, "spec": {}}).to_string();
    assert_eq!(api.text("PUT", "/v1/policies/m/p", policy).await.status, 200);
    assert_eq!(
        api.call("DELETE", "/meshes/m/virtualNodes/n", Value::Null).await.status,
        200
    );
    assert_eq!(
        api.text("GET", "/v1/policies/m/p", "").await.status,
        200,
        "a node that is made anew finds it again"
    );
    assert_eq!(api.call("DELETE", "/meshes/m", Value::Null).await.status, 200);
    assert_eq!(api.text("GET", "/v1/policies", "").await.body, json!({"policies": []}));
}

struct OneProxy;

impl ProxyStatus for OneProxy {
    fn list(&self) -> Vec<Value> {
        vec![json!({"id": "mesh/m/virtualNode/n"})]
    }

    fn get(&self, id: &str) -> Option<Value> {
        self.list().into_iter().find(|proxy| proxy["id"] == id)
    }
}

#[tokio::test]
async fn shows_proxies_by_ids_with_slashes() {
    let api = Api::with(|mut state| {
        state.proxies = Arc::new(OneProxy);
        state
    });
    assert_eq!(
        api.text("GET", "/v1/proxies", "").await.body["proxies"][0]["id"],
        "mesh/m/virtualNode/n"
    );
    for path in ["mesh/m/virtualNode/n", "mesh%2Fm%2FvirtualNode%2Fn"] {
        assert_eq!(
            api.text("GET", &format!("/v1/proxies/{path}"), "").await.body["id"],
            "mesh/m/virtualNode/n"
        );
    }
    assert_eq!(api.text("GET", "/v1/proxies/x", "").await.refused().0, 404);
    assert_eq!(
        Api::new().text("GET", "/v1/proxies", "").await.body,
        json!({"proxies": []})
    );
}

#[tokio::test]
async fn serves_modules_by_their_hash() {
    let api = Api::with(|mut state| {
        state.modules = Arc::new(Modules::new([("mesh".to_owned(), Bytes::from_static(b"\0asm"))]));
        state
    });
    let list = api.text("GET", "/v1/modules", "").await.body;
    let module = &list["modules"][0];
    assert_eq!((&module["name"], &module["size"]), (&json!("mesh"), &json!(4)));
    let path = module["path"].as_str().expect("a path");
    let response = api.raw("GET", path, "").await;
    assert_eq!(
        (response.status().as_u16(), response.body().as_ref()),
        (200, &b"\0asm"[..])
    );
    assert_eq!(response.headers()["content-type"], "application/wasm");
    let etag = response.headers()["etag"].to_str().expect("text").to_owned();
    let again = warp::test::request()
        .path(path)
        .header("if-none-match", etag)
        .reply(&api.routes)
        .await;
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    for wrong in [
        "/modules/mesh.wasm",
        "/modules/..%2F..%2Fetc%2Fpasswd",
        &path.replace(".wasm", ""),
    ] {
        assert_eq!(api.text("GET", wrong, "").await.refused().0, 404, "{wrong}");
    }
}

struct Extra;

impl MetricsSource for Extra {
    fn write(&self, text: &mut String) {
        text.push_str("# TYPE extra gauge\nextra 1\n");
    }
}

#[tokio::test]
async fn tells_health_and_metrics() {
    let api = Api::with(|mut state| {
        state.metrics.push(Arc::new(Extra));
        state
    });
    for path in ["/livez", "/readyz"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(api.raw(method, path, "").await.status(), 200, "{method} {path}");
        }
    }
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.call("PUT", "/meshes", json!({"meshName": "m"})).await;
    api.put(
        "/meshes/m/virtualServices",
        json!({"virtualServiceName": "a/b", "spec": {}}),
    )
    .await;
    api.call("GET", "/nothing", Value::Null).await;
    let response = api.raw("GET", "/metrics", "").await;
    let text = String::from_utf8(response.body().to_vec()).expect("text");
    for line in [
        "ferromesh_api_requests_total{operation=\"CreateMesh\",code=\"200\"} 1",
        "ferromesh_api_requests_total{operation=\"CreateMesh\",code=\"ConflictException\"} 1",
        "ferromesh_api_requests_total{operation=\"Unknown\",code=\"NotFoundException\"} 1",
        "ferromesh_resources{kind=\"mesh\"} 1",
        "ferromesh_resources{kind=\"virtualService\"} 1",
        "ferromesh_resources{kind=\"route\"} 0",
        "ferromesh_store_revision 2",
        "extra 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}
