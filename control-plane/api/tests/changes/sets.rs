//! What a set does.

use ferromesh_api::{ApiConfig, ApiState};
use ferromesh_model::validate::Quotas;
use ferromesh_store::Store;
use serde_json::{json, Value};

use crate::harness::Api;
use crate::{apply, backwards, create, in_router, node, post, route, router, violations};

#[tokio::test]
async fn a_whole_mesh_is_made_in_one_revision_whatever_the_order() {
    let api = Api::new();
    let (before, _) = api.stored();
    let answer = apply(&api, backwards()).await;
    let (after, _) = api.stored();
    assert_eq!((after, &answer["revision"]), (before + 1, &json!(after)));
    let actions: Vec<_> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["action"])
        .collect();
    assert_eq!(actions, vec!["created"; 7]);
    assert_eq!(
        answer["changes"][2]["arn"],
        "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualRouter/r/route/t"
    );
    let described = api
        .call("GET", "/meshes/m/virtualNodes/a", Value::Null)
        .await
        .ok("DescribeVirtualNode");
    assert_eq!(described["metadata"]["version"], 1);
    let arn = "arn:aws:appmesh:us-east-1:123456789012:mesh/m";
    let tags = api
        .call("GET", &format!("/tags?resourceArn={arn}"), Value::Null)
        .await
        .body;
    assert_eq!(tags["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(api.text("GET", "/v1/policies/m/p", "").await.status, 200);

    // And it goes as it came: the nodes before the routes that need them, the mesh before everything.
    let mut gone: Vec<Value> = backwards();
    gone.reverse();
    for change in &mut gone {
        let members = change.as_object_mut().unwrap();
        members.retain(|member, _| ["kind", "mesh", "name", "parent"].contains(&member.as_str()));
        members.insert("action".into(), json!("delete"));
    }
    let answer = apply(&api, gone).await;
    assert!(
        answer["changes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|change| change["action"] == "deleted"),
        "{answer}"
    );
    assert_eq!(api.call("GET", "/meshes/m", Value::Null).await.status, 404);
    assert_eq!(api.text("GET", "/v1/policies", "").await.body, json!({"policies": []}));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_and_nothing_is_stored() {
    let api = Api::new();
    apply(&api, backwards()).await;
    let before = api.stored();
    let changes = vec![
        create("virtualNode", "c", node()),
        in_router(create("route", "x", route(&[("a", 1), ("nowhere", 1)], None))),
        create("virtualNode", "a", node()),
        json!({"action": "delete", "kind": "virtualNode", "mesh": "m", "name": "b"}),
        json!({"action": "update", "kind": "virtualRouter", "mesh": "m", "name": "none", "spec": router(&[1])}),
        json!({"action": "delete", "kind": "policy", "mesh": "m", "name": "none"}),
    ];
    let answer = post(&api, json!({ "changes": changes })).await;
    assert_eq!(
        (answer.status, answer.error.as_str()),
        (404, "NotFoundException"),
        "{answer:?}"
    );
    let found = violations(&answer);
    let indices: Vec<u64> = found.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, [1, 2, 3, 4, 5], "{found:?}");
    for (found, part) in found.iter().zip([
        "VirtualNode with name nowhere is missing (spec.httpRoute.action.weightedTargets[1].virtualNode)",
        "VirtualNode with name a already exists under mesh m",
        "VirtualNode b is being referenced in the following: ROUTE: [t]",
        "VirtualRouter with name none is not present",
        "policy \"none\" is not present",
    ]) {
        assert!(found.1.contains(part), "{found:?} lacks {part}");
    }
    let kinds: Vec<&Value> = answer.body["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["type"])
        .collect();
    assert_eq!(
        kinds[..3],
        ["NotFoundException", "ConflictException", "ResourceInUseException"]
    );
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn mistakes_in_members_are_told_with_their_path() {
    let api = Api::new();
    apply(&api, backwards()).await;
    let before = api.stored();
    let mut odd = node();
    odd["listeners"][0]["portMapping"]["port"] = json!(0);
    let changes = json!([
        create("virtualNode", "c", odd),
        {"action": "make", "kind": "virtualNode", "mesh": "m", "name": "d", "spec": node()},
        {"action": "create", "kind": "pod", "mesh": "m", "name": "d"},
        {"action": "create", "kind": "route", "mesh": "m", "name": "d", "spec": route(&[("a", 1)], None)},
        {"action": "create", "kind": "virtualNode", "mesh": "m", "parent": "r", "name": "d", "spec": node()},
        {"action": "delete", "kind": "virtualNode", "mesh": "m", "name": "d", "spec": {}},
        {"action": "create", "kind": "virtualNode", "mesh": "m", "name": "e", "spec": node(), "ifVersion": 1},
        {"action": "create", "kind": "virtualNode", "name": "", "spec": node(), "tags": [{"key": "aws:x", "value": ""}]},
        {"action": "put", "kind": "policy", "mesh": "m", "name": "q", "target": {"mesh": {}}, "spec": {"odd": 1}},
        create("virtualNode", "c", node()),
        7,
        {"action": "update", "kind": "virtualNode", "mesh": "m", "name": "f", "spec": node(), "x": 1},
    ]);
    let answer = post(&api, json!({ "changes": changes })).await;
    assert_eq!(
        (answer.status, answer.error.as_str()),
        (400, "BadRequestException"),
        "{answer:?}"
    );
    let found = violations(&answer);
    for part in [
        "changes[0].spec.listeners[0].portMapping.port: ",
        "changes[1].action: must be create, update, put or delete, is \"make\"",
        "changes[2].kind: must be one of mesh, ",
        "changes[3].parent: is required",
        "changes[4].parent: is for routes and gateway routes",
        "changes[5].spec: has no place in a deletion",
        "changes[6].ifVersion: has no place in a creation",
        "changes[7].name: ",
        "changes[7].mesh: is required",
        "changes[8].spec.odd: ",
        "changes[9]: changes[0] is about mesh/m/virtualNode/c already",
        "changes[10]: must be an object",
        "changes[11].x: is not a member of such a change",
    ] {
        assert!(
            found.iter().any(|(_, text)| text.contains(part)),
            "{part} is not in {found:#?}"
        );
    }
    for (body, part) in [
        (json!({}), "changes: is required"),
        (json!({"changes": {}}), "changes: must be an array"),
        (
            json!({"changes": [], "dryrun": true}),
            "dryrun: is not a member of a change set",
        ),
        (json!({"changes": [], "dryRun": "yes"}), "dryRun: must be true or false"),
        (
            json!({"changes": [], "proxies": "some"}),
            "proxies: must be all, connected or none",
        ),
        (
            json!({"changes": [], "clientToken": 1}),
            "clientToken: must be a string",
        ),
        (
            json!({"changes": vec![json!({}); 1001]}),
            "changes: must have at most 1000 elements, has 1001",
        ),
    ] {
        let answer = post(&api, body).await;
        let (status, _, message) = answer.refused();
        assert_eq!(status, 400);
        assert!(message.contains(part), "{message} lacks {part}");
    }
    assert_eq!(api.stored(), before);
}

#[tokio::test]
async fn a_second_listener_comes_with_the_ports_that_its_routes_then_need() {
    let api = Api::new();
    apply(&api, backwards()).await;
    // One after the other neither is taken: the router wants ports in its routes, the route a listener for its port.
    let update = json!({ "spec": router(&[8080, 9090]) });
    assert_eq!(api.call("PUT", "/meshes/m/virtualRouters/r", update).await.status, 400);
    let update = json!({ "spec": route(&[("a", 1)], Some(9090)) });
    assert_eq!(
        api.call("PUT", "/meshes/m/virtualRouter/r/routes/t", update)
            .await
            .status,
        400
    );
    let answer = apply(
        &api,
        vec![
            json!({"action": "update", "kind": "virtualRouter", "mesh": "m", "name": "r", "spec": router(&[8080, 9090])}),
            json!({"action": "update", "kind": "route", "mesh": "m", "parent": "r", "name": "t",
                "spec": route(&[("a", 1)], Some(9090))}),
        ],
    )
    .await;
    assert_eq!(
        (&answer["changes"][0]["version"], &answer["changes"][1]["version"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn put_makes_changes_or_leaves_alone() {
    let api = Api::new();
    apply(&api, backwards()).await;
    let put = |kind: &str, name: &str, spec: Value| json!({"action": "put", "kind": kind, "mesh": "m", "name": name, "spec": spec});
    let (before, _) = api.stored();
    // What Describe adds to a spec is no difference.
    let mut described = node();
    described["backends"] = json!([]);
    let answer = apply(&api, vec![put("virtualNode", "a", described)]).await;
    assert_eq!(answer["changes"][0]["action"], "unchanged");
    assert_eq!((api.stored().0, &answer["revision"]), (before, &json!(before)));
    let mut other = node();
    other["listeners"][0]["portMapping"]["port"] = json!(9090);
    let mut tagged = put("virtualNode", "b", node());
    tagged["tags"] = json!([{"key": "z", "value": "1"}, {"key": "a", "value": "2"}]);
    let policy = json!({"action": "put", "kind": "policy", "mesh": "m", "name": "p",
        "target": {"route": {"router": "r", "name": "t"}}, "spec": {"canary": {"sticky": {"header": "x-user"}}}});
    let answer = apply(
        &api,
        vec![
            put("virtualNode", "a", other),
            put("virtualNode", "c", node()),
            tagged,
            policy,
        ],
    )
    .await;
    let words: Vec<&Value> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["action"])
        .collect();
    assert_eq!(words, ["updated", "created", "updated", "unchanged"]);
    let versions: Vec<&Value> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["version"])
        .collect();
    // Tags are no new version.
    assert_eq!(versions[..3], [&json!(2), &json!(1), &json!(1)]);
}

#[tokio::test]
async fn a_token_makes_a_set_happen_once() {
    let api = Api::new();
    let set = json!({ "changes": backwards(), "clientToken": "once" });
    let first = post(&api, set.clone()).await;
    assert_eq!(first.status, 200, "{first:?}");
    let stored = api.stored();
    assert_eq!(post(&api, set).await, first);
    assert_eq!(api.stored(), stored);
    let other = json!({ "changes": [create("virtualNode", "c", node())], "clientToken": "once" });
    assert_eq!(post(&api, other).await.error, "ConflictException");
    assert_eq!(api.stored(), stored);
}

#[tokio::test]
async fn quotas_count_what_will_be() {
    let quotas = Quotas {
        virtual_nodes: Some(2),
        ..Quotas::default()
    };
    let config = ApiConfig {
        quotas,
        ..ApiConfig::default()
    };
    let api = Api::with(|state| ApiState { config, ..state });
    apply(&api, backwards()).await;
    let over = post(&api, json!({ "changes": [create("virtualNode", "c", node())] })).await;
    assert_eq!(over.error, "LimitExceededException");
    // One goes, one comes; the route that needs it changes along.
    let swap = vec![
        create("virtualNode", "c", node()),
        json!({"action": "delete", "kind": "virtualNode", "mesh": "m", "name": "b"}),
        json!({"action": "update", "kind": "route", "mesh": "m", "parent": "r", "name": "t", "spec": route(&[("a", 1), ("c", 1)], None)}),
    ];
    apply(&api, swap).await;
}

#[tokio::test]
async fn a_large_set_is_taken_and_a_larger_body_refused() {
    let api = Api::new();
    let mut changes = vec![json!({"action": "create", "kind": "mesh", "name": "m"})];
    changes.extend((0..999).map(|number| create("virtualNode", &format!("n{number}"), node())));
    let body = json!({ "changes": changes }).to_string();
    assert!(body.len() > 150_000);
    assert_eq!(api.text("POST", "/v1/changes", body).await.status, 200);
    assert_eq!(api.store.revision().unwrap(), 1);
    let answer = api.text("POST", "/v1/changes", vec![b' '; (4 << 20) + 1]).await;
    assert!(
        answer.refused().2.contains("must have at most 4194304 bytes"),
        "{answer:?}"
    );
    assert_eq!(
        api.text("PUT", "/v1/policies/m/p", vec![b' '; (256 << 10) + 1])
            .await
            .status,
        400
    );
    // All go at once, which looks at every other resource for each.
    let gone: Vec<Value> = (0..999)
        .map(|number| json!({"action": "delete", "kind": "virtualNode", "mesh": "m", "name": format!("n{number}")}))
        .collect();
    apply(&api, gone).await;
}
