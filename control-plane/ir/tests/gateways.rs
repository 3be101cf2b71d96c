//! Virtual gateways: what App Mesh did without saying so, and what fails closed.

mod fixture;

use std::time::Duration;

use ferromesh_ir::cluster::{ClusterId, Discovery, DnsAnswer, Limits};
use ferromesh_ir::listener::{Bind, ClientAddress, Network};
use ferromesh_ir::matcher::PathMatch;
use ferromesh_ir::options::DefaultRetry;
use ferromesh_ir::route::{Action, Forward, Route};
use ferromesh_ir::simulate::{self, Request};
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use serde_json::{json, Value};

fn http(port: u16) -> Value {
    json!({"portMapping": {"port": port, "protocol": "http"}})
}

/// A mesh with the service `s.local` on two nodes behind gateway `g`, and more resources.
fn mesh(more: Value) -> Mesh {
    let node = |name: &str| json!({"listeners": [http(8080)], "serviceDiscovery": {"dns": {"hostname": name}}});
    let mut resources = vec![
        json!(["node", "blue", node("blue.local")]),
        json!(["node", "green", node("green.local")]),
        json!(["router", "r", {"listeners": [http(80)]}]),
        json!(["service", "s.local", {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}]),
        json!(["gateway", "g", {"listeners": [http(8088)]}]),
    ];
    resources.extend(more.as_array().expect("a list").iter().cloned());
    fixture::mesh(resources.into())
}

fn route(name: &str, mut spec: Value) -> Value {
    if spec.get("action").is_none() {
        spec["action"] = json!({"weightedTargets": [{"virtualNode": "blue", "weight": 1}]});
    }
    json!(["route", format!("r/{name}"), {"httpRoute": spec}])
}

fn gateway_route(name: &str, matched: Value) -> Value {
    let action = json!({"target": {"virtualService": {"virtualServiceName": "s.local"}}});
    json!(["gatewayRoute", format!("g/{name}"), {"httpRoute": {"match": matched, "action": action}}])
}

fn forwards(proxy: &Proxy) -> Vec<(&Route, &Forward)> {
    let routes = proxy
        .route_tables
        .iter()
        .flat_map(|table| &table.hosts)
        .flat_map(|host| &host.routes);
    routes
        .filter_map(|route| match &route.action {
            Action::Forward(forward) => Some((route, forward)),
            Action::Respond(_) => None,
        })
        .collect()
}

#[test]
fn what_app_mesh_did_without_saying_so_is_explicit() {
    let mesh = mesh(json!([
        route("all", json!({"match": {"prefix": "/"}})),
        gateway_route("all", json!({"prefix": "/"}))
    ]));
    let proxy = fixture::gateway(&mesh);
    assert_eq!(proxy.lints, []);
    let forwards = forwards(&proxy);
    let [(idempotent, first), (_, second)] = forwards.as_slice() else {
        panic!("{forwards:?}");
    };
    assert_eq!(idempotent.matcher.headers.len(), 1);
    assert_eq!(first.timeout, Duration::from_secs(15));
    assert_eq!(first.host.as_deref(), Some("s.local"));
    assert_eq!(first.retry.as_ref().map(|retry| retry.max_retries), Some(2));
    assert_eq!(second.retry.as_ref().map(|retry| retry.on.len()), Some(2));

    let cluster = &proxy.clusters[0];
    assert_eq!(cluster.connect_timeout, Duration::from_secs(1));
    assert_eq!(cluster.limits, Limits::NONE);
    assert_eq!(cluster.retry_budget.map(|budget| budget.min_concurrency), Some(10));
    assert!(matches!(
        &cluster.discovery,
        Discovery::Dns {
            answer: DnsAnswer::LoadBalancer,
            ..
        }
    ));

    let listener = &proxy.listeners[0];
    assert_eq!((listener.bind, listener.redirected), (Bind::V4, false));
    let Network::Http(http) = &listener.chains[0].network else {
        panic!("{listener:?}");
    };
    assert!(http.websocket && http.normalize_paths);
    assert_eq!(http.client_address, ClientAddress::Append);
}

#[test]
fn each_of_it_can_be_switched_off() {
    let mesh = mesh(json!([
        route("all", json!({"match": {"prefix": "/"}})),
        gateway_route("all", json!({"prefix": "/"}))
    ]));
    let options = Options {
        request_timeout: Duration::ZERO,
        default_retry: DefaultRetry::Disabled,
        retry_budget: None,
        limits: Limits::ENVOY,
        websocket: false,
        normalize_paths: false,
        append_client_address: false,
        ..Options::default()
    };
    let proxy = lower::proxy(&mesh, ProxyKind::VirtualGateway, "g", &options).unwrap();
    let forwards = forwards(&proxy);
    assert_eq!(forwards.len(), 1, "without retries methods make no difference");
    assert_eq!(forwards[0].1.timeout, Duration::ZERO);
    assert_eq!(forwards[0].1.retry, None);
    assert_eq!(proxy.clusters[0].limits, Limits::ENVOY);
    assert_eq!(proxy.clusters[0].retry_budget, None);
    let Network::Http(http) = &proxy.listeners[0].chains[0].network else {
        panic!("{proxy:?}");
    };
    assert!(!http.websocket && !http.normalize_paths);
    assert_eq!(http.client_address, ClientAddress::PassOn);
}

#[test]
fn a_route_without_a_path_matches_every_path() {
    let mesh = mesh(json!([
        route("all", json!({"match": {"port": 80}})),
        gateway_route("all", json!({"port": 8088}))
    ]));
    let proxy = fixture::gateway(&mesh);
    assert_eq!(forwards(&proxy)[0].0.matcher.path, PathMatch::Prefix("/".into()));
}

#[test]
fn a_named_host_does_not_fall_through_to_routes_for_any_host() {
    let mesh = mesh(json!([
        route("all", json!({"match": {"prefix": "/"}})),
        gateway_route("any", json!({"prefix": "/any"})),
        gateway_route(
            "exact",
            json!({"prefix": "/exact", "hostname": {"exact": "A.example.com"}})
        ),
        gateway_route(
            "suffix",
            json!({"prefix": "/suffix", "hostname": {"suffix": ".example.com"}})
        ),
    ]));
    let proxy = fixture::gateway(&mesh);
    let met = |host: &str, path: &str| {
        let host = simulate::virtual_host(&proxy.route_tables[0], host)?;
        let (_, route) = simulate::route(&host.routes, &Request::get(&host.name, path))?;
        route.label.gateway_route.as_deref()
    };
    assert_eq!(met("a.EXAMPLE.com:80", "/exact"), Some("exact"));
    assert_eq!(met("a.example.com", "/any"), None);
    assert_eq!(met("a.example.com", "/suffix"), None);
    assert_eq!(met("b.example.com", "/suffix"), Some("suffix"));
    assert_eq!(met("example.com", "/any"), Some("any"));
}

#[test]
fn limits_policies_and_weights_reach_the_filter() {
    let targets = json!({"weightedTargets": [
        {"virtualNode": "blue", "weight": 90}, {"virtualNode": "green", "weight": 10}, {"virtualNode": "blue", "weight": 0}]});
    let mesh = mesh(json!([
        route("canary", json!({"match": {"prefix": "/"}, "action": targets})),
        gateway_route("all", json!({"prefix": "/"})),
        ["policy", "p", {"name": "p", "mesh": "m", "target": {"virtualService": "s.local"},
            "spec": {"canary": {"sticky": {"header": "x-user"}}, "retry": {"nonIdempotent": "retry", "budget": {"mode": "native", "ratio": 0.5}}}}],
        ["policy", "q", {"name": "q", "mesh": "m", "target": {"mesh": {}},
            "spec": {"canary": {"sticky": {"cookie": "c"}, "override": {"header": "x-c"}}}}],
        ["policy", "other", {"name": "other", "mesh": "m", "target": {"virtualGateway": "h"},
            "spec": {"observability": {"responseHeaders": true}}}],
    ]));
    let proxy = fixture::gateway(&mesh);
    let forwards = forwards(&proxy);
    assert_eq!(forwards.len(), 1, "the policy asks for retries of every method");
    let policy = serde_json::to_value(&forwards[0].0.policy.as_ref().expect("a policy").config).unwrap();
    assert_eq!(
        policy,
        json!({
            "labels": {"virtualService": "s.local", "route": "canary"},
            "targets": ["blue", "green"],
            "canary": {"weights": [90, 10], "sticky": {"header": "x-user"}, "override": {"header": "x-c"}},
            "observability": {"metrics": true, "traceContext": true, "responseHeaders": false}
        })
    );
    assert_eq!(forwards[0].1.targets.len(), 3, "Envoy keeps all targets");
    let percent = proxy.clusters[0].retry_budget.map(|budget| budget.percent);
    assert_eq!(percent, Some(50.0), "Envoy counts where a policy asks for it");
}

#[test]
fn a_route_on_which_nothing_is_decided_has_no_policy() {
    let mesh = mesh(json!([
        route("all", json!({"match": {"prefix": "/"}})),
        gateway_route("all", json!({"prefix": "/"})),
        ["policy", "off", {"name": "off", "mesh": "m", "target": {"route": {"router": "r", "name": "all"}},
            "spec": {"retry": {"enabled": false}, "observability": {"enabled": false, "traceContext": false}}}],
    ]));
    let proxy = fixture::gateway(&mesh);
    let forwards = forwards(&proxy);
    assert_eq!(forwards.len(), 1);
    assert_eq!(forwards[0].0.policy, None);
    assert_eq!(forwards[0].1.retry, None);
}

#[test]
fn an_undeliverable_target_keeps_its_share_and_fails_it() {
    let targets =
        json!({"weightedTargets": [{"virtualNode": "blue", "weight": 3}, {"virtualNode": "gone", "weight": 1}]});
    let mesh = mesh(json!([
        route("all", json!({"match": {"prefix": "/"}, "action": targets})),
        gateway_route("all", json!({"prefix": "/"}))
    ]));
    let proxy = fixture::gateway(&mesh);
    assert_eq!(forwards(&proxy)[0].1.targets.len(), 2);
    let gone = proxy
        .clusters
        .iter()
        .find(|cluster| matches!(&cluster.id, ClusterId::Node { node, .. } if node == "gone"));
    assert_eq!(gone.map(|cluster| &cluster.discovery), Some(&Discovery::Nowhere));
    assert!(proxy.lints[0].message.contains("gone"), "{:?}", proxy.lints);
}

#[test]
fn says_when_a_service_has_several_ports_and_the_gateway_route_names_none() {
    let mesh = mesh(json!([
        ["router", "r", {"listeners": [http(80), http(81)]}],
        route("one", json!({"match": {"port": 81}})),
        gateway_route("all", json!({"prefix": "/"}))
    ]));
    let proxy = fixture::gateway(&mesh);
    assert!(forwards(&proxy).is_empty());
    assert!(proxy.lints[0].message.contains("80, 81"), "{:?}", proxy.lints);
}

#[test]
fn a_gateway_that_does_not_exist_is_an_error() {
    let violations = lower::proxy(&mesh(json!([])), ProxyKind::VirtualGateway, "x", &Options::default()).unwrap_err();
    assert_eq!(violations[0].message, "mesh m has no virtualGateway named x");
}
