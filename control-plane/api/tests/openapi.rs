//! The description of the API, as the server gives it out.

mod harness;

use harness::Api;
use serde_json::Value;

#[tokio::test]
async fn serves_the_document_and_finds_its_own_answers_in_it() {
    let api = Api::new();
    let document = api.text("GET", "/v1/openapi.json", "").await;
    assert_eq!((document.status, &document.body), (200, &ferromesh_api::openapi()));
    let pages = document.body["paths"].as_object().expect("paths");
    let mut answered = 0;
    for (path, item) in pages
        .iter()
        .filter(|(path, item)| !path.contains('{') && item.get("get").is_some())
    {
        let response = api.raw("GET", path, "").await;
        let status = response.status().as_str().to_owned();
        let described = &item["get"]["responses"][&status];
        let content = described["content"].as_object().expect("a described answer");
        let has = response.headers()["content-type"].to_str().expect("text");
        let has = has.split(';').next().unwrap_or_default();
        assert!(content.contains_key(has), "{path}: {status} {has}");
        answered += 1;
    }
    assert!(answered > 10, "{answered}");
    let unknown = api.text("GET", "/v1/openapi.yaml", "").await;
    assert_eq!((unknown.status, unknown.body["paths"].clone()), (404, Value::Null));
}
