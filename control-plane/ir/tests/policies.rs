//! Our own policies: where they hold, and what is left of them where they do not fit.

mod fixture;

use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::route::{Action, Route};
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use serde_json::{json, Value};

/// A node `front` that calls `a.local` (to blue) and `b.local` (to blue and green), with policies `[target, spec]`.
fn mesh(policies: Value) -> Mesh {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let node = |name: &str| {
        let dns = json!({"dns": {"hostname": name}});
        json!(["node", name, {"listeners": [listener], "serviceDiscovery": dns}])
    };
    let router = |name: &str| json!(["router", name, {"listeners": [listener]}]);
    let route = |name: &str, targets: Value| json!(["route", name, {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}]);
    let service = |name: &str, router: &str| json!(["service", name, {"provider": {"virtualRouter": {"virtualRouterName": router}}}]);
    let backend = |name: &str| json!({"virtualService": {"virtualServiceName": name}});
    let mut resources = vec![
        node("blue"),
        node("green"),
        json!(["node", "front", {"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": "front"}},
            "backends": [backend("a.local"), backend("b.local")]}]),
        router("a"),
        router("b"),
        route("a/all", json!([{"virtualNode": "blue", "weight": 1}])),
        route(
            "b/all",
            json!([{"virtualNode": "blue", "weight": 1}, {"virtualNode": "green", "weight": 1}]),
        ),
        service("a.local", "a"),
        service("b.local", "b"),
    ];
    for (index, policy) in policies.as_array().expect("a list").iter().enumerate() {
        let name = format!("p{index}");
        resources.push(json!(["policy", name, {"name": name, "mesh": "m", "target": policy[0], "spec": policy[1]}]));
    }
    fixture::mesh(Value::Array(resources))
}

fn front(policies: Value) -> Proxy {
    lower::proxy(&mesh(policies), ProxyKind::VirtualNode, "front", &Options::default()).expect("a proxy")
}

/// The Envoy routes of a service.
fn routes<'p>(proxy: &'p Proxy, service: &str) -> Vec<&'p Route> {
    let hosts = proxy.route_tables.iter().flat_map(|table| &table.hosts);
    let routes = hosts.flat_map(|host| &host.routes);
    routes
        .filter(|route| route.label.virtual_service.as_deref() == Some(service))
        .collect()
}

fn retries(route: &Route) -> Option<u32> {
    match &route.action {
        Action::Forward(forward) => forward.retry.as_ref().map(|retry| retry.max_retries),
        Action::Respond(_) => None,
    }
}

fn budget(proxy: &Proxy, node: &str) -> Option<(f64, u32)> {
    let is_it = |id: &ClusterId| matches!(id, ClusterId::Node { node: name, .. } if name == node);
    let cluster = proxy
        .clusters
        .iter()
        .find(|cluster| is_it(&cluster.id))
        .expect("its cluster");
    cluster
        .retry_budget
        .map(|budget| (budget.percent, budget.min_concurrency))
}

#[test]
fn a_retried_route_has_one_twin_before_it_for_requests_that_are_retried_already() {
    let proxy = front(json!([]));
    let routes = routes(&proxy, "a.local");
    assert_eq!(
        routes.iter().map(|route| retries(route)).collect::<Vec<_>>(),
        [None, Some(2), Some(2)]
    );
    let header = &routes[0].matcher.headers[0];
    assert_eq!(header.name, "tracestate");
    // Without retries there is nothing to tell or to leave.
    let off = front(json!([[{"mesh": {}}, {"retry": {"enabled": false}}]]));
    assert_eq!(self::routes(&off, "a.local").len(), 1);
    let every = front(json!([[{"mesh": {}}, {"retry": {"alongPath": "everyHop"}}]]));
    assert_eq!(self::routes(&every, "a.local").len(), 2);
}

#[test]
fn of_several_native_budgets_for_one_target_the_most_generous_holds() {
    assert_eq!(budget(&front(json!([])), "blue"), Some((20.0, 10)));
    let of =
        |ratio: f64| json!([{"virtualService": "a.local"}, {"retry": {"budget": {"mode": "native", "ratio": ratio}}}]);
    assert_eq!(budget(&front(json!([of(0.29)])), "blue"), Some((29.0, 10)));
    assert_eq!(
        budget(&front(json!([of(0.1)])), "blue"),
        Some((20.0, 10)),
        "b.local has the default"
    );
    let both = json!([{"mesh": {}}, {"retry": {"budget": {"ratio": 0.05, "minConcurrency": 2}}}]);
    assert_eq!(budget(&front(json!([both])), "blue"), Some((5.0, 2)));
}

#[test]
fn a_window_is_the_filters_and_leaves_envoys_budget_at_its_default() {
    let proxy = front(json!([[{"mesh": {}}, {"retry": {"budget": {"ratio": 0.5, "windowSeconds": 5}}}]]));
    let policy = routes(&proxy, "a.local")[1].policy.as_ref().expect("a policy");
    assert!(policy.config.retry.is_some());
    assert_eq!(budget(&proxy, "blue"), Some((20.0, 10)));
    let native = front(json!([[{"mesh": {}}, {"retry": {"budget": {"mode": "native"}}}]]));
    let policy = routes(&native, "a.local")[1].policy.as_ref().expect("a policy");
    assert!(policy.config.retry.is_none(), "where Envoy counts, the filter does not");
}

#[test]
fn the_first_exact_budget_holds_on_a_shared_target() {
    let proxy = front(json!([[{"mesh": {}}, {"retry": {"budget": {"mode": "exact"}}}]]));
    let names: Vec<_> = proxy
        .clusters
        .iter()
        .map(|cluster| cluster.exact_budget.as_ref().map(|b| b.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [Some("a.local"), Some("b.local"), None, None],
        "blue, green, the application, AWS"
    );
    assert!(
        proxy.lints[0].message.contains("shares with virtual service a.local"),
        "{:?}",
        proxy.lints
    );
}

#[test]
fn a_ramp_that_does_not_fit_a_route_is_left_out_and_the_rest_holds() {
    let steps = json!([{"afterSeconds": 0, "weights": [1, 1, 1]}]);
    let limits = json!({"limits": [{"name": "l", "requests": 1, "windowSeconds": 1}]});
    let canary = json!({"ramp": {"startUnixMillis": 1, "steps": steps}, "sticky": {"header": "x-user"}});
    let proxy = front(json!([[{"mesh": {}}, {"canary": canary, "rateLimit": limits}]]));
    let policy = routes(&proxy, "b.local")[0].policy.as_ref().expect("a policy");
    let canary = policy.config.canary.as_ref().expect("a canary");
    assert!(canary.ramp.is_none() && canary.sticky.is_some() && policy.config.rate_limit.is_some());
    assert!(
        proxy.lints[0].message.starts_with("it has no ramp and no rollback: "),
        "{:?}",
        proxy.lints
    );
}

#[test]
fn what_a_mesh_does_to_requests_it_does_once_where_they_are_sent() {
    let fault = json!({"fault": {"abort": {"status": 500}}});
    let has_fault = |route: &Route| {
        route
            .policy
            .as_ref()
            .is_some_and(|policy| policy.config.fault.is_some())
    };
    let arrivals = |proxy: &Proxy| has_fault(&proxy.route_tables[0].hosts[0].routes[0]);
    let proxy = front(json!([[{"mesh": {}}, fault]]));
    assert!(routes(&proxy, "a.local").into_iter().all(has_fault));
    assert!(!arrivals(&proxy));
    let proxy = front(json!([[{"virtualNodeIngress": "front"}, fault]]));
    assert!(!routes(&proxy, "a.local").into_iter().any(has_fault));
    assert!(arrivals(&proxy));
    assert!(!arrivals(&front(json!([[{"virtualNodeIngress": "blue"}, fault]]))));
}
