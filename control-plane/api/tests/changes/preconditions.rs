//! Changes of one version only: `If-Match` and `ifVersion`.

use serde_json::{json, Value};

use crate::harness::Api;
use crate::{apply, backwards, create, node, post, violations};

async fn conditional(api: &Api, method: &str, path: &str, expected: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = warp::test::request()
        .method(method)
        .path(path)
        .header("if-match", expected)
        .body(body)
        .reply(&api.routes)
        .await;
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(answer.body()).expect("JSON"))
}

#[tokio::test]
async fn if_match_changes_only_the_version_that_it_names() {
    let api = Api::new();
    apply(&api, backwards()).await;
    let path = "/v20190125/meshes/m/virtualNodes/a";
    let body = json!({ "spec": node() });
    for wrong in ["2", "\"7\""] {
        let (status, answer) = conditional(&api, "PUT", path, wrong, &body).await;
        assert_eq!(status, 409, "{answer}");
        let asked = wrong.trim_matches('"');
        let expected = format!("VirtualNode a has version 1, the request is for version {asked}: read it again");
        assert_eq!(answer["message"], expected);
    }
    for wrong in ["x", "1,2", "W/\"1\"", ""] {
        assert_eq!(conditional(&api, "PUT", path, wrong, &body).await.0, 400, "{wrong}");
    }
    for (right, version) in [("1", 2), ("\"2\"", 3), ("*", 4)] {
        let (status, answer) = conditional(&api, "PUT", path, right, &body).await;
        assert_eq!(
            (status, &answer["metadata"]["version"]),
            (200, &json!(version)),
            "{right}"
        );
    }
    assert_eq!(
        conditional(&api, "PUT", "/v20190125/meshes/m/virtualNodes/x", "*", &body)
            .await
            .0,
        404
    );
    apply(&api, vec![create("virtualNode", "d", node())]).await;
    let path = "/v20190125/meshes/m/virtualNodes/d";
    assert_eq!(conditional(&api, "DELETE", path, "2", &Value::Null).await.0, 409);
    assert_eq!(conditional(&api, "DELETE", path, "1", &Value::Null).await.0, 200);

    let change = |version: u64| json!({"action": "update", "kind": "virtualNode", "mesh": "m", "name": "a", "spec": node(), "ifVersion": version});
    let stale = post(&api, json!({ "changes": [change(3)] })).await;
    assert_eq!(stale.error, "ConflictException");
    assert!(
        violations(&stale)[0]
            .1
            .contains("has version 4, the request is for version 3"),
        "{stale:?}"
    );
    apply(&api, vec![change(4)]).await;
}

#[tokio::test]
async fn a_policys_version_is_its_entity_tag() {
    let api = Api::new();
    apply(&api, backwards()).await;
    let path = "/v1/policies/m/p";
    let tag = async || {
        let answer = api.raw("GET", path, "").await;
        answer.headers()["etag"].to_str().unwrap().to_owned()
    };
    let first = tag().await;
    let body = json!({"target": {"route": {"router": "r", "name": "t"}}, "spec": {}});
    assert_eq!(conditional(&api, "PUT", path, "\"1000\"", &body).await.0, 409);
    assert_eq!(conditional(&api, "PUT", path, &first, &body).await.0, 200);
    assert_ne!(tag().await, first);
    assert_eq!(conditional(&api, "PUT", path, &first, &body).await.0, 409);
    assert_eq!(conditional(&api, "PUT", "/v1/policies/m/none", "*", &body).await.0, 404);
    let version: u64 = tag().await.trim_matches('"').parse().unwrap();
    let delete = |version: u64| json!({"changes": [{"action": "delete", "kind": "policy", "mesh": "m", "name": "p", "ifVersion": version}]});
    assert_eq!(post(&api, delete(version - 1)).await.error, "ConflictException");
    assert_eq!(conditional(&api, "DELETE", path, &first, &Value::Null).await.0, 409);
    assert_eq!(post(&api, delete(version)).await.status, 200);
}
