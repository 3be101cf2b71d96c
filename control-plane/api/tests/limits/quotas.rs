//! Quotas: one fewer than too many is taken, one more is not, and what is there can still be changed.

use ferromesh_model::resource::Kind;
use ferromesh_model::validate::Quotas;
use serde_json::{json, Value};

use super::corpus::sparse;
use super::harness::Api;
use super::shape_of;
use super::world::Place;

#[tokio::test]
async fn refuses_one_more_than_each_quota_allows() {
    let api = Api::with(|mut state| {
        state.config.quotas = Quotas {
            meshes: Some(2),
            virtual_services: Some(2),
            virtual_nodes: Some(2),
            virtual_routers: Some(2),
            virtual_gateways: Some(2),
            routes: Some(2),
            gateway_routes: Some(2),
            backends: Some(2),
            ..Quotas::default()
        };
        state
    });
    api.put("/meshes", json!({"meshName": "m"})).await;
    let first = |kind: Kind| match kind {
        Kind::VirtualNode => "n",
        Kind::VirtualRouter => "r",
        Kind::VirtualService => "s",
        Kind::VirtualGateway => "g",
        _ => "first",
    };
    let order = [
        Kind::VirtualNode,
        Kind::VirtualRouter,
        Kind::VirtualService,
        Kind::VirtualGateway,
        Kind::Route,
        Kind::GatewayRoute,
        Kind::Mesh,
    ];
    for kind in order {
        let place = Place::of(kind);
        let spec = sparse(shape_of(kind), "", "").swap_remove(0);
        if kind != Kind::Mesh {
            api.put(place.collection, place.body(first(kind), &spec)).await;
        }
        api.put(place.collection, place.body("second", &spec)).await;
        let before = api.stored();
        let third = api.call("PUT", place.collection, place.body("third", &spec)).await;
        let of = match kind {
            Kind::Mesh => "this account",
            Kind::Route => "VirtualRouter r",
            Kind::GatewayRoute => "VirtualGateway g",
            _ => "mesh m",
        };
        let message = format!("{of} has 2 of at most 2 {kind} resources");
        assert_eq!(
            third.refused(),
            (400, "LimitExceededException", message.as_str()),
            "{kind}"
        );
        assert_eq!(api.stored(), before);
        let item = format!("{}/second", place.collection);
        api.put(&item, json!({ "spec": spec })).await;
        api.call("DELETE", &item, Value::Null)
            .await
            .ok(&format!("Delete{kind}"));
        api.put(place.collection, place.body("third", &spec)).await;
    }
}

#[tokio::test]
async fn refuses_more_backends_than_the_quota_allows() {
    let api = Api::with(|mut state| {
        state.config.quotas.backends = Some(2);
        state
    });
    api.put("/meshes", json!({"meshName": "m"})).await;
    let backends = |count: usize| {
        let backend = |number: usize| json!({"virtualService": {"virtualServiceName": format!("s{number}")}});
        json!({"backends": (0..count).map(backend).collect::<Vec<_>>()})
    };
    let place = Place::of(Kind::VirtualNode);
    api.put(place.collection, place.body("n", &backends(2))).await;
    let expected = (
        400,
        "LimitExceededException",
        "spec.backends: must have at most 2 elements, has 3",
    );
    let created = api.call("PUT", place.collection, place.body("o", &backends(3))).await;
    assert_eq!(created.refused(), expected);
    let updated = api
        .call("PUT", "/meshes/m/virtualNodes/n", json!({"spec": backends(3)}))
        .await;
    assert_eq!(updated.refused(), expected);
}
