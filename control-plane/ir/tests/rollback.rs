//! The control plane's part of a rollback: which comparison a route belongs to, where its requests are reported, and
//! what a verdict changes.

mod fixture;

use ferromesh_ir::rollback::Comparison;
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::rollback::{BothCounts, Cause, Rollbacks, Verdict};
use ferromesh_policy::canary::{self, OverallConfig};
use serde_json::{json, Value};

/// Nodes `front` and `side`, which call `a.local` (to blue and green), with one policy on its route.
fn mesh(spec: Value) -> Mesh {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let backend = json!({"virtualService": {"virtualServiceName": "a.local"}});
    let node = |name: &str, backends: Value| {
        let dns = json!({"dns": {"hostname": name}});
        json!(["node", name, {"listeners": [listener], "serviceDiscovery": dns, "backends": backends}])
    };
    let policy = json!({"name": "p", "mesh": "m", "target": {"virtualService": "a.local"}, "spec": spec});
    fixture::mesh(json!([
        node("blue", json!([])),
        node("green", json!([])),
        node("front", json!([backend])),
        node("a b", json!([backend])),
        ["router", "a", {"listeners": [listener]}],
        ["route", "a/all", {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [
            {"virtualNode": "blue", "weight": 9}, {"virtualNode": "green", "weight": 1},
        ]}}}],
        ["service", "a.local", {"provider": {"virtualRouter": {"virtualRouterName": "a"}}}],
        ["policy", "p", policy],
    ]))
}

fn rolling_back() -> Value {
    json!({"canary": {"rollback": {"canary": "green", "baseline": "blue", "holdSeconds": 60}}})
}

fn lowered(mesh: &Mesh, name: &str) -> Proxy {
    let options = Options {
        reports_to: Some("up".into()),
        ..Options::default()
    };
    lower::proxy(mesh, ProxyKind::VirtualNode, name, &options).expect("a proxy")
}

fn canary(proxy: &Proxy) -> canary::Config {
    let mut routes = proxy
        .route_tables
        .iter()
        .flat_map(|table| &table.hosts)
        .flat_map(|host| &host.routes);
    let canary = routes.find_map(|route| route.policy.as_ref()?.config.canary.clone());
    canary.expect("a canary")
}

fn comparison(proxy: &Proxy) -> Comparison {
    let [comparison] = proxy.comparisons.as_slice() else {
        panic!("{:?}", proxy.comparisons)
    };
    comparison.clone()
}

fn reports(proxy: &Proxy) -> Vec<Option<&str>> {
    proxy
        .plugins
        .iter()
        .map(|plugin| plugin.config.reports.as_deref())
        .collect()
}

#[test]
fn proxies_with_the_same_route_take_part_in_one_comparison() {
    let mesh = mesh(rolling_back());
    let (front, side) = (lowered(&mesh, "front"), lowered(&mesh, "a b"));
    assert_eq!(comparison(&front), comparison(&side));
    let Comparison {
        key,
        policy,
        generation,
        virtual_service,
        ..
    } = comparison(&front);
    assert_eq!(
        (policy.as_str(), generation, virtual_service.as_str()),
        ("p", 0, "a.local")
    );
    let expected = OverallConfig {
        key,
        rolled_back_unix_millis: None,
    };
    assert_eq!(canary(&front).overall, Some(expected));
    // Where requests are sent, not where they arrive.
    let path = "up/v1/reports/canary/mesh/m/virtualNode/front";
    assert_eq!(reports(&front), [Some(path), None]);
    assert_eq!(reports(&side)[0], Some("up/v1/reports/canary/mesh/m/virtualNode/a%20b"));
    // In the mesh of another account than the control plane's own they say whose.
    let options = Options {
        reports_to: Some("up".into()),
        mesh_owner: Some("210987654321".into()),
        ..Options::default()
    };
    let theirs = lower::proxy(&mesh, ProxyKind::VirtualNode, "front", &options).expect("a proxy");
    let path = "up/v1/reports/canary/mesh/m%40210987654321/virtualNode/front";
    assert_eq!(reports(&theirs)[0], Some(path));
    // Who takes part in none has nothing to report.
    let blue = lowered(&mesh, "blue");
    assert!(blue.comparisons.is_empty() && reports(&blue).iter().all(Option::is_none));
}

#[test]
fn other_rules_and_a_clearing_are_other_comparisons() {
    let key = |mesh: &Mesh| comparison(&lowered(mesh, "front")).key;
    let mut stricter = rolling_back();
    stricter["canary"]["rollback"]["minRequests"] = json!(500);
    let mut cleared = mesh(rolling_back());
    let mut known = Rollbacks::of("m", "p");
    known.clear();
    cleared.rollbacks.insert("p".into(), known);
    let keys = [key(&mesh(rolling_back())), key(&mesh(stricter)), key(&cleared)];
    assert!(keys[0] != keys[1] && keys[0] != keys[2], "{keys:?}");
    assert_eq!(keys[0], key(&mesh(rolling_back())), "it is the same after a restart");
}

#[test]
fn a_verdict_reaches_the_route_and_nothing_else_changes() {
    let mut mesh = mesh(rolling_back());
    let before = lowered(&mesh, "front");
    let mut known = Rollbacks::of("m", "p");
    let verdict = Verdict {
        virtual_service: "a.local".into(),
        route: "a/all".into(),
        canary: "green".into(),
        baseline: "blue".into(),
        cause: Cause::Latency,
        at_unix_millis: 1_000,
        until_unix_millis: Some(61_000),
        rollbacks: 1,
        counts: BothCounts::default(),
    };
    known.verdicts.insert(comparison(&before).key, verdict);
    mesh.rollbacks.insert("p".into(), known);
    let mut after = lowered(&mesh, "front");
    let overall = canary(&after).overall.expect("an overall");
    assert_eq!(overall.rolled_back_unix_millis, Some(1_000));
    let tables = &mut after.route_tables;
    let routes = tables
        .iter_mut()
        .flat_map(|table| &mut table.hosts)
        .flat_map(|host| &mut std::sync::Arc::make_mut(host).routes);
    for canary in routes.filter_map(|route| route.policy.as_mut()?.config.canary.as_mut()) {
        if let Some(overall) = &mut canary.overall {
            overall.rolled_back_unix_millis = None;
        }
    }
    assert_eq!(after, before);
}

#[test]
fn each_proxy_alone_where_nothing_leads_to_the_control_plane_or_the_policy_says_so() {
    let alone = lower::proxy(
        &mesh(rolling_back()),
        ProxyKind::VirtualNode,
        "front",
        &Options::default(),
    );
    let mut spec = rolling_back();
    spec["canary"]["rollback"]["acrossProxies"] = json!(false);
    for proxy in [alone.expect("a proxy"), lowered(&mesh(spec), "front")] {
        let canary = canary(&proxy);
        assert!(canary.rollback.is_some() && canary.overall.is_none());
        assert!(proxy.comparisons.is_empty() && reports(&proxy).iter().all(Option::is_none));
    }
}
