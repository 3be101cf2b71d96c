//! Tags.

mod harness;

use harness::Api;
use serde_json::{json, Value};

/// A mesh with a route, the resource with the longest ARN.
async fn whole_mesh() -> Api {
    let api = Api::new();
    api.put("/meshes", json!({"meshName": "m"})).await;
    api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": "n", "spec": {}}))
        .await;
    api.put(
        "/meshes/m/virtualRouters",
        json!({"virtualRouterName": "r", "spec": {}}),
    )
    .await;
    let spec = json!({"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}});
    api.put(
        "/meshes/m/virtualRouter/r/routes",
        json!({"routeName": "t", "spec": spec}),
    )
    .await;
    api
}

#[tokio::test]
async fn sets_lists_and_removes_tags() {
    let api = whole_mesh().await;
    let arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualRouter/r/route/t";
    let tags = json!({"tags": [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}, {"key": "c", "value": ""}]});
    api.call("PUT", &format!("/tag?resourceArn={arn}"), tags)
        .await
        .ok("TagResource");
    let again = json!({"tags": [{"key": "a", "value": "one"}]});
    api.call("PUT", &format!("/tag?resourceArn={arn}"), again)
        .await
        .ok("TagResource");
    let first = api
        .call("GET", &format!("/tags?limit=2&resourceArn={arn}"), Value::Null)
        .await
        .ok("ListTagsForResource");
    assert_eq!(
        first["tags"],
        json!([{"key": "a", "value": "one"}, {"key": "b", "value": "2"}])
    );
    let token = first["nextToken"].as_str().expect("a second page");
    let rest = api
        .call(
            "GET",
            &format!("/tags?resourceArn={arn}&nextToken={token}"),
            Value::Null,
        )
        .await;
    assert_eq!(
        rest.ok("ListTagsForResource"),
        json!({"tags": [{"key": "c", "value": ""}]})
    );
    let keys = json!({"tagKeys": ["a", "c", "x"]});
    api.call("PUT", &format!("/untag?resourceArn={arn}"), keys)
        .await
        .ok("UntagResource");
    let left = api
        .call(
            "GET",
            &format!("/tags?resourceArn={}", arn.replace('/', "%2F")),
            Value::Null,
        )
        .await;
    assert_eq!(
        left.ok("ListTagsForResource"),
        json!({"tags": [{"key": "b", "value": "2"}]})
    );
    let version = &api
        .call("GET", "/meshes/m/virtualRouter/r/routes/t", Value::Null)
        .await
        .body["metadata"]["version"];
    assert_eq!(version, 1, "tags do not count as a change");
}

#[tokio::test]
async fn refuses_tags_that_are_too_many_reserved_or_repeated() {
    let api = whole_mesh().await;
    let arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/m";
    let tag = |range: std::ops::Range<u32>| {
        let tags: Vec<_> = range
            .map(|number| json!({"key": format!("k{number}"), "value": "v"}))
            .collect();
        json!({ "tags": tags })
    };
    let path = format!("/tag?resourceArn={arn}");
    api.call("PUT", &path, tag(0..50)).await.ok("TagResource");
    let before = api.stored();
    assert_eq!(
        api.call("PUT", &path, tag(50..51)).await.refused().1,
        "TooManyTagsException"
    );
    assert_eq!(
        api.call("PUT", &path, tag(0..51)).await.refused().1,
        "BadRequestException"
    );
    let reserved = json!({"tags": [{"key": "aws:x", "value": ""}]});
    assert_eq!(
        api.call("PUT", &path, reserved).await.refused().1,
        "BadRequestException"
    );
    let twice = json!({"tags": [{"key": "x", "value": ""}, {"key": "x", "value": ""}]});
    assert_eq!(api.call("PUT", &path, twice).await.refused().1, "BadRequestException");
    for arn in ["", "nonsense", "mesh/m", "arn:aws:s3:::b"] {
        let answer = api.call("PUT", &format!("/tag?resourceArn={arn}"), tag(0..1)).await;
        assert_eq!(answer.refused().1, "BadRequestException", "{arn}");
    }
    for arn in [
        "arn:aws:appmesh:us-east-1:123456789012:mesh/x",
        "arn:aws:appmesh:eu-west-1:123456789012:mesh/m",
    ] {
        let answer = api.call("PUT", &format!("/tag?resourceArn={arn}"), tag(0..1)).await;
        assert_eq!(answer.refused().1, "NotFoundException", "{arn}");
    }
    let missing = api.call("PUT", "/tag", tag(0..1)).await;
    assert_eq!(
        missing.refused(),
        (400, "BadRequestException", "resourceArn: is required")
    );
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn keeps_the_tags_that_a_resource_is_created_with() {
    let api = whole_mesh().await;
    let tags = json!([{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]);
    let node = api
        .put(
            "/meshes/m/virtualNodes",
            json!({"virtualNodeName": "o", "spec": {}, "tags": tags}),
        )
        .await;
    assert_eq!(node.get("tags"), None, "only ListTagsForResource shows them");
    api.put("/meshes/m/virtualNodes/o", json!({"spec": {}})).await;
    let arn = node["metadata"]["arn"].as_str().expect("an ARN");
    let listed = api.call("GET", &format!("/tags?resourceArn={arn}"), Value::Null).await;
    assert_eq!(
        listed.ok("ListTagsForResource")["tags"],
        json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    );
}
