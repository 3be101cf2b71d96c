//! Rules of a resource among the others of its mesh.

use super::*;

fn invalid(result: Result<(), Rejection>) -> Vec<String> {
    match result {
        Err(Rejection::Invalid(violations)) => violations.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn missing(text: &str) -> Result<(), Rejection> {
    Err(Rejection::Missing(text.to_owned()))
}

fn in_use(text: &str) -> Result<(), Rejection> {
    Err(Rejection::InUse(text.to_owned()))
}

#[test]
fn wants_the_mesh_the_router_and_the_gateway_to_exist() {
    let meshes = Meshes::with(&[]);
    let elsewhere = Key::in_mesh("x", Kind::VirtualNode, "n");
    assert_eq!(
        meshes.put(&elsewhere, &json!({})),
        missing("Mesh with name x is not present for account 123456789012")
    );
    assert_eq!(
        meshes.put(&route_key("r", "t"), &route("httpRoute", None, &[("n", None)])),
        missing("VirtualRouter with name r is not present under mesh m for account 123456789012")
    );
    assert_eq!(
        meshes.put(
            &gateway_route_key("g", "t"),
            &gateway_route("httpRoute", None, "s", None)
        ),
        missing("VirtualGateway with name g is not present under mesh m for account 123456789012")
    );
}

#[test]
fn wants_what_a_spec_names_to_exist_but_for_backends() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[])),
        (gateway_key("g"), listeners(&[(80, "http")])),
    ]);
    assert_eq!(
        meshes.put(
            &route_key("r", "t"),
            &route("httpRoute", None, &[("n", None), ("o", None)])
        ),
        missing(
            "VirtualNode with name n is missing (spec.httpRoute.action.weightedTargets[0].virtualNode); \
             VirtualNode with name o is missing (spec.httpRoute.action.weightedTargets[1].virtualNode)"
        )
    );
    assert_eq!(
        meshes.put(
            &service_key("s"),
            &json!({"provider": {"virtualNode": {"virtualNodeName": "n"}}})
        ),
        missing("VirtualNode with name n is missing (spec.provider.virtualNode.virtualNodeName)")
    );
    assert_eq!(
        meshes.put(
            &service_key("s"),
            &json!({"provider": {"virtualRouter": {"virtualRouterName": "q"}}})
        ),
        missing("VirtualRouter with name q is missing (spec.provider.virtualRouter.virtualRouterName)")
    );
    assert_eq!(
        meshes.put(
            &gateway_route_key("g", "t"),
            &gateway_route("httpRoute", None, "s", None)
        ),
        missing(
            "VirtualService with name s is missing (spec.httpRoute.action.target.virtualService.virtualServiceName)"
        )
    );
    let backend = json!({"backends": [{"virtualService": {"virtualServiceName": "nowhere"}}]});
    assert_eq!(meshes.put(&node_key("n"), &backend), Ok(()));
    assert_eq!(meshes.put(&service_key("s"), &json!({})), Ok(()));
}

#[test]
fn rejects_a_route_without_port_on_a_router_with_two_listeners() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[(80, "http"), (81, "http")])),
        (node_key("n"), node(&[(8080, "http")])),
    ]);
    let key = route_key("r", "t");
    assert_eq!(
        invalid(meshes.put(&key, &route("httpRoute", None, &[("n", None)]))),
        ["spec.httpRoute.match.port: is required because virtual router r has 2 listeners (80, 81)"]
    );
    assert_eq!(
        invalid(meshes.put(&key, &route("httpRoute", Some(82), &[("n", None)]))),
        ["spec.httpRoute.match.port: must be a listener port of virtual router r (80, 81), is 82"]
    );
    assert_eq!(meshes.put(&key, &route("httpRoute", Some(81), &[("n", None)])), Ok(()));
}

#[test]
fn rejects_a_route_of_another_protocol_than_its_routers_listener() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[(80, "http")])),
        (router_key("two"), listeners(&[(80, "http"), (81, "grpc")])),
        (node_key("n"), node(&[(8080, "http")])),
    ]);
    assert_eq!(
        invalid(meshes.put(&route_key("r", "t"), &route("http2Route", None, &[("n", None)]))),
        ["spec.http2Route: the listener of virtual router r speaks http, a http2Route needs one that speaks http2"]
    );
    assert_eq!(
        invalid(meshes.put(&route_key("two", "t"), &route("httpRoute", Some(81), &[("n", None)]))),
        ["spec.httpRoute: the listener of virtual router two speaks grpc, a httpRoute needs one that speaks http"]
    );
}

#[test]
fn rejects_targets_on_ports_that_their_nodes_do_not_have() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[(80, "http")])),
        (node_key("one"), node(&[(8080, "http2")])),
        (node_key("two"), node(&[(8080, "http"), (8081, "http")])),
        (node_key("tcp"), node(&[(8080, "tcp")])),
        (node_key("none"), json!({})),
    ]);
    let key = route_key("r", "t");
    for targets in [
        [("one", None)],
        [("one", Some(8080))],
        [("two", Some(8081))],
        [("none", None)],
        [("none", Some(1))],
    ] {
        assert_eq!(
            meshes.put(&key, &route("httpRoute", None, &targets)),
            Ok(()),
            "{targets:?}"
        );
    }
    let at = "spec.httpRoute.action.weightedTargets";
    assert_eq!(
        invalid(meshes.put(
            &key,
            &route("httpRoute", None, &[("one", Some(1)), ("two", None), ("tcp", None)])
        )),
        [
            format!("{at}[0].port: must be a listener port of virtual node one (8080), is 1"),
            format!("{at}[1].port: is required because virtual node two has 2 listeners (8080, 8081)"),
            format!(
                "{at}[2].virtualNode: the listener of virtual node tcp speaks tcp, which a route for http cannot reach"
            ),
        ]
    );
}

#[test]
fn rejects_a_second_listener_while_routes_lack_a_port() {
    let mut resources = vec![(router_key("r"), listeners(&[(80, "http")]))];
    resources.extend((0..7).map(|n| {
        (
            route_key("r", &format!("t{n}")),
            route("httpRoute", None, &[("n", None)]),
        )
    }));
    resources.push((
        route_key("r", "with-port"),
        route("httpRoute", Some(80), &[("n", None)]),
    ));
    let meshes = Meshes::with(&resources);
    assert_eq!(
        invalid(meshes.put(&router_key("r"), &listeners(&[(80, "http"), (81, "http")]))),
        ["All Routes for this Virtual Router must define a port match before adding multiple listeners to this Virtual \
          Router. 7 Route(s) are missing port. Listing up to 5 route names: [t0, t1, t2, t3, t4]"]
    );
    assert_eq!(meshes.put(&router_key("r"), &listeners(&[(81, "http")])), Ok(()));
    assert_eq!(meshes.put(&router_key("r"), &listeners(&[])), Ok(()));
}

#[test]
fn rejects_another_protocol_for_a_router_with_routes() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[(80, "http")])),
        (route_key("r", "t"), route("httpRoute", None, &[("n", None)])),
    ]);
    assert_eq!(
        invalid(meshes.put(&router_key("r"), &listeners(&[(80, "grpc")]))),
        ["spec.listeners[0].portMapping.protocol: must be http as long as route t is a httpRoute, is grpc"]
    );
}

#[test]
fn rejects_gateway_routes_that_no_listener_can_carry() {
    let meshes = Meshes::with(&[
        (gateway_key("g"), listeners(&[(80, "http"), (81, "grpc")])),
        (gateway_key("h2"), listeners(&[(80, "http2")])),
        (service_key("s"), json!({})),
    ]);
    let on = |gateway: &str, spec: Value| meshes.put(&gateway_route_key(gateway, "t"), &spec);
    assert_eq!(on("g", gateway_route("httpRoute", None, "s", None)), Ok(()));
    assert_eq!(on("g", gateway_route("httpRoute", Some(80), "s", None)), Ok(()));
    assert_eq!(on("h2", gateway_route("grpcRoute", None, "s", None)), Ok(()));
    assert_eq!(
        invalid(on("g", gateway_route("httpRoute", Some(81), "s", None))),
        ["spec.httpRoute: no listener of virtual gateway g speaks its protocol, they speak grpc"]
    );
    assert_eq!(
        invalid(on("g", gateway_route("httpRoute", Some(82), "s", None))),
        ["spec.httpRoute.match.port: must be a listener port of virtual gateway g (80, 81), is 82"]
    );
    assert_eq!(
        invalid(on("h2", gateway_route("httpRoute", None, "s", None))),
        ["spec.httpRoute: no listener of virtual gateway h2 speaks its protocol, they speak http2"]
    );
}

#[test]
fn wants_the_target_port_of_a_gateway_route_when_the_provider_has_several() {
    let meshes = Meshes::with(&[
        (gateway_key("g"), listeners(&[(80, "http")])),
        (router_key("r"), listeners(&[(1, "http"), (2, "http")])),
        (node_key("n"), node(&[(3, "http")])),
        (
            service_key("by-router"),
            json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}}),
        ),
        (
            service_key("by-node"),
            json!({"provider": {"virtualNode": {"virtualNodeName": "n"}}}),
        ),
    ]);
    let to = |service: &str, port: Option<u16>| {
        meshes.put(
            &gateway_route_key("g", "t"),
            &gateway_route("httpRoute", None, service, port),
        )
    };
    assert_eq!(to("by-router", Some(2)), Ok(()));
    assert_eq!(to("by-node", None), Ok(()));
    assert_eq!(
        invalid(to("by-router", None)),
        [
            "spec.httpRoute.action.target.port: is required because the provider of virtual service by-router has 2 \
          listeners (1, 2)"
        ]
    );
    assert_eq!(
        invalid(to("by-node", Some(4))),
        ["spec.httpRoute.action.target.port: must be a listener port of the provider of virtual service by-node (3), is 4"]
    );
}

#[test]
fn keeps_what_others_depend_on() {
    let meshes = Meshes::with(&[
        (node_key("provider"), node(&[(1, "http")])),
        (node_key("target"), node(&[(1, "http")])),
        (
            node_key("free"),
            json!({"backends": [{"virtualService": {"virtualServiceName": "unused"}}]}),
        ),
        (router_key("routed"), listeners(&[(1, "http")])),
        (router_key("provider"), listeners(&[(1, "http")])),
        (router_key("free"), listeners(&[(1, "http")])),
        (route_key("routed", "t"), route("httpRoute", None, &[("target", None)])),
        (
            service_key("a"),
            json!({"provider": {"virtualRouter": {"virtualRouterName": "provider"}}}),
        ),
        (
            service_key("b"),
            json!({"provider": {"virtualNode": {"virtualNodeName": "provider"}}}),
        ),
        (service_key("unused"), json!({})),
        (gateway_key("g"), listeners(&[(1, "http")])),
        (gateway_key("free"), listeners(&[(1, "http")])),
        (gateway_route_key("g", "u"), gateway_route("grpcRoute", None, "a", None)),
    ]);
    assert_eq!(
        meshes.delete(&node_key("provider")),
        in_use("VirtualNode with name provider cannot be deleted because it is a VirtualService provider")
    );
    assert_eq!(
        meshes.delete(&node_key("target")),
        in_use("VirtualNode target is being referenced in the following: ROUTE: [t]")
    );
    assert_eq!(
        meshes.delete(&router_key("routed")),
        in_use("VirtualRouter you're trying to delete routed has active routes")
    );
    assert_eq!(
        meshes.delete(&router_key("provider")),
        in_use("VirtualRouter with name provider cannot be deleted because it is a VirtualService provider")
    );
    assert_eq!(
        meshes.delete(&service_key("a")),
        in_use("VirtualService a is being referenced in the following: GATEWAY_ROUTE: [u]")
    );
    assert_eq!(
        meshes.delete(&gateway_key("g")),
        in_use("VirtualGateway you're trying to delete g has active gateway routes")
    );
    for key in [
        node_key("free"),
        router_key("free"),
        gateway_key("free"),
        service_key("b"),
        service_key("unused"),
        route_key("routed", "t"),
        gateway_route_key("g", "u"),
    ] {
        assert_eq!(meshes.delete(&key), Ok(()), "{key}");
    }
    assert!(matches!(meshes.delete(&Key::mesh("m")), Err(Rejection::InUse(text)) if text.contains("VIRTUAL_NODE")));
    assert_eq!(Meshes::with(&[]).delete(&Key::mesh("m")), Ok(()));
    let lone_service = Meshes::with(&[(service_key("s"), json!({}))]);
    assert_eq!(
        lone_service.delete(&Key::mesh("m")),
        in_use("Mesh m cannot be deleted because it holds the following: VIRTUAL_SERVICE: [s]")
    );
}

#[test]
fn counts_resources_against_quotas_only_when_there_are_any() {
    let meshes = Meshes::with(&[
        (router_key("r"), listeners(&[])),
        (route_key("r", "a"), route("httpRoute", None, &[("n", None)])),
        (route_key("r", "b"), route("httpRoute", None, &[("n", None)])),
    ]);
    let of =
        |quotas: &Quotas, key: &Key, is_new, backends| quota(&meshes, quotas, key, is_new, backends).map_err(rejected);
    let limit = |text: &str| Err(Rejection::Limit(text.to_owned()));
    let none = Quotas::default();
    assert_eq!(of(&none, &route_key("r", "c"), New::Yes, 0), Ok(()));
    let two = Quotas {
        routes: Some(2),
        backends: Some(1),
        meshes: Some(1),
        ..none
    };
    assert_eq!(
        of(&two, &route_key("r", "c"), New::Yes, 0),
        limit("VirtualRouter r has 2 of at most 2 Route resources")
    );
    assert_eq!(of(&two, &route_key("r", "b"), New::No, 0), Ok(()));
    assert_eq!(of(&two, &route_key("other", "c"), New::Yes, 0), Ok(()));
    assert_eq!(
        of(&two, &Key::mesh("x"), New::Yes, 0),
        limit("this account has 1 of at most 1 Mesh resources")
    );
    assert_eq!(
        of(&two, &node_key("n"), New::No, 2),
        limit("spec.backends: must have at most 1 elements, has 2")
    );
}
