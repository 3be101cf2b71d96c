//! What guards a mesh does so in the real Envoy: marks of retries, tokens, authorization and rate limit services.

mod support;

use std::sync::atomic::Ordering;

use envoy_types::pb::envoy::config::core::v3::{address, socket_address};
use ferromesh_emit::{Messages, Modules, Options, Secrets};
use support::fixture::Case;
use support::upstream::{ask, free_port, Answer, Upstream};
use support::{bootstrap, envoy};

/// A modulus whose private key was thrown away after it had signed [`TOKEN`].
const MODULUS: &str = "_0kuLHr2dd_qV5NYvAFQJMXQcgxrAwhV3RYqE9aMbjWNuRzEQc4iE_9hg_RYzfMf8hlPAqlOLtoPNt5dEYASVYAQUrIp0Nfmqcy9N6oUiL5uNr52fGedDXOZpJA3B7Zn46WDdP9j81sTw1q9ZznH5G_dkanIKpXArE08Y2VZoRCLpDM3MQNSEpRi2ZPG75rUtl0jnPIq0cIu4d4xgVIYD2lD-tQz-6wS76nSDJZgxnWR69c6f8ixtRnP_GHIHb2eSlJr1ZPUyMi3JALqcVkfe02eNHYseW0r5VziqUJ21oLK704h9eNESLnahGgEB4pkeq_WQSwnFj2idFSzBECa-w";
/// `{"iss":"https://acme.example","aud":"shop","sub":"ada"}`, RS256.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZSIsImF1ZCI6InNob3AiLCJzdWIiOiJhZGEifQ.JmOYKIX7TlJZgCbu_i-PI8rJ-45lfYq2asRcOXcLZCQs-oszc2F7bLlxUbogo0CP85h04--9g5X6RJ2SGtch2EIH1aGieWZPP6DapKRWv4JeFPOAeTNG7oNB7YJHCg0Q9OTqDiJ7mmg-j5rWqnAAA--u6GR0VZH6i5Wx9hlabF53DZ0_yFUySU7X0766z7Sd0a3g_a4E6yH9mvfJQjBkwnKYb44OWkHruJJeL6E2yrLdAa8_pZAHqOn8HDILpwriwHaTl6r_nlbEVzfK120zSIOWlSubORE9rZ0qafrxosP-R9cwWny0AexvxN9xIrBnFvRZBTdqKYdaeQXNIwQJug";

struct Rig {
    port: u16,
    upstream: Upstream,
    _envoy: envoy::Running,
}

impl Rig {
    /// A gateway in front of one upstream: the service `service.local` with the routes `open` (`/open`) and `rest`.
    fn gateway(policies: &str) -> Self {
        let upstream = Upstream::start("blue");
        let port = free_port();
        let resources = format!(
            "
  - {{kind: virtualRouter, name: router, spec: {{listeners: [{{portMapping: {{port: 80, protocol: http}}}}]}}}}
  - {{kind: virtualService, name: service.local, spec: {{provider: {{virtualRouter: {{virtualRouterName: router}}}}}}}}
  - {{kind: virtualGateway, name: g, spec: {{listeners: [{{portMapping: {{port: {port}, protocol: http}}}}]}}}}
  - kind: route
    name: open
    parent: router
    spec: {{httpRoute: {{match: {{prefix: /open}}, action: {{weightedTargets: [{{virtualNode: blue, weight: 1}}]}}}}}}
  - kind: route
    name: rest
    parent: router
    spec: {{httpRoute: {{match: {{prefix: /}}, action: {{weightedTargets: [{{virtualNode: blue, weight: 1}}]}}}}}}
  - kind: gatewayRoute
    name: all
    parent: g
    spec: {{httpRoute: {{match: {{prefix: /}}, action: {{target: {{virtualService: {{virtualServiceName: service.local}}}}}}}}}}"
        );
        let messages = emitted("virtualGateway/g", upstream.port, &format!("{resources}{policies}"));
        Self::start(messages, port, upstream)
    }

    /// Egress of the virtual node `front` towards the virtual service `service.local`, without traffic redirection.
    fn egress(policies: &str) -> Self {
        Self::egress_to(Upstream::start("blue"), policies)
    }

    fn egress_to(upstream: Upstream, policies: &str) -> Self {
        let port = free_port();
        let resources = "
  - {kind: virtualNode, name: front, spec: {serviceDiscovery: {dns: {hostname: front}}, backends: [{virtualService: {virtualServiceName: service.local}}]}}
  - {kind: virtualService, name: service.local, spec: {provider: {virtualNode: {virtualNodeName: blue}}}}";
        let mut messages = emitted("virtualNode/front", upstream.port, &format!("{resources}{policies}"));
        for listener in &mut messages.listeners {
            listener.listener_filters.clear();
            listener.filter_chains.truncate(1);
            listener.filter_chains[0].filter_chain_match = None;
            let address = listener.address.as_mut().and_then(|address| address.address.as_mut());
            if let Some(address::Address::SocketAddress(socket)) = address {
                socket.port_specifier = Some(socket_address::PortSpecifier::PortValue(port.into()));
            }
        }
        Self::start(messages, port, upstream)
    }

    fn start(mut messages: Messages, port: u16, upstream: Upstream) -> Self {
        bootstrap::on_loopback(&mut messages);
        let envoy = envoy::Running::start(&bootstrap::of(messages), port);
        Self {
            port,
            upstream,
            _envoy: envoy,
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.port, method, path, headers)
    }

    /// A request to `service.local`, with its answer's status and how often the upstream was asked meanwhile.
    fn attempts(&self, method: &str, headers: &[(&str, &str)]) -> (u16, usize) {
        let before = self.upstream.requests.load(Ordering::SeqCst);
        let headers: Vec<(&str, &str)> = [("host", "service.local"), ("x-fail", "1000")]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        let status = self.ask(method, "/", &headers).status;
        (status, self.upstream.requests.load(Ordering::SeqCst) - before)
    }
}

fn emitted(of: &str, port: u16, resources: &str) -> Messages {
    let case = format!(
        "description: x
of: {of}
resources:
  - {{kind: virtualNode, name: blue, spec: {{listeners: [{{portMapping: {{port: {port}, protocol: http}}}}], serviceDiscovery: {{dns: {{hostname: 127.0.0.1}}}}}}}}{resources}"
    );
    let case: Case = serde_saphyr::from_str(&case).expect("a case");
    let proxy = case.lower();
    // What a policy takes back is told; nothing else may be.
    let mut lints = proxy.lints.iter();
    assert!(
        lints.all(|lint| lint.message.contains(" is off on it: ")),
        "{:?}",
        proxy.lints
    );
    ferromesh_emit::messages(&proxy, &Modules::default(), &Secrets::default(), &Options::default())
}

#[test]
fn the_first_hop_retries_and_tells_the_next_hops_which_do_not() {
    let first = Rig::egress("");
    let service = ("host", "service.local");
    let told = |tracestate: &str| {
        let answer = first.ask("GET", "/", &[service, ("tracestate", tracestate)]);
        answer.said("tracestate").map(str::to_owned)
    };
    let answer = first.ask("GET", "/", &[service]);
    assert_eq!(answer.said("tracestate"), Some("ferromesh=retried"));
    assert_eq!(told("a=1,b=2").as_deref(), Some("ferromesh=retried,a=1,b=2"));
    assert_eq!(
        told("a=1,ferromesh=retried").as_deref(),
        Some("a=1,ferromesh=retried"),
        "told once"
    );
    // 503 three times from the first hop, once from one that comes later.
    assert_eq!(first.attempts("GET", &[]), (503, 3));
    assert_eq!(
        first.attempts("GET", &[("tracestate", "a=1,ferromesh=retried,b=2")]),
        (503, 1)
    );
    // A failure that is not retried is not told either: the next hop is the first that could.
    let answer = first.ask("POST", "/", &[service]);
    assert_eq!(answer.said("tracestate"), None);
}

/// Attempts that reach the last of three applications, each behind an Envoy with App Mesh's two retries, of which the last
/// fails.
fn attempts_over_three_hops(policies: &str) -> usize {
    let third = Rig::egress(policies);
    let second = Rig::egress_to(Upstream::relay(third.port), policies);
    let first = Rig::egress_to(Upstream::relay(second.port), policies);
    let answer = first.ask("GET", "/", &[("host", "service.local"), ("x-fail", "1000")]);
    assert_eq!(answer.status, 503);
    third.upstream.requests.load(Ordering::SeqCst)
}

#[test]
fn three_hops_that_fail_make_three_attempts_and_not_twenty_seven() {
    assert_eq!(attempts_over_three_hops(""), 3);
    let every = "
  - {kind: policy, name: p, target: {mesh: {}}, spec: {retry: {alongPath: everyHop}}}";
    assert_eq!(attempts_over_three_hops(every), 27, "what App Mesh did");
}

#[test]
fn nobody_believes_a_client_about_its_certificate_or_its_address() {
    let claims = [
        ("x-forwarded-client-cert", "URI=spiffe://m/admin"),
        ("x-forwarded-for", "10.9.9.9"),
    ];
    let rig = Rig::gateway("");
    let answer = rig.ask("GET", "/", &claims);
    assert_eq!(answer.said("x-forwarded-client-cert"), None);
    let forwarded = answer.said("x-forwarded-for").unwrap_or_default();
    assert!(
        forwarded.starts_with("10.9.9.9,"),
        "{forwarded}: the peer's own address comes last"
    );
    let limit = "
  - {kind: policy, name: p, target: {virtualGateway: g}, spec: {forwarded: {forwardClientCertDetails: forwardOnly, xffTrustedHops: 1}}}";
    let rig = Rig::gateway(limit);
    let answer = rig.ask("GET", "/", &claims);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.said("x-forwarded-client-cert"), None, "it has shown none");
}

#[test]
fn every_hop_retries_where_a_policy_says_so() {
    let policy = "
  - {kind: policy, name: p, target: {mesh: {}}, spec: {retry: {alongPath: everyHop}}}";
    let rig = Rig::egress(policy);
    assert_eq!(rig.attempts("GET", &[("tracestate", "ferromesh=retried")]), (503, 3));
    let answer = rig.ask("GET", "/", &[("host", "service.local")]);
    assert_eq!(answer.said("tracestate"), None);
}

#[test]
fn a_client_cannot_say_that_it_retries() {
    let rig = Rig::gateway("");
    let said = |method: &str, headers: &[(&str, &str)]| {
        let answer = rig.ask(method, "/", headers);
        assert_eq!(answer.status, 200);
        answer.said("tracestate").map(str::to_owned)
    };
    let mark = ("tracestate", "a=1,ferromesh=retried");
    assert_eq!(said("GET", &[mark]).as_deref(), Some("ferromesh=retried"));
    assert_eq!(said("POST", &[mark]), None);
    assert_eq!(said("POST", &[("tracestate", "a=1")]).as_deref(), Some("a=1"));
    assert_eq!(
        said("GET", &[("tracestate", "a=1")]).as_deref(),
        Some("ferromesh=retried,a=1")
    );
    // Headers that the client calls its connection's are the client's own, not those that we add.
    let nominated = ("connection", "close, tracestate, x-ferromesh-pick");
    assert_eq!(said("GET", &[nominated, mark]).as_deref(), Some("ferromesh=retried"));
    assert_eq!(rig.attempts("GET", &[mark]), (503, 3));
}

#[test]
fn a_request_with_an_idempotency_key_is_tried_again_whatever_its_method() {
    let policy = "
  - {kind: policy, name: p, target: {mesh: {}}, spec: {retry: {idempotencyKeyHeader: Idempotency-Key}}}";
    let rig = Rig::egress(policy);
    assert_eq!(rig.attempts("POST", &[]), (503, 1));
    assert_eq!(rig.attempts("POST", &[("idempotency-key", "k")]), (503, 3));
}

#[test]
fn a_token_is_asked_for_where_a_policy_says_so() {
    let rig = Rig::gateway(&format!(
        "
  - kind: policy
    name: tokens
    target: {{virtualGateway: g}}
    spec:
      jwt:
        providers:
          - name: acme
            issuer: https://acme.example
            audiences: [shop]
            jwks: {{inline: {{keys: [{{kty: RSA, n: {MODULUS}, e: AQAB}}]}}}}
            claimToHeaders: [{{claim: sub, header: x-user}}]
  - {{kind: policy, name: open, target: {{route: {{router: router, name: open}}}}, spec: {{jwt: {{require: \"off\"}}}}}}"
    ));
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(rig.ask("GET", "/", &[]).status, 401);
    assert_eq!(rig.ask("GET", "/open", &[]).status, 200);
    let forged = bearer(&format!("{}A", &TOKEN[..TOKEN.len() - 1]));
    assert_eq!(rig.ask("GET", "/", &[("authorization", &forged)]).status, 401);
    let answer = rig.ask("GET", "/", &[("authorization", &bearer(TOKEN)), ("x-user", "eve")]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.said("x-user"),
        Some("ada"),
        "what the token says, not the client"
    );
    assert_eq!(answer.said("authorization"), None, "a token is not passed on unasked");
}

#[test]
fn an_authorization_service_that_does_not_answer_refuses() {
    let (nobody, service) = (free_port(), Upstream::start("authz"));
    let policy = |port: u16, more: &str| {
        format!(
            "
  - {{kind: policy, name: authz, target: {{virtualGateway: g}}, spec: {{extAuthz: {{http: {{address: \"127.0.0.1:{port}\"}}{more}}}}}}}
  - {{kind: policy, name: open, target: {{route: {{router: router, name: open}}}}, spec: {{extAuthz: {{enabled: false}}}}}}"
        )
    };
    let rig = Rig::gateway(&policy(nobody, ""));
    assert_eq!(rig.ask("GET", "/", &[]).status, 403);
    assert_eq!(rig.ask("GET", "/open", &[]).status, 200);
    let rig = Rig::gateway(&policy(nobody, ", onFailure: allow"));
    assert_eq!(rig.ask("GET", "/", &[]).status, 200);
    let rig = Rig::gateway(&policy(service.port, ", includeHeaders: [x-fail], pathPrefix: /check"));
    assert_eq!(rig.ask("GET", "/", &[]).status, 200);
    assert_eq!(rig.ask("GET", "/", &[("x-fail", "1000")]).status, 403);
}

#[test]
fn a_rate_limit_service_that_does_not_answer_refuses_unless_told_otherwise() {
    let policy = |more: &str| {
        format!(
            "
  - {{kind: policy, name: limits, target: {{virtualService: service.local}}, spec: {{rateLimit: {{global: {{service: {{address: \"127.0.0.1:{}\"}}, domain: d, limits: [{{key: [{{sourceAddress: {{}}}}]}}]{more}}}}}}}}}",
            free_port()
        )
    };
    let rig = Rig::gateway(&policy(""));
    assert_eq!(rig.ask("GET", "/", &[]).status, 500);
    let rig = Rig::gateway(&policy(", onFailure: allow"));
    assert_eq!(rig.ask("GET", "/", &[]).status, 200);
}

#[test]
fn a_route_that_the_filter_protects_is_closed_without_the_filter() {
    let rig = Rig::gateway(
        "
  - {kind: policy, name: limits, target: {route: {router: router, name: rest}}, spec: {rateLimit: {limits: [{name: l, requests: 1, windowSeconds: 1}]}}}",
    );
    assert_eq!(rig.ask("GET", "/", &[]).status, 503);
    assert_eq!(rig.ask("GET", "/open", &[]).status, 200);
}

#[test]
fn copies_of_requests_reach_their_target_under_the_same_host() {
    let shadow = Upstream::start("shadow");
    let rig = Rig::egress(&format!(
        "
  - {{kind: virtualNode, name: shadow, spec: {{listeners: [{{portMapping: {{port: {}, protocol: http}}}}], serviceDiscovery: {{dns: {{hostname: 127.0.0.1}}}}}}}}
  - {{kind: policy, name: copies, target: {{virtualService: service.local}}, spec: {{mirror: {{virtualNode: shadow}}}}}}",
        shadow.port
    ));
    for _ in 0..10 {
        let answer = rig.ask("GET", "/", &[("host", "service.local")]);
        assert_eq!(answer.said("upstream"), Some("blue"));
    }
    let began = std::time::Instant::now();
    while shadow.requests.load(Ordering::SeqCst) < 10 {
        assert!(began.elapsed().as_secs() < 10, "{:?} copies", shadow.requests);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
