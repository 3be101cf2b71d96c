//! What happens once, and what must happen in an order.

use ferromesh_model::resource::Kind;
use serde_json::{json, Value};

use super::corpus::sparse;
use super::world::{Place, World};
use super::{harness, shape_of};

#[tokio::test]
async fn makes_every_name_once_and_answers_every_token_once() {
    let world = World::new().await;
    for kind in Kind::ALL {
        let place = Place::of(kind);
        let spec = sparse(shape_of(kind), "", "").swap_remove(0);
        let mut create = place.body("once", &spec);
        create["clientToken"] = json!(format!("create {kind}"));
        let made = world.api.put(place.collection, create.clone()).await;
        let before = world.revision();
        assert_eq!(
            world.api.put(place.collection, create.clone()).await,
            made,
            "{kind}: the same call"
        );
        assert_eq!(world.revision(), before);
        let mut other = create.clone();
        other[place.member] = json!("other");
        let replay = world.api.call("PUT", place.collection, other.clone()).await;
        assert_eq!(
            (replay.refused().0, replay.refused().1),
            (409, "ConflictException"),
            "{kind}"
        );
        let again = world.api.call("PUT", place.collection, place.body("once", &spec)).await;
        let (status, error, message) = again.refused();
        assert_eq!((status, error), (409, "ConflictException"), "{kind}");
        assert!(
            message.starts_with(&format!("{kind} with name once already exists")),
            "{message}"
        );

        let item = format!("{}/once", place.collection);
        let update = json!({"spec": spec, "clientToken": format!("update {kind}")});
        let updated = world.api.put(&item, update.clone()).await;
        assert_eq!(updated["metadata"]["version"], 2);
        assert_eq!(
            world.api.put(&item, update.clone()).await,
            updated,
            "{kind}: the same call"
        );
        other["clientToken"] = update["clientToken"].clone();
        let replay = world.api.call("PUT", place.collection, other).await;
        assert_eq!(
            replay.refused().1,
            "ConflictException",
            "{kind}: a token of another operation"
        );
    }
}

#[tokio::test]
async fn deletes_only_what_nothing_depends_on() {
    let world = harness::Api::new();
    let target = json!([{"virtualNode": "n", "weight": 1}]);
    let gateway_route = json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}
    }});
    for (path, body) in [
        ("/meshes", json!({"meshName": "m"})),
        ("/meshes/m/virtualNodes", json!({"virtualNodeName": "n", "spec": {}})),
        ("/meshes/m/virtualNodes", json!({"virtualNodeName": "p", "spec": {}})),
        (
            "/meshes/m/virtualRouters",
            json!({"virtualRouterName": "r", "spec": {}}),
        ),
        (
            "/meshes/m/virtualRouter/r/routes",
            json!({"routeName": "t", "spec": {"tcpRoute": {"action": {"weightedTargets": target}}}}),
        ),
        (
            "/meshes/m/virtualServices",
            json!({"virtualServiceName": "s", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}}),
        ),
        (
            "/meshes/m/virtualServices",
            json!({"virtualServiceName": "q", "spec": {"provider": {"virtualNode": {"virtualNodeName": "p"}}}}),
        ),
        (
            "/meshes/m/virtualGateways",
            json!({"virtualGatewayName": "g", "spec": {"listeners": []}}),
        ),
        (
            "/meshes/m/virtualGateway/g/gatewayRoutes",
            json!({"gatewayRouteName": "t", "spec": gateway_route}),
        ),
    ] {
        world.put(path, body).await;
    }
    let holds = "Mesh m cannot be deleted because it holds the following: ";
    let provider = |kind: &str, name: &str| {
        format!("{kind} with name {name} cannot be deleted because it is a VirtualService provider")
    };
    let steps: [(&str, String, &[&str]); 6] = [
        ("/meshes/m", holds.to_owned(), &[]),
        (
            "/meshes/m/virtualServices/s",
            "VirtualService s is being referenced in the following: GATEWAY_ROUTE: [t]".to_owned(),
            &[],
        ),
        (
            "/meshes/m/virtualGateways/g",
            "VirtualGateway you're trying to delete g has active gateway routes".to_owned(),
            &[
                "/meshes/m/virtualGateway/g/gatewayRoutes/t",
                "/meshes/m/virtualGateways/g",
            ],
        ),
        (
            "/meshes/m/virtualRouters/r",
            "VirtualRouter you're trying to delete r has active routes".to_owned(),
            &[],
        ),
        (
            "/meshes/m/virtualNodes/n",
            "VirtualNode n is being referenced in the following: ROUTE: [t]".to_owned(),
            &["/meshes/m/virtualRouter/r/routes/t", "/meshes/m/virtualNodes/n"],
        ),
        (
            "/meshes/m/virtualRouters/r",
            provider("VirtualRouter", "r"),
            &["/meshes/m/virtualServices/s", "/meshes/m/virtualRouters/r"],
        ),
    ];
    for (path, reason, then) in steps {
        let before = world.stored();
        let answer = world.call("DELETE", path, Value::Null).await;
        let (status, error, message) = answer.refused();
        assert_eq!((status, error), (409, "ResourceInUseException"), "{path}");
        assert!(message.starts_with(&reason), "{path}: {message}");
        assert_eq!(world.stored(), before, "{path}");
        for path in then {
            assert_eq!(world.call("DELETE", path, Value::Null).await.status, 200, "{path}");
        }
    }
    let answer = world.call("DELETE", "/meshes/m/virtualNodes/p", Value::Null).await;
    assert_eq!(answer.refused().2, provider("VirtualNode", "p"));
    for path in ["/meshes/m/virtualServices/q", "/meshes/m/virtualNodes/p", "/meshes/m"] {
        assert_eq!(world.call("DELETE", path, Value::Null).await.status, 200, "{path}");
    }
}
