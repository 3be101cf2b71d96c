//! Envoy does with what is emitted what the simulator says, and nothing that a client asks for behind its back.

mod support;

use std::sync::atomic::Ordering;

use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource};
use envoy_types::pb::envoy::config::listener::v3::filter;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_filter, HttpConnectionManager, HttpFilter,
};
use envoy_types::util::pack_any;
use ferromesh_emit::{Messages, Modules, Options, Secrets};
use ferromesh_ir::route::Action;
use ferromesh_ir::simulate::{self, Request};
use ferromesh_ir::Proxy;
use prost::Message;
use support::fixture::Case;
use support::upstream::{ask, free_port, Answer, Upstream};
use support::{bootstrap, envoy};

/// A gateway in front of two upstreams.
struct Rig {
    proxy: Proxy,
    port: u16,
    blue: Upstream,
    _green: Upstream,
    _envoy: envoy::Running,
}

impl Rig {
    fn start(routes: &str, change: impl Fn(&mut Messages)) -> Self {
        Self::with(routes, &Modules::default(), change)
    }

    fn with(routes: &str, modules: &Modules, change: impl Fn(&mut Messages)) -> Self {
        let (blue, green) = (Upstream::start("blue"), Upstream::start("green"));
        let port = free_port();
        let case = format!(
            "description: x
of: virtualGateway/g
resources:
  - {{kind: virtualNode, name: blue, spec: {{listeners: [{{portMapping: {{port: {blue}, protocol: http}}}}], serviceDiscovery: {{dns: {{hostname: 127.0.0.1}}}}}}}}
  - {{kind: virtualNode, name: green, spec: {{listeners: [{{portMapping: {{port: {green}, protocol: http}}}}], serviceDiscovery: {{dns: {{hostname: 127.0.0.1}}}}}}}}
  - {{kind: virtualRouter, name: router, spec: {{listeners: [{{portMapping: {{port: 80, protocol: http}}}}]}}}}
  - {{kind: virtualService, name: service.local, spec: {{provider: {{virtualRouter: {{virtualRouterName: router}}}}}}}}
  - {{kind: virtualGateway, name: g, spec: {{listeners: [{{portMapping: {{port: {port}, protocol: http}}}}]}}}}
{routes}",
            blue = blue.port,
            green = green.port,
        );
        let case: Case = serde_saphyr::from_str(&case).expect("a case");
        let proxy = case.lower();
        assert_eq!(proxy.lints, []);
        let mut messages = ferromesh_emit::messages(&proxy, modules, &Secrets::default(), &Options::default());
        change(&mut messages);
        bootstrap::on_loopback(&mut messages);
        let running = envoy::Running::start(&bootstrap::of(messages), port);
        Self {
            proxy,
            port,
            blue,
            _green: green,
            _envoy: running,
        }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.port, "GET", path, headers)
    }
}

const REWRITES: &str = r#"
  - kind: route
    name: exact
    parent: router
    spec: {httpRoute: {match: {path: {exact: /tell}}, action: {weightedTargets: [{virtualNode: blue, weight: 1}]}}}
  - kind: route
    name: api
    parent: router
    spec: {httpRoute: {match: {prefix: /api, headers: [{name: x-v, match: {range: {start: 1, end: 3}}}]}, action: {weightedTargets: [{virtualNode: green, weight: 1}]}}}
  - kind: route
    name: negated
    parent: router
    spec: {httpRoute: {match: {prefix: /api, headers: [{name: x-v, invert: true, match: {exact: "7"}}]}, action: {weightedTargets: [{virtualNode: blue, weight: 1}]}}}
  - kind: route
    name: query
    parent: router
    spec: {httpRoute: {match: {prefix: /q, queryParameters: [{name: a, match: {exact: x%20y}}, {name: b}]}, action: {weightedTargets: [{virtualNode: blue, weight: 1}]}}}
  - kind: route
    name: regex
    parent: router
    spec: {httpRoute: {match: {path: {regex: "/v[0-9]+/.*"}}, action: {weightedTargets: [{virtualNode: green, weight: 1}]}}}
  - kind: gatewayRoute
    name: default
    parent: g
    spec: {httpRoute: {match: {prefix: /red}, action: {target: {virtualService: {virtualServiceName: service.local}}}}}
  - kind: gatewayRoute
    name: value
    parent: g
    spec: {httpRoute: {match: {prefix: /old/}, action: {target: {virtualService: {virtualServiceName: service.local}}, rewrite: {prefix: {value: /api/v1/}}}}}
  - kind: gatewayRoute
    name: whole
    parent: g
    spec: {httpRoute: {match: {path: {regex: "/what.*"}}, action: {target: {virtualService: {virtualServiceName: service.local}}, rewrite: {path: {exact: /tell}}}}}
  - kind: gatewayRoute
    name: kept
    parent: g
    spec: {httpRoute: {match: {prefix: /v1, hostname: {suffix: .example.org}}, action: {target: {virtualService: {virtualServiceName: service.local}}, rewrite: {prefix: {defaultPrefix: DISABLED}, hostname: {defaultTargetHostname: DISABLED}}}}}
  - kind: gatewayRoute
    name: both-regex
    parent: g
    spec: {httpRoute: {match: {path: {regex: "/v.*/[ab]*"}, hostname: {exact: Regex.example.org}}, action: {target: {virtualService: {virtualServiceName: service.local}}}}}
"#;

#[test]
fn envoy_does_what_the_simulator_says() {
    let rig = Rig::start(REWRITES, |_| {});
    let paths = [
        "/",
        "/red",
        "/red/",
        "/red/tell",
        "/red/tell?a=/red",
        "/redtell",
        "/red/tell/",
        "/red/api",
        "/red/apis/x",
        "/redd",
        "/red/v12/x?y",
        "/redv1/",
        "/red/v/",
        "/red/q?b&a=x%20y",
        "/red/q?a=x+y&b",
        "/red/q?a=x%20y",
        "/old",
        "/old/",
        "/old/x",
        "/what",
        "/what/ever?x=1",
        "/v1",
        "/v1/",
        "/v1/a?b",
        "/v12/ab",
        "/v1/c",
        "/v1?/a",
        "/v/a",
        "/red//tell",
        "/red/./tell",
        "/red/../red/tell",
        "/%72ed/tell",
    ];
    let hosts = [
        "gateway.example.com:8080",
        "a.example.org",
        "REGEX.example.org:1",
        ".example.org",
        "regex.example.org",
    ];
    let mut forwarded = 0;
    for path in paths {
        for host in hosts {
            for version in ["", "2", "3", "7", "x"] {
                let mut headers = vec![("host", host)];
                if !version.is_empty() {
                    headers.push(("x-v", version));
                }
                let answer = rig.get(path, &headers);
                let expected = simulated(&rig.proxy, host, path, version);
                let got = if answer.status == 200 {
                    forwarded += 1;
                    let request = answer.said("request").unwrap_or_default().to_owned();
                    Some((
                        answer.said("upstream").unwrap_or_default().to_owned(),
                        request,
                        answer.said("host").unwrap_or_default().to_owned(),
                    ))
                } else {
                    assert_eq!(answer.status, 404, "{path} {host} {version}");
                    None
                };
                assert_eq!(got, expected, "{path} {host} {version}");
            }
        }
    }
    assert!(forwarded > 50, "{forwarded} requests reached an upstream");
}

/// Upstream, request line and host.
fn simulated(proxy: &Proxy, host: &str, path: &str, version: &str) -> Option<(String, String, String)> {
    // What the connection manager does before it routes.
    let path = path
        .replace("/%72ed", "/red")
        .replace("/../red", "")
        .replace("/./", "/")
        .replace("//", "/");
    let mut request = Request::get(host, &path);
    if !version.is_empty() {
        request.headers.push(("x-v".into(), version.into()));
    }
    let host = simulate::virtual_host(&proxy.route_tables[0], &request.host)?;
    let (_, route) = simulate::route(&host.routes, &request)?;
    let Action::Forward(forward) = &route.action else {
        return None;
    };
    let ferromesh_ir::cluster::ClusterId::Node { node, .. } = &forward.targets[0].cluster else {
        panic!("{forward:?}");
    };
    let path = simulate::rewritten_path(&request.path, &route.matcher.path, forward.path.as_ref());
    let host = forward.host.clone().unwrap_or(request.host);
    Some((node.clone(), format!("GET {path} HTTP/1.1"), host))
}

const CANARY: &str = r#"
  - kind: route
    name: canary
    parent: router
    spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: blue, weight: 1}, {virtualNode: green, weight: 1}]}}}
  - kind: gatewayRoute
    name: all
    parent: g
    spec: {httpRoute: {match: {prefix: /}, action: {target: {virtualService: {virtualServiceName: service.local}}}}}
"#;

#[test]
fn a_client_cannot_steer_the_mesh() {
    let rig = Rig::start(CANARY, |_| {});
    let mut upstreams = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = rig.get(
            "/",
            &[
                ("x-ferromesh-pick", "0"),
                ("X-Ferromesh-Target", "green"),
                ("x-envoy-max-retries", "7"),
                ("x-envoy-original-path", "/x"),
                ("x-forwarded-for", "10.0.0.9"),
                ("x-request-id", "mine"),
            ],
        );
        assert_eq!(answer.status, 200);
        upstreams.insert(answer.said("upstream").expect("an upstream").to_owned());
        for header in [
            "x-ferromesh-pick",
            "x-ferromesh-target",
            "x-envoy-max-retries",
            "x-envoy-original-path",
        ] {
            assert_eq!(answer.said(header), None, "{header} reached the application");
        }
        // For a client on the same machine Envoy appends its own address.
        let forwarded_for = answer.said("x-forwarded-for").unwrap_or_default();
        assert!(forwarded_for.starts_with("10.0.0.9,"), "{forwarded_for}");
        assert_eq!(answer.said("x-request-id"), Some("mine"));
        assert_eq!(
            answer.headers.get("x-ferromesh-target"),
            None,
            "an upstream spoke for the mesh"
        );
    }
    assert_eq!(upstreams.len(), 2, "the client's own number chose the target");
    assert_eq!(rig.get("/", &[("x_ferromesh_pick", "0")]).status, 400);
}

#[test]
fn a_filters_number_chooses_the_target_and_stays_in_the_mesh() {
    for (number, name) in [("0", "blue"), ("1", "green")] {
        let rig = Rig::start(CANARY, |messages| with_lua(messages, number));
        for _ in 0..10 {
            let answer = rig.get("/", &[]);
            assert_eq!(answer.said("upstream"), Some(name));
            assert_eq!(answer.said("x-ferromesh-pick"), None);
        }
    }
}

#[test]
fn the_real_filter_reads_its_policy_from_the_route() {
    let Some(modules) = support::real_module() else { return };
    let policies = r#"
  - kind: policy
    name: testers
    target: {virtualService: service.local}
    spec: {canary: {override: {header: x-canary}}, observability: {responseHeaders: true}}
"#;
    let rig = Rig::with(&format!("{CANARY}{policies}"), &modules, |_| {});
    for name in ["blue", "green"] {
        for _ in 0..10 {
            let answer = rig.get("/", &[("x-canary", name), ("x-ferromesh-pick", "0")]);
            assert_eq!(answer.said("upstream"), Some(name));
            assert_eq!(answer.said("x-ferromesh-pick"), None);
            assert!(answer.said("traceparent").is_some());
            assert_eq!(answer.headers.get("x-ferromesh-target").map(String::as_str), Some(name));
        }
    }
}

/// Puts a filter that writes a number where ours stands.
fn with_lua(messages: &mut Messages, number: &str) {
    let code = format!("function envoy_on_request(handle) handle:headers():add('x-ferromesh-pick', '{number}') end");
    let lua = HttpFilter {
        name: "envoy.filters.http.lua".into(),
        config_type: Some(http_filter::ConfigType::TypedConfig(pack_any(Lua {
            default_source_code: Some(DataSource {
                specifier: Some(data_source::Specifier::InlineString(code)),
                ..DataSource::default()
            }),
            ..Lua::default()
        }))),
        ..HttpFilter::default()
    };
    let filters = messages
        .listeners
        .iter_mut()
        .flat_map(|listener| &mut listener.filter_chains);
    for filter in filters.flat_map(|chain| &mut chain.filters) {
        if let Some(filter::ConfigType::TypedConfig(any)) = &mut filter.config_type {
            let mut manager = HttpConnectionManager::decode(any.value.as_slice()).expect("a connection manager");
            manager.http_filters.insert(0, lua.clone());
            *any = pack_any(manager);
        }
    }
}

const ONE_TARGET: &str = r#"
  - kind: route
    name: all
    parent: router
    spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: blue, weight: 1}]}}}
  - kind: gatewayRoute
    name: all
    parent: g
    spec: {httpRoute: {match: {prefix: /}, action: {target: {virtualService: {virtualServiceName: service.local}}}}}
"#;

#[test]
fn what_may_have_been_processed_is_tried_again_only_if_idempotent() {
    for (method, status, attempts) in [("GET", 200, 3), ("PUT", 200, 3), ("POST", 503, 1), ("PATCH", 503, 1)] {
        let rig = Rig::start(ONE_TARGET, |_| {});
        let answer = ask(rig.port, method, "/", &[("x-fail", "2")]);
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(rig.blue.requests.load(Ordering::SeqCst), attempts, "{method}");
    }
}
