//! Every operation of App Mesh, called the way its service model says.

mod harness;

use harness::Api;
use serde_json::{json, Value};

fn node(port: u16) -> Value {
    json!({
        "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "color.local"}}
    })
}

fn route() -> Value {
    json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}
    }})
}

fn gateway_route() -> Value {
    json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"target": {"virtualService": {"virtualServiceName": "color.local"}}}
    }})
}

/// Kind, collection path, item path, name member, name, spec, another spec.
fn kinds() -> Vec<(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Value,
    Value,
)> {
    let listener = |port: u16| json!({"listeners": [{"portMapping": {"port": port, "protocol": "http"}}]});
    let mut weighted = route();
    weighted["httpRoute"]["action"]["weightedTargets"][0]["weight"] = json!(7);
    let mut prefixed = gateway_route();
    prefixed["httpRoute"]["match"]["prefix"] = json!("/color");
    vec![
        (
            "Mesh",
            "/meshes",
            "/meshes/m",
            "meshName",
            "m",
            json!({}),
            json!({"egressFilter": {"type": "ALLOW_ALL"}}),
        ),
        (
            "VirtualNode",
            "/meshes/m/virtualNodes",
            "/meshes/m/virtualNodes/n",
            "virtualNodeName",
            "n",
            node(8080),
            node(8081),
        ),
        (
            "VirtualRouter",
            "/meshes/m/virtualRouters",
            "/meshes/m/virtualRouters/r",
            "virtualRouterName",
            "r",
            listener(80),
            listener(81),
        ),
        (
            "Route",
            "/meshes/m/virtualRouter/r/routes",
            "/meshes/m/virtualRouter/r/routes/t",
            "routeName",
            "t",
            route(),
            weighted,
        ),
        (
            "VirtualService",
            "/meshes/m/virtualServices",
            "/meshes/m/virtualServices/color.local",
            "virtualServiceName",
            "color.local",
            json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}}),
            json!({"provider": {"virtualNode": {"virtualNodeName": "n"}}}),
        ),
        (
            "VirtualGateway",
            "/meshes/m/virtualGateways",
            "/meshes/m/virtualGateways/g",
            "virtualGatewayName",
            "g",
            listener(80),
            listener(88),
        ),
        (
            "GatewayRoute",
            "/meshes/m/virtualGateway/g/gatewayRoutes",
            "/meshes/m/virtualGateway/g/gatewayRoutes/t",
            "gatewayRouteName",
            "t",
            gateway_route(),
            prefixed,
        ),
    ]
}

async fn whole_mesh() -> Api {
    let api = Api::new();
    for (_, collection, _, member, name, spec, _) in kinds() {
        api.put(collection, json!({member: name, "spec": spec})).await;
    }
    api
}

fn described(kind: &str, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if kind == "VirtualNode" {
        spec["backends"] = json!([]);
    }
    spec
}

#[tokio::test]
async fn creates_describes_updates_lists_and_deletes_every_kind() {
    let api = Api::new();
    let mut done = 0;
    for (kind, collection, item, member, name, spec, _) in kinds() {
        let created = api
            .call(
                "PUT",
                collection,
                json!({member: name, "spec": spec, "clientToken": "c-".to_owned() + kind}),
            )
            .await;
        let created = created.ok(&format!("Create{kind}"));
        assert_eq!(created[member], name);
        assert_eq!(created["spec"], described(kind, &spec));
        assert_eq!(created["status"]["status"], "ACTIVE");
        assert_eq!(created["metadata"]["version"], 1);
        assert_eq!(created["metadata"]["createdAt"], created["metadata"]["lastUpdatedAt"]);
        let seen = api.call("GET", item, Value::Null).await.ok(&format!("Describe{kind}"));
        assert_eq!(seen, created);
        done += 2;
    }
    for (kind, _, item, _, _, _, spec) in kinds() {
        let before = api.call("GET", item, Value::Null).await.body;
        let updated = api
            .call("PUT", item, json!({"spec": spec}))
            .await
            .ok(&format!("Update{kind}"));
        assert_eq!(updated["spec"], described(kind, &spec));
        assert_eq!(updated["metadata"]["version"], 2);
        assert_eq!(updated["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(updated["metadata"]["createdAt"], before["metadata"]["createdAt"]);
        assert_eq!(api.call("GET", item, Value::Null).await.body, updated);
        done += 1;
    }
    for (kind, collection, item, _, _, _, _) in kinds() {
        let plural = if kind == "Mesh" {
            "Meshes".to_owned()
        } else {
            format!("{kind}s")
        };
        let listed = api
            .call("GET", collection, Value::Null)
            .await
            .ok(&format!("List{plural}"));
        let one = api.call("GET", item, Value::Null).await.body;
        let list = listed
            .as_object()
            .and_then(|object| object.values().next())
            .cloned()
            .unwrap_or_default();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(list[0]["arn"], one["metadata"]["arn"]);
        assert_eq!(list[0]["version"], 2);
        assert_eq!(list[0].get("spec"), None);
        done += 1;
    }
    for (kind, _, item, _, _, _, spec) in kinds().into_iter().rev() {
        let deleted = api.call("DELETE", item, Value::Null).await.ok(&format!("Delete{kind}"));
        assert_eq!(deleted["status"]["status"], "DELETED");
        assert_eq!(deleted["spec"], described(kind, &spec));
        assert_eq!(deleted["metadata"]["version"], if kind == "Mesh" { 2 } else { 3 });
        let gone = api.call("GET", item, Value::Null).await;
        assert_eq!(gone.refused().1, "NotFoundException");
        assert_eq!(api.call("DELETE", item, Value::Null).await.refused().0, 404);
        done += 1;
    }
    assert_eq!(done, 35, "all operations but those on tags");
}

#[tokio::test]
async fn pages_stay_stable_while_resources_are_added_and_deleted() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    for number in (0..30).rev() {
        api.put(
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": format!("n{number:02}"), "spec": {}}),
        )
        .await;
    }
    let mut names = Vec::new();
    let mut token = String::new();
    for page in 0.. {
        let path = format!("/meshes/m/virtualNodes?limit=7{token}");
        let listed = api.call("GET", &path, Value::Null).await.ok("ListVirtualNodes");
        let page_names: Vec<String> = listed["virtualNodes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|node| node["virtualNodeName"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert!(page_names.len() <= 7);
        names.extend(page_names);
        // One before, one after the point reached; and the very resource that the token names goes away.
        api.put(
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": format!("a{page}"), "spec": {}}),
        )
        .await;
        api.put(
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": format!("z{page}"), "spec": {}}),
        )
        .await;
        if page == 0 {
            assert_eq!(
                api.call("DELETE", "/meshes/m/virtualNodes/n06", Value::Null)
                    .await
                    .status,
                200
            );
        }
        match listed["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..30).map(|number| format!("n{number:02}")).collect();
    let seen: Vec<String> = names.iter().filter(|name| name.starts_with('n')).cloned().collect();
    assert_eq!(seen, expected);
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(unique, names, "nothing twice");
    assert_eq!(
        api.call("GET", "/meshes/m/virtualNodes?nextToken=xyz", Value::Null)
            .await
            .refused()
            .1,
        "BadRequestException"
    );
    for limit in ["0", "101", "-1", "x", "1.5", ""] {
        let answer = api
            .call("GET", &format!("/meshes/m/virtualNodes?limit={limit}"), Value::Null)
            .await;
        assert_eq!(answer.refused().1, "BadRequestException", "{limit}");
    }
}

#[tokio::test]
async fn takes_its_own_account_as_mesh_owner_and_no_other() {
    let api = whole_mesh().await;
    let ours = api
        .call("GET", "/meshes/m/virtualNodes/n?meshOwner=123456789012", Value::Null)
        .await;
    assert_eq!(ours.status, 200);
    let other = api
        .call("GET", "/meshes/m/virtualNodes/n?meshOwner=210987654321", Value::Null)
        .await;
    assert_eq!(other.refused().1, "ForbiddenException");
    let wrong = api
        .call("GET", "/meshes/m/virtualNodes/n?meshOwner=1", Value::Null)
        .await;
    assert_eq!(
        wrong.refused(),
        (
            400,
            "BadRequestException",
            "meshOwner: must have at least 12 characters, has 1"
        )
    );
}

#[tokio::test]
async fn keeps_names_byte_for_byte_through_percent_encoded_labels() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "mé"})).await;
    let name = "a/b é%2f+c:80?#.local";
    api.put(
        "/meshes/m%C3%A9/virtualServices",
        json!({"virtualServiceName": name, "spec": {}}),
    )
    .await;
    let label: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let seen = api
        .call("GET", &format!("/meshes/m%C3%A9/virtualServices/{label}"), Value::Null)
        .await;
    let seen = seen.ok("DescribeVirtualService");
    assert_eq!(seen["virtualServiceName"], name);
    assert_eq!(
        seen["metadata"]["arn"],
        format!("arn:aws:appmesh:us-east-1:123456789012:mesh/mé/virtualService/{name}")
    );
    assert_eq!(
        api.call("GET", "/meshes/m%C3/virtualServices", Value::Null)
            .await
            .refused()
            .1,
        "BadRequestException"
    );
}

#[tokio::test]
async fn takes_requests_with_and_without_a_signature() {
    let api = Api::new();
    let signed = warp::test::request()
        .method("PUT")
        .path("/v20190125/meshes")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKID/20300101/eu-west-1/appmesh/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
        .body(r#"{"meshName":"m"}"#)
        .reply(&api.routes)
        .await;
    assert_eq!(signed.status(), 200);
    let mesh: Value = serde_json::from_slice(signed.body()).expect("JSON");
    assert_eq!(
        mesh["metadata"]["arn"], "arn:aws:appmesh:us-east-1:123456789012:mesh/m",
        "our region, not the caller's"
    );
}
