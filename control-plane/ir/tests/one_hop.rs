//! A gateway in one hop must do what App Mesh did in two: first the gateway route matches and rewrites, then the virtual
//! service's routes match what has become of the request. The two steps are written down here a second time, from the
//! resources, without any of the composition.

mod fixture;

use std::cmp::Reverse;

use ferromesh_ir::matcher::PathMatch;
use ferromesh_ir::route::Action;
use ferromesh_ir::simulate::{self, Request};
use ferromesh_ir::Proxy;
use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::{HttpGatewayRoute, HttpRoute, HttpRouteHeader, HttpRouteMatch};
use proptest::prelude::*;
use serde_json::{json, Value};

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    Forwarded { route: String, path: String, host: String },
    NotFound,
}

fn in_one_hop(proxy: &Proxy, request: &Request) -> Outcome {
    let Some(host) = simulate::virtual_host(&proxy.route_tables[0], &request.host) else {
        return Outcome::NotFound;
    };
    match simulate::route(&host.routes, request) {
        Some((_, route)) => match &route.action {
            Action::Forward(forward) => Outcome::Forwarded {
                route: route.label.route.clone().expect("a service's route"),
                path: simulate::rewritten_path(&request.path, &route.matcher.path, forward.path.as_ref()),
                host: forward.host.clone().unwrap_or_else(|| request.host.clone()),
            },
            Action::Respond(status) => {
                assert_eq!(*status, 404);
                Outcome::NotFound
            }
        },
        None => Outcome::NotFound,
    }
}

fn in_two_hops(mesh: &Mesh, request: &Request) -> Outcome {
    let mut gateway_routes: Vec<(&str, i64, &HttpGatewayRoute)> = mesh.virtual_gateways["g"]
        .routes
        .iter()
        .map(|route| {
            let http = route.spec.http_route.as_ref().expect("http");
            (route.name.as_str(), route.spec.priority.unwrap_or(1001), http)
        })
        .collect();
    gateway_routes.sort_by_key(|(name, priority, http)| {
        let matched = &http.r#match;
        let path = matched.path.as_ref();
        let conditions = matched.headers.len() + usize::from(matched.method.is_some()) + matched.query_parameters.len();
        (
            *priority,
            path_rank(path, matched.prefix.as_deref()),
            Reverse(conditions),
            name.to_string(),
        )
    });
    for (_, _, route) in gateway_routes {
        let matched = &route.r#match;
        let as_route = HttpRouteMatch {
            headers: matched.headers.clone(),
            method: matched.method,
            query_parameters: matched.query_parameters.clone(),
            ..HttpRouteMatch::default()
        };
        if !holds(&as_route, request) {
            continue;
        }
        let Some(path) = first_hop(route, simulate::without_query(&request.path)) else {
            continue;
        };
        let rewrite = route.action.rewrite.as_ref();
        let keeps_host = rewrite.and_then(|rewrite| rewrite.hostname).is_some();
        let service = &route.action.target.virtual_service.virtual_service_name;
        let host = if keeps_host {
            request.host.clone()
        } else {
            service.clone()
        };
        return second_hop(mesh, service, request, &path, host);
    }
    Outcome::NotFound
}

/// The path behind a gateway route; `None` if the route does not match.
fn first_hop(route: &HttpGatewayRoute, path: &str) -> Option<String> {
    let matched = &route.r#match;
    let rewrite = route.action.rewrite.as_ref();
    let whole = rewrite
        .and_then(|rewrite| rewrite.path.as_ref())
        .and_then(|path| path.exact.clone());
    if let Some(condition) = &matched.path {
        let holds = match (&condition.exact, &condition.regex) {
            (Some(exact), _) => path == exact,
            (None, Some(regex)) => simulate::full_match(regex, path),
            (None, None) => true,
        };
        return holds.then(|| whole.unwrap_or_else(|| path.to_owned()));
    }
    let prefix = matched.prefix.as_deref().unwrap_or("/");
    let rest = path.strip_prefix(prefix)?;
    if whole.is_some() {
        return whole;
    }
    let spec = rewrite.and_then(|rewrite| rewrite.prefix.as_ref());
    let new = match spec {
        Some(spec) if spec.value.is_some() => spec.value.as_deref().unwrap_or_default(),
        Some(_) => return Some(path.to_owned()),
        None => "/",
    };
    // App Mesh's second Envoy route for `P/`.
    let rest = if new.ends_with('/') && !prefix.ends_with('/') {
        rest.strip_prefix('/').unwrap_or(rest)
    } else {
        rest
    };
    Some(format!("{new}{rest}"))
}

fn second_hop(mesh: &Mesh, service: &str, request: &Request, path: &str, host: String) -> Outcome {
    let query = &request.path[simulate::without_query(&request.path).len()..];
    let request = Request {
        path: format!("{path}{query}"),
        host: host.clone(),
        ..request.clone()
    };
    let mut routes: Vec<(&str, i64, &HttpRoute)> = mesh.virtual_routers[&format!("{service}-router")]
        .routes
        .iter()
        .map(|route| {
            let http = route.spec.http_route.as_ref().expect("http");
            (route.name.as_str(), route.spec.priority.unwrap_or(1001), http)
        })
        .collect();
    routes.sort_by_key(|(name, priority, http)| {
        let matched = &http.r#match;
        let conditions = matched.headers.len() + usize::from(matched.method.is_some()) + matched.query_parameters.len();
        (
            *priority,
            path_rank(matched.path.as_ref(), matched.prefix.as_deref()),
            Reverse(conditions),
            name.to_string(),
        )
    });
    for (name, _, route) in routes {
        let matched = &route.r#match;
        let path_holds = match &matched.path {
            Some(condition) => match (&condition.exact, &condition.regex) {
                (Some(exact), _) => path == exact,
                (None, Some(regex)) => simulate::full_match(regex, path),
                (None, None) => true,
            },
            None => path.starts_with(matched.prefix.as_deref().unwrap_or("/")),
        };
        if path_holds && holds(matched, &request) {
            return Outcome::Forwarded {
                route: name.to_owned(),
                path: request.path,
                host,
            };
        }
    }
    Outcome::NotFound
}

fn path_rank(path: Option<&ferromesh_model::resource::HttpPathMatch>, prefix: Option<&str>) -> (u8, Reverse<usize>) {
    match path {
        Some(path) if path.exact.is_some() => (0, Reverse(0)),
        Some(_) => (2, Reverse(0)),
        None => (1, Reverse(prefix.unwrap_or("/").len())),
    }
}

/// Whether everything but the path holds.
fn holds(matched: &HttpRouteMatch, request: &Request) -> bool {
    let header_holds = |header: &HttpRouteHeader| {
        let value = if header.name == "host" {
            Some(&request.host)
        } else {
            request
                .headers
                .iter()
                .find(|(name, _)| *name == header.name)
                .map(|(_, value)| value)
        };
        let invert = header.invert.unwrap_or(false);
        match (&header.r#match, value) {
            (None, value) => value.is_some() != invert,
            (Some(_), None) => false,
            (Some(ferromesh_model::resource::HeaderMatchMethod::Exact(exact)), Some(value)) => {
                (value == exact) != invert
            }
            (Some(other), _) => panic!("not generated: {other:?}"),
        }
    };
    let query_holds = |name: &str| {
        let query = request.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        query.split('&').any(|pair| pair.split('=').next() == Some(name))
    };
    matched.method.is_none_or(|method| method.as_str() == request.method)
        && matched.headers.iter().all(header_holds)
        && matched
            .query_parameters
            .iter()
            .all(|parameter| query_holds(&parameter.name))
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(values)
}

/// `{"prefix": …}`, `{"path": …}` or nothing.
fn path_condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(json!({})),
        5 => one_of(&["/", "/a", "/a/", "/ab", "/a/b", "/b", "/b/a/"]).prop_map(|prefix| json!({"prefix": prefix})),
        2 => one_of(&["/", "/a", "/a/b", "/b/", "/ab"]).prop_map(|exact| json!({"path": {"exact": exact}})),
        3 => one_of(&["/.*", "/a.*", ".*b", "/[ab]+", "/(a|ab)/?b*", "/a?b{0,2}/.+", "/[^/]+/b", "(/a){1,2}.*"])
            .prop_map(|regex| json!({"path": {"regex": regex}})),
    ]
}

fn other_conditions() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(json!({})),
        1 => Just(json!({"method": "POST"})),
        1 => Just(json!({"headers": [{"name": "x-v"}]})),
        1 => Just(json!({"headers": [{"name": "x-v", "invert": true}]})),
        1 => Just(json!({"headers": [{"name": "x-v", "invert": true, "match": {"exact": "1"}}]})),
        1 => Just(json!({"headers": [{"name": "host", "match": {"exact": "s1"}}]})),
        1 => Just(json!({"queryParameters": [{"name": "q"}]})),
    ]
}

fn merged(mut left: Value, right: Value) -> Value {
    if let (Some(left), Value::Object(right)) = (left.as_object_mut(), right) {
        left.extend(right);
    }
    left
}

fn priority() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![4 => Just(None), 1 => (0u32..3).prop_map(Some)]
}

fn with_priority(mut spec: Value, priority: Option<u32>) -> Value {
    if let Some(priority) = priority {
        spec["priority"] = json!(priority);
    }
    spec
}

fn gateway_route() -> impl Strategy<Value = Value> {
    let rewrite = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({"prefix": {"defaultPrefix": "DISABLED"}})),
        2 => one_of(&["/", "/a", "/a/b/", "/b/"]).prop_map(|value| json!({"prefix": {"value": value}})),
        1 => one_of(&["/a/b", "/ab"]).prop_map(|exact| json!({"path": {"exact": exact}})),
        1 => Just(json!({"hostname": {"defaultTargetHostname": "DISABLED"}})),
    ];
    (
        path_condition(),
        other_conditions(),
        rewrite,
        one_of(&["s1", "s2"]),
        priority(),
    )
        .prop_map(|(path, other, mut rewrite, service, priority)| {
            if path.get("path").is_some() {
                // A prefix rewrite needs a prefix.
                rewrite.as_object_mut().expect("an object").remove("prefix");
            }
            let action = json!({"target": {"virtualService": {"virtualServiceName": service}}, "rewrite": rewrite});
            with_priority(
                json!({"httpRoute": {"match": merged(path, other), "action": action}}),
                priority,
            )
        })
}

fn service_route() -> impl Strategy<Value = Value> {
    (path_condition(), other_conditions(), priority()).prop_map(|(path, other, priority)| {
        let action = json!({"weightedTargets": [{"virtualNode": "n", "weight": 1}]});
        with_priority(
            json!({"httpRoute": {"match": merged(path, other), "action": action}}),
            priority,
        )
    })
}

fn request() -> impl Strategy<Value = Request> {
    let piece = one_of(&["/", "a", "b", "ab", "/a", "/b", "x"]);
    (
        prop::collection::vec(piece, 0..6),
        one_of(&["", "", "", "?q=1", "?q=/a/b", "?x=1&q", "?b"]),
        one_of(&["GET", "POST", "DELETE", "PATCH"]),
        one_of(&["", "", "1", "2"]),
        one_of(&["gateway", "s1"]),
    )
        .prop_map(|(pieces, query, method, version, host)| {
            let mut path = format!("/{}", pieces.concat());
            // The connection manager merges slashes before it routes.
            while path.contains("//") {
                path = path.replace("//", "/");
            }
            Request {
                method: method.into(),
                headers: if version.is_empty() {
                    vec![]
                } else {
                    vec![("x-v".into(), version.into())]
                },
                ..Request::get(host, &format!("{path}{query}"))
            }
        })
}

fn mesh(gateway_routes: &[Value], first: &[Value], second: &[Value]) -> Mesh {
    let listener = json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]});
    let dns = json!({"serviceDiscovery": {"dns": {"hostname": "n.local"}}});
    let mut resources = vec![
        json!(["node", "n", merged(listener.clone(), dns)]),
        json!(["gateway", "g", listener]),
        json!(["router", "s1-router", listener]),
        json!(["router", "s2-router", listener]),
    ];
    for service in ["s1", "s2"] {
        let provider = json!({"provider": {"virtualRouter": {"virtualRouterName": format!("{service}-router")}}});
        resources.push(json!(["service", service, provider]));
    }
    for (index, spec) in gateway_routes.iter().enumerate() {
        resources.push(json!(["gatewayRoute", format!("g/{index}"), spec]));
    }
    for (router, routes) in [("s1-router", first), ("s2-router", second)] {
        for (index, spec) in routes.iter().enumerate() {
            resources.push(json!(["route", format!("{router}/{router}-{index}"), spec]));
        }
    }
    fixture::mesh(Value::Array(resources))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_gateway_in_one_hop_does_what_two_hops_do(
        gateway_routes in prop::collection::vec(gateway_route(), 1..4),
        first in prop::collection::vec(service_route(), 0..4),
        second in prop::collection::vec(service_route(), 0..4),
        requests in prop::collection::vec(request(), 30),
    ) {
        let mesh = mesh(&gateway_routes, &first, &second);
        let proxy = fixture::gateway(&mesh);
        prop_assert_eq!(&proxy.lints, &[], "nothing may be left out here");
        for request in &requests {
            prop_assert_eq!(in_one_hop(&proxy, request), in_two_hops(&mesh, request), "{:?}", request);
        }
    }
}

#[test]
fn a_path_condition_is_what_the_generator_says() {
    // The oracle above reads an absent path and prefix as "/"; so must the lowering.
    let routes =
        [json!({"httpRoute": {"match": {}, "action": {"target": {"virtualService": {"virtualServiceName": "s1"}}}}})];
    let proxy = fixture::gateway(&mesh(&routes, &[], &[]));
    let route = &proxy.route_tables[0].hosts[0].routes[0];
    assert_eq!(route.matcher.path, PathMatch::Prefix("/".into()));
}
