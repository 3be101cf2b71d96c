//! `POST /v1/explain`: what is asked reaches the explainer, with the mesh as it is stored.

mod harness;

use std::sync::Arc;

use ferromesh_api::{ApiState, Explainer, Question};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::Violation;
use harness::Api;
use serde_json::{json, Value};

/// Says what it was asked.
struct Echo;

impl Explainer for Echo {
    fn explain(&self, mesh: &Mesh, question: &Question) -> Result<Value, Vec<Violation>> {
        if question.from == "nobody" {
            return Err(vec![Violation::new("from", "is nobody")]);
        }
        Ok(json!({
            "mesh": mesh.name,
            "nodes": mesh.virtual_nodes.keys().collect::<Vec<_>>(),
            "policies": mesh.policies.len(),
            "question": [question.from, question.url, question.method],
            "headers": question.headers,
            "when": question.at_unix_millis,
            "whence": question.source,
        }))
    }
}

async fn api() -> Api {
    let api = Api::with(|state| ApiState {
        explainer: Arc::new(Echo),
        ..state
    });
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.put(
        "/meshes/m/virtualNodes",
        json!({"virtualNodeName": "front", "spec": {}}),
    )
    .await;
    let policy = json!({"target": {"mesh": {}}, "spec": {"retry": {"enabled": false}}});
    assert_eq!(
        api.text("PUT", "/v1/policies/m/p", policy.to_string()).await.status,
        200
    );
    api
}

#[tokio::test]
async fn a_question_is_answered_over_the_mesh_as_it_is_stored() {
    let api = api().await;
    let question =
        json!({"mesh": "m", "from": "front", "url": "http://a/", "headers": [{"name": "x-a", "value": "1"}]});
    let answer = api.text("POST", "/v1/explain", question.to_string()).await;
    let mut expected = json!({
        "mesh": "m", "nodes": ["front"], "policies": 1, "question": ["front", "http://a/", "GET"], "headers": [["x-a", "1"]],
        "when": null, "whence": null,
    });
    assert_eq!((answer.status, &answer.body), (200, &expected));

    let question = json!({"mesh": "m", "from": "front", "url": "http://a/", "headers": [{"name": "x-a", "value": "1"}],
        "source": "2001:db8::7", "atUnixMillis": 1_700_000_000_123_u64});
    let answer = api.text("POST", "/v1/explain", question.to_string()).await;
    expected["when"] = json!(1_700_000_000_123_u64);
    expected["whence"] = json!("2001:db8::7");
    assert_eq!((answer.status, answer.body), (200, expected));
}

#[tokio::test]
async fn wrong_questions_are_refused_with_their_members() {
    let api = api().await;
    for (question, status, said) in [
        (json!({}), 400, "mesh: is missing; from: is missing; url: is missing"),
        (
            json!({"mesh": "m", "from": "a", "url": 7}),
            400,
            "url: must be a string that is not empty",
        ),
        (
            json!({"mesh": "m", "from": "a", "url": "u", "verb": "GET"}),
            400,
            "verb: is not a member of a question",
        ),
        (
            json!({"mesh": "m", "from": "a", "url": "u", "headers": {"a": "b"}}),
            400,
            "headers: must be an array",
        ),
        (
            json!({"mesh": "m", "from": "a", "url": "u", "headers": [{"name": "a"}]}),
            400,
            "headers[0]: must be an object with the strings name and value",
        ),
        (
            json!({"mesh": "m", "from": "a", "url": "u", "source": "10.0.0.7:80", "atUnixMillis": -1}),
            400,
            "source: must be a string with an IP address, without a port; \
             atUnixMillis: must be milliseconds since 1970-01-01 UTC, an integer from 0 to 253402300799999",
        ),
        (
            json!({"mesh": "m", "from": "nobody", "url": "u"}),
            400,
            "from: is nobody",
        ),
        (
            json!({"mesh": "x", "from": "a", "url": "u"}),
            404,
            "Mesh with name x is not present for account 123456789012",
        ),
    ] {
        let answer = api.text("POST", "/v1/explain", question.to_string()).await;
        assert_eq!(
            (answer.status, answer.body["message"].as_str()),
            (status, Some(said)),
            "{question}"
        );
    }
    assert_eq!(api.text("GET", "/v1/explain", "").await.status, 400);
}

#[tokio::test]
async fn a_server_without_an_explainer_says_so() {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    let question = json!({"mesh": "m", "from": "front", "url": "http://a/"});
    let answer = api.text("POST", "/v1/explain", question.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body["message"]
        .as_str()
        .is_some_and(|message| message.contains("no explanations")));
}
