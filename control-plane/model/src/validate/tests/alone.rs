//! Rules of one spec by itself.

use super::*;

fn found(kind: Kind, value: Value) -> Vec<String> {
    spec(kind, &value).iter().map(ToString::to_string).collect()
}

fn http(wanted: Value) -> Vec<String> {
    let action = json!({"weightedTargets": [{"virtualNode": "n", "weight": 1}]});
    found(Kind::Route, json!({"httpRoute": {"match": wanted, "action": action}}))
}

fn gateway(wanted: Value, rewrite: Value) -> Vec<String> {
    let mut action = json!({"target": {"virtualService": {"virtualServiceName": "s"}}});
    if !rewrite.is_null() {
        action["rewrite"] = rewrite;
    }
    found(
        Kind::GatewayRoute,
        json!({"httpRoute": {"match": wanted, "action": action}}),
    )
}

#[test]
fn wants_exactly_one_type_of_route() {
    assert_eq!(
        found(Kind::Route, json!({"priority": 1})),
        ["spec: must have exactly one of grpcRoute, http2Route, httpRoute, tcpRoute, has none"]
    );
    let mut two = route("httpRoute", None, &[("n", None)]);
    two["tcpRoute"] = route("tcpRoute", None, &[("n", None)])["tcpRoute"].clone();
    assert_eq!(
        found(Kind::Route, two),
        ["spec: must have exactly one of grpcRoute, http2Route, httpRoute, tcpRoute, has httpRoute and tcpRoute"]
    );
    assert_eq!(
        found(Kind::GatewayRoute, json!({})),
        ["spec: must have exactly one of grpcRoute, http2Route, httpRoute, has none"]
    );
    for member in ["grpcRoute", "http2Route", "httpRoute", "tcpRoute"] {
        assert_eq!(
            found(Kind::Route, route(member, None, &[("n", None)])),
            Vec::<String>::new()
        );
    }
}

#[test]
fn wants_a_weight_above_zero() {
    let mut zero = route("tcpRoute", None, &[("n", None), ("o", None)]);
    for target in zero["tcpRoute"]["action"]["weightedTargets"]
        .as_array_mut()
        .expect("targets")
    {
        target["weight"] = json!(0);
    }
    assert_eq!(
        found(Kind::Route, zero.clone()),
        ["spec.tcpRoute.action.weightedTargets: the sum of all weights must be at least 1, is 0"]
    );
    zero["tcpRoute"]["action"]["weightedTargets"][1]["weight"] = json!(100);
    assert_eq!(found(Kind::Route, zero), Vec::<String>::new());
}

#[test]
fn takes_matches_with_prefix_path_port_or_nothing() {
    for wanted in [
        json!({}),
        json!({"port": 80}),
        json!({"prefix": "/"}),
        json!({"path": {"exact": "/a"}}),
        json!({"path": {"regex": "/[a-z]+/\\d{1,3}"}}),
        json!({"path": {"regex": "\\Q/a+b\\E"}}),
        json!({"headers": [{"name": "x"}, {"name": "y", "invert": true, "match": {"range": {"start": -1, "end": 0}}}]}),
        json!({"queryParameters": [{"name": "q"}, {"name": "r", "match": {"exact": ""}}]}),
    ] {
        assert_eq!(http(wanted.clone()), Vec::<String>::new(), "{wanted}");
    }
}

#[test]
fn refuses_matches_that_contradict_themselves() {
    let at = "spec.httpRoute.match";
    for (wanted, text) in [
        (
            json!({"prefix": "/", "path": {"exact": "/"}}),
            ": both prefix and path are specified, only one is allowed".to_owned(),
        ),
        (
            json!({"prefix": "red"}),
            ".prefix: must start with '/', is \"red\"".to_owned(),
        ),
        (
            json!({"prefix": ""}),
            ".prefix: must start with '/', is \"\"".to_owned(),
        ),
        (
            json!({"path": {}}),
            ".path: either exact or regex must be specified".to_owned(),
        ),
        (
            json!({"path": {"exact": "/", "regex": "/"}}),
            ".path: both exact and regex are specified, only one is allowed".to_owned(),
        ),
        (
            json!({"path": {"regex": "("}}),
            ".path.regex: is not a regular expression: unclosed group".to_owned(),
        ),
        (
            json!({"headers": [{"name": "x"}, {"name": "y", "match": {"range": {"start": 3, "end": 3}}}]}),
            ".headers[1].match.range: end must be greater than start, is 3 with start 3".to_owned(),
        ),
        (
            json!({"headers": [{"name": "x", "match": {"regex": "["}}]}),
            ".headers[0].match.regex: is not a regular expression: unclosed character class".to_owned(),
        ),
        (
            json!({"queryParameters": [{"name": "q", "match": {}}]}),
            ".queryParameters[0].match: exact is missing, leave match away to ask only that the parameter is there"
                .to_owned(),
        ),
    ] {
        assert_eq!(http(wanted.clone()), [format!("{at}{text}")], "{wanted}");
    }
}

#[test]
fn knows_four_http_retry_events() {
    let mut retried = route("httpRoute", None, &[("n", None)]);
    retried["httpRoute"]["retryPolicy"] = json!({
        "maxRetries": 1,
        "perRetryTimeout": {"unit": "ms", "value": 100},
        "httpRetryEvents": ["server-error", "gateway-error", "client-error", "stream-error"]
    });
    assert_eq!(found(Kind::Route, retried.clone()), Vec::<String>::new());
    retried["httpRoute"]["retryPolicy"]["httpRetryEvents"][2] = json!("503");
    assert_eq!(
        found(Kind::Route, retried),
        [
            "spec.httpRoute.retryPolicy.httpRetryEvents[2]: must be one of client-error, gateway-error, server-error, \
          stream-error, is \"503\""
        ]
    );
}

#[test]
fn wants_a_grpc_service_with_its_method() {
    let mut grpc = route("grpcRoute", None, &[("n", None)]);
    grpc["grpcRoute"]["match"] = json!({"methodName": "Get"});
    assert_eq!(
        found(Kind::Route, grpc.clone()),
        ["spec.grpcRoute.match.serviceName: is required with methodName"]
    );
    grpc["grpcRoute"]["match"]["serviceName"] = json!("color.Color");
    assert_eq!(found(Kind::Route, grpc), Vec::<String>::new());
}

#[test]
fn wants_service_discovery_with_listeners() {
    assert_eq!(
        found(Kind::VirtualNode, listeners(&[(80, "http")])),
        ["spec.serviceDiscovery: must be specified when a listener is specified"]
    );
    assert_eq!(found(Kind::VirtualNode, json!({})), Vec::<String>::new());
    assert_eq!(
        found(Kind::VirtualNode, node(&[(80, "http"), (81, "tcp")])),
        Vec::<String>::new()
    );
}

#[test]
fn wants_pools_and_timeouts_of_the_listeners_protocol() {
    let mut mixed = node(&[(80, "http"), (81, "grpc")]);
    mixed["listeners"][1]["connectionPool"] = json!({"http2": {"maxRequests": 1}});
    mixed["listeners"][0]["timeout"] = json!({"tcp": {}});
    assert_eq!(
        found(Kind::VirtualNode, mixed),
        [
            "spec.listeners[0].timeout.tcp: must be http like the listener's protocol, is tcp",
            "spec.listeners[1].connectionPool.http2: must be grpc like the listener's protocol, is http2",
        ]
    );
    let mut gateway = listeners(&[(80, "http2")]);
    gateway["listeners"][0]["connectionPool"] = json!({"http": {"maxConnections": 1}});
    assert_eq!(
        found(Kind::VirtualGateway, gateway),
        ["spec.listeners[0].connectionPool.http: must be http2 like the listener's protocol, is http"]
    );
}

#[test]
fn wants_every_listener_on_a_port_of_its_own() {
    for (kind, spec) in [
        (Kind::VirtualNode, node(&[(80, "http"), (80, "tcp")])),
        (Kind::VirtualRouter, listeners(&[(80, "http"), (80, "tcp")])),
        (Kind::VirtualGateway, listeners(&[(80, "http"), (80, "grpc")])),
    ] {
        assert_eq!(
            found(kind, spec),
            ["spec.listeners[1].portMapping.port: 80 is the port of another listener already"],
            "{kind}"
        );
    }
}

#[test]
fn refuses_the_same_backend_twice() {
    let backend = json!({"virtualService": {"virtualServiceName": "s"}});
    assert_eq!(
        found(Kind::VirtualNode, json!({"backends": [backend, backend]})),
        ["spec.backends[1].virtualService.virtualServiceName: \"s\" is a backend already"]
    );
}

#[test]
fn takes_the_rewrites_that_app_mesh_knows() {
    for (wanted, rewrite) in [
        (json!({"prefix": "/"}), Value::Null),
        (json!({"port": 80}), Value::Null),
        (
            json!({"prefix": "/a"}),
            json!({"prefix": {"defaultPrefix": "DISABLED"}}),
        ),
        (json!({"prefix": "/a"}), json!({"prefix": {"value": "/b/"}})),
        (json!({"path": {"exact": "/a"}}), json!({"path": {"exact": "/b"}})),
        (
            json!({"hostname": {"suffix": ".com"}}),
            json!({"hostname": {"defaultTargetHostname": "DISABLED"}}),
        ),
    ] {
        assert_eq!(
            gateway(wanted.clone(), rewrite.clone()),
            Vec::<String>::new(),
            "{wanted} {rewrite}"
        );
    }
}

#[test]
fn refuses_gateway_routes_that_contradict_themselves() {
    let at = "spec.httpRoute";
    for (wanted, rewrite, text) in [
        (
            json!({"hostname": {}}),
            Value::Null,
            "match.hostname: either exact or suffix must be specified",
        ),
        (
            json!({"hostname": {"exact": "a", "suffix": "b"}}),
            Value::Null,
            "match.hostname: both exact and suffix are specified, only one is allowed",
        ),
        (
            json!({"prefix": "/aws-appmesh/x"}),
            Value::Null,
            "match.prefix: is reserved, is \"/aws-appmesh/x\"",
        ),
        (
            json!({}),
            json!({}),
            "action.rewrite: either prefix, path or hostname must be specified",
        ),
        (
            json!({}),
            json!({"prefix": {"value": "/"}, "path": {"exact": "/"}}),
            "action.rewrite: both prefix and path are specified, only one is allowed",
        ),
        (
            json!({}),
            json!({"prefix": {"value": "/", "defaultPrefix": "ENABLED"}}),
            "action.rewrite.prefix: both defaultPrefix and value are specified, only one is allowed",
        ),
        (
            json!({}),
            json!({"prefix": {}}),
            "action.rewrite.prefix: either defaultPrefix or value must be specified",
        ),
        (
            json!({}),
            json!({"prefix": {"value": "/a"}}),
            "action.rewrite.prefix.value: must start and end with '/', is \"/a\"",
        ),
        (json!({}), json!({"path": {}}), "action.rewrite.path.exact: is required"),
        (
            json!({"path": {"exact": "/a"}}),
            json!({"prefix": {"value": "/"}}),
            "action.rewrite.prefix: needs a match on prefix, the match is on path",
        ),
    ] {
        assert_eq!(
            gateway(wanted.clone(), rewrite.clone()),
            [format!("{at}.{text}")],
            "{wanted} {rewrite}"
        );
    }
}

#[test]
fn wants_something_to_match_in_a_grpc_gateway_route() {
    let mut grpc = gateway_route("grpcRoute", None, "s", None);
    assert_eq!(found(Kind::GatewayRoute, grpc.clone()), Vec::<String>::new());
    grpc["grpcRoute"]["match"]["serviceName"] = json!("aws.appmesh.Service");
    assert_eq!(
        found(Kind::GatewayRoute, grpc.clone()),
        ["spec.grpcRoute.match.serviceName: is reserved, is \"aws.appmesh.Service\""]
    );
    grpc["grpcRoute"]["match"] = json!({});
    assert_eq!(
        found(Kind::GatewayRoute, grpc),
        ["spec.grpcRoute.match: either serviceName or hostname must be specified"]
    );
}

#[test]
fn tells_the_first_few_of_many_violations() {
    let listeners: Vec<_> = (0..30).map(|_| json!({})).collect();
    let violations = spec(Kind::VirtualRouter, &json!({ "listeners": listeners }));
    let message = Rejection::Invalid(violations).to_string();
    assert!(
        message.starts_with("spec.listeners[0].portMapping: is required; "),
        "{message}"
    );
    assert!(message.ends_with("; and 20 more"), "{message}");
}

#[test]
fn takes_names_that_arns_and_paths_can_carry() {
    for (kind, text) in [
        (Kind::Mesh, "my-mesh_1.x"),
        (Kind::VirtualNode, "a"),
        (Kind::VirtualNode, "n@1"),
        (Kind::VirtualService, "a/b c:80"),
    ] {
        assert_eq!(name(kind, "n", text), None, "{text}");
    }
    let long = "é".repeat(255);
    assert_eq!(name(Kind::Route, "n", &long), None);
    for (kind, text) in [
        (Kind::Mesh, ""),
        (Kind::Mesh, "m@123456789012"),
        (Kind::Mesh, "arn:aws:appmesh:us-east-1:123456789012:mesh/m"),
        (Kind::VirtualNode, "a/b"),
        (Kind::VirtualNode, "a b"),
        (Kind::VirtualNode, ".."),
        (Kind::VirtualService, "a\n"),
        (
            Kind::VirtualService,
            "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualService/s",
        ),
    ] {
        assert!(name(kind, "n", text).is_some(), "{text}");
    }
    assert!(name(Kind::Route, "n", &format!("{long}x")).is_some());
}
