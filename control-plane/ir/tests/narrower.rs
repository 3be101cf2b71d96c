//! Policies for a narrower target than another one's: what they switch off, and gateway routes between gateway and service.

mod fixture;

use ferromesh_ir::cluster::{ClusterId, Discovery};
use ferromesh_ir::route::{Action, Forward, Route};
use ferromesh_ir::Proxy;
use serde_json::{json, Value};

/// Gateway `g` with the gateway routes `red` (`/red`) and `all` (`/`) to `s.local`, whose one route splits between blue
/// and green; and policies `[target, spec]`.
fn gateway(policies: Value) -> Proxy {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let node = |name: &str| {
        let dns = json!({"dns": {"hostname": name}});
        json!(["node", name, {"listeners": [listener], "serviceDiscovery": dns}])
    };
    let to_service = json!({"target": {"virtualService": {"virtualServiceName": "s.local"}}});
    let gateway_route = |name: &str, prefix: &str| json!(["gatewayRoute", format!("g/{name}"), {"httpRoute": {"match": {"prefix": prefix}, "action": to_service}}]);
    let targets = json!([{"virtualNode": "blue", "weight": 3}, {"virtualNode": "gone", "weight": 0}, {"virtualNode": "green", "weight": 1}]);
    let mut resources = vec![
        node("blue"),
        node("green"),
        node("gone"),
        json!(["router", "r", {"listeners": [listener]}]),
        json!(["route", "r/all", {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}]),
        json!(["service", "s.local", {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}]),
        json!(["gateway", "g", {"listeners": [listener]}]),
        gateway_route("red", "/red"),
        gateway_route("all", "/"),
    ];
    for (index, policy) in policies.as_array().expect("a list").iter().enumerate() {
        let name = format!("p{index}");
        resources.push(json!(["policy", name, {"name": name, "mesh": "m", "target": policy[0], "spec": policy[1]}]));
    }
    fixture::gateway(&fixture::mesh(resources.into()))
}

/// The first forwarding route behind a gateway route.
fn behind<'p>(proxy: &'p Proxy, gateway_route: &str) -> (&'p Route, &'p Forward) {
    let hosts = proxy.route_tables.iter().flat_map(|table| &table.hosts);
    let mut routes = hosts.flat_map(|host| &host.routes);
    let found = routes.find_map(|route| match &route.action {
        Action::Forward(forward) if route.label.gateway_route.as_deref() == Some(gateway_route) => {
            Some((route, forward))
        }
        _ => None,
    });
    found.expect("a route that forwards")
}

fn fault(route: &Route) -> Option<u16> {
    let fault = route.policy.as_ref()?.config.fault.as_ref()?;
    Some(fault.abort.as_ref()?.status)
}

fn said(proxy: &Proxy) -> Vec<String> {
    proxy.lints.iter().map(ToString::to_string).collect()
}

#[test]
fn a_gateway_route_stands_between_its_gateway_and_the_service() {
    let abort = |status: u16| json!({"fault": {"abort": {"status": status}}});
    let red = json!({"gatewayRoute": {"gateway": "g", "name": "red"}});
    let both = |policies: Value| {
        let proxy = gateway(policies);
        (fault(behind(&proxy, "red").0), fault(behind(&proxy, "all").0))
    };
    assert_eq!(both(json!([[red, abort(501)]])), (Some(501), None));
    assert_eq!(
        both(json!([[red, abort(501)], [{"virtualGateway": "g"}, abort(502)]])),
        (Some(501), Some(502))
    );
    assert_eq!(
        both(json!([[red, abort(501)], [{"virtualService": "s.local"}, abort(503)]])),
        (Some(503), Some(503)),
        "who is called has the last word"
    );
    let elsewhere = json!({"gatewayRoute": {"gateway": "h", "name": "red"}});
    assert_eq!(both(json!([[elsewhere, abort(501)]])), (None, None));
}

#[test]
fn what_a_wider_policy_asks_is_off_where_a_narrower_one_says_so() {
    let everything = json!({
        "fault": {"abort": {"status": 500}}, "headers": {"request": [{"remove": "x-a"}]},
        "mirror": {"virtualNode": "gone"}, "canary": {"sticky": {"header": "x-user"}, "override": {"header": "x-c"}},
        "retry": {"backoff": {"baseMillis": 7}, "retryAfter": {"maxMillis": 9}},
        "observability": {"serverTiming": true, "responseHeaders": true},
    });
    let off = json!([
        "fault",
        "headers",
        "mirror",
        "canary.sticky",
        "retry.backoff",
        "observability"
    ]);
    let red = json!({"gatewayRoute": {"gateway": "g", "name": "red"}});
    let proxy = gateway(json!([[{"mesh": {}}, everything], [red, {"off": off}]]));
    let (route, forward) = behind(&proxy, "red");
    let config = &route.policy.as_ref().expect("a canary").config;
    assert!(config.fault.is_none() && config.headers.is_none() && config.observability.is_none());
    assert!(forward.mirror.is_none());
    let canary = config.canary.as_ref().expect("a canary");
    assert!(canary.sticky.is_none() && canary.tester.is_some());
    let retry = forward.retry.as_ref().expect("retries");
    assert!(retry.back_off.is_none() && retry.retry_after.is_some());
    assert_eq!(fault(behind(&proxy, "all").0), Some(500));
    assert_eq!(said(&proxy), [] as [&str; 0], "none of these lets anything pass");
    let again = json!([{"virtualService": "s.local"}, {"fault": {"abort": {"status": 501}}}]);
    let proxy = gateway(json!([[{"mesh": {}}, everything], [red, {"off": off}], again]));
    assert_eq!(fault(behind(&proxy, "red").0), Some(501));
}

#[test]
fn who_takes_protection_back_is_told_with_the_route() {
    let limits = json!({"limits": [{"name": "l", "requests": 1, "windowSeconds": 1}]});
    let keys = json!({"inline": {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}});
    let guards = json!({
        "jwt": {"providers": [{"name": "acme", "jwks": keys}]},
        "extAuthz": {"http": {"address": "10.0.0.9:8000"}}, "rateLimit": limits,
        "circuitBreaker": {"errorRatio": 0.5},
    });
    let red = json!({"gatewayRoute": {"gateway": "g", "name": "red"}});
    let off = json!({"off": ["jwt", "extAuthz", "rateLimit", "circuitBreaker"]});
    let proxy = gateway(json!([[{"mesh": {}}, guards], [red, off]]));
    let (route, _) = behind(&proxy, "red");
    assert!(route.guards.jwt.is_none() && route.guards.authorization.is_none() && !route.is_protected());
    let (route, _) = behind(&proxy, "all");
    assert!(route.guards.jwt.is_some() && route.guards.authorization.is_some() && route.is_protected());
    let is_off = |member: &str| {
        format!("FM139 virtualRouter/r/route/all: {member} is off on it: policy p1 takes back what a wider one asks")
    };
    let mut expected = ["rateLimit", "circuitBreaker", "jwt", "extAuthz"].map(is_off);
    expected.sort();
    assert_eq!(said(&proxy), expected);
    // The same in the members' own words.
    let open = json!({"jwt": {"require": "off"}, "extAuthz": {"enabled": false}});
    let proxy = gateway(json!([[{"mesh": {}}, guards], [{"virtualService": "s.local"}, open]]));
    assert_eq!(said(&proxy), [is_off("extAuthz"), is_off("jwt")]);
    // Where a narrower policy asks again nothing is off, and without a wider one nothing was.
    let proxy = gateway(json!([[{"mesh": {}}, guards], [red, off], [{"virtualService": "s.local"}, guards]]));
    assert_eq!(said(&proxy), [] as [&str; 0]);
    assert_eq!(said(&gateway(json!([[red, off]]))), [] as [&str; 0]);
}

#[test]
fn retries_at_another_target_try_each_target_once() {
    let another = json!({"canary": {"onRetry": "anotherTarget"}, "retry": {"nonIdempotent": "retry"}});
    let proxy = gateway(json!([[{"mesh": {}}, another]]));
    let (route, forward) = behind(&proxy, "all");
    let retry = forward.retry.as_ref().expect("retries");
    assert!(retry.elsewhere);
    assert_eq!(retry.max_retries, 1, "a target of weight 0 is none");
    let config = &route.policy.as_ref().expect("a canary").config;
    assert_eq!(config.retry.as_ref().map(|retry| retry.max_retries), Some(1));
    assert_eq!(
        said(&proxy),
        ["FM133 virtualRouter/r/route/all: its requests are retried 1 times instead of 2: once at each other target"]
    );
    let (_, forward) = {
        let same = json!({"canary": {"onRetry": "sameTarget"}});
        let proxy = gateway(json!([[{"mesh": {}}, another], [{"virtualService": "s.local"}, same]]));
        let (route, forward) = behind(&proxy, "all");
        (route.clone(), forward.clone())
    };
    let retry = forward.retry.expect("retries");
    assert_eq!((retry.elsewhere, retry.max_retries), (false, 2));
}

#[test]
fn retries_stay_at_the_target_where_another_ones_answer_would_hide_failures() {
    let rollback = json!({"canary": "green", "baseline": "blue", "errorMarginPerMille": 20, "confidence": "0.99",
        "windowSeconds": 60, "minRequests": 100});
    for (wide, what) in [
        (json!({"canary": {"rollback": rollback}}), "a rollback"),
        (
            json!({"circuitBreaker": {"per": "target", "errorRatio": 0.5}}),
            "a circuit breaker per target",
        ),
    ] {
        let another = json!({"canary": {"onRetry": "anotherTarget"}});
        let proxy = gateway(json!([[{"mesh": {}}, wide], [{"virtualGateway": "g"}, another]]));
        let (_, forward) = behind(&proxy, "all");
        assert!(!forward.retry.as_ref().expect("retries").elsewhere);
        assert_eq!(
            said(&proxy),
            [format!(
                "FM132 virtualRouter/r/route/all: its retries stay at the target first chosen: it has {what}, from which the other target's answers would hide failures"
            )]
        );
    }
}

#[test]
fn a_key_set_that_is_fetched_has_a_cluster_of_its_own() {
    let provider = |name: &str, uri: &str| json!({"name": name, "jwks": {"remote": {"uri": uri}}});
    let providers = [
        provider("acme", "https://acme.example/keys"),
        provider("near", "http://127.0.0.1:8000/keys"),
    ];
    let proxy = gateway(json!([[{"virtualGateway": "g"}, {"jwt": {"providers": providers}}]]));
    let of = |name: &str| {
        let clusters = &mut proxy.clusters.iter();
        let found = clusters.find(
            |cluster| matches!(&cluster.id, ClusterId::Keys { policy, provider } if policy == "p0" && provider == name),
        );
        found.expect("its cluster")
    };
    let tls = of("acme").tls.as_ref().expect("TLS");
    assert_eq!(tls.server_name.as_deref(), Some("acme.example"));
    let server = tls.server.as_ref().expect("it is verified");
    assert_eq!(server.names, ["acme.example"]);
    assert!(matches!(&of("acme").discovery, Discovery::Dns { port: 443, .. }));
    assert!(of("near").tls.is_none());
    assert!(matches!(of("near").discovery, Discovery::Static(address) if address.port() == 8000));
}
