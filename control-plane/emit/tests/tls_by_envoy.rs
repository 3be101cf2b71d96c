//! Envoy speaks TLS as the mesh says, to its clients and to its upstreams.

mod support;

use std::io::ErrorKind;
use std::net::TcpStream;

use ferromesh_emit::{Modules, Options};
use rustls::{ClientConfig, ServerConfig};
use support::fixture::Case;
use support::pki::{self, ours, theirs, Authority};
use support::upstream::{ask, exchange, free_port, Answer, Upstream};
use support::{bootstrap, envoy};

const ISSUED: &str = "acm: {certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/c'}";
const FROM_FILES: &str = "file: {certificateChain: chain.pem, privateKey: key.pem}";

/// A gateway named `front`, in front of one node.
struct Rig {
    port: u16,
    lints: Vec<String>,
    _envoy: envoy::Running,
}

/// What the gateway's listener, its client policy and the node's listener say of TLS.
#[derive(Clone, Copy, Default)]
struct Tls<'a> {
    gateway: &'a str,
    policy: &'a str,
    node: &'a str,
}

impl Rig {
    fn start(upstream: &Upstream, host: &str, tls: Tls<'_>) -> Self {
        let port = free_port();
        let member = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!(", {name}: {value}"),
        };
        let case = format!(
            "description: x
of: virtualGateway/front
resources:
  - kind: virtualNode
    name: app
    spec:
      listeners: [{{portMapping: {{port: {upstream_port}, protocol: http}}{node}}}]
      serviceDiscovery: {{dns: {{hostname: {host}, ipPreference: IPv4_ONLY}}}}
  - {{kind: virtualService, name: app.local, spec: {{provider: {{virtualNode: {{virtualNodeName: app}}}}}}}}
  - kind: virtualGateway
    name: front
    spec: {{listeners: [{{portMapping: {{port: {port}, protocol: http}}{gateway}}}]{policy}}}
  - kind: gatewayRoute
    name: all
    parent: front
    spec: {{httpRoute: {{match: {{prefix: /}}, action: {{target: {{virtualService: {{virtualServiceName: app.local}}}}}}}}}}
",
            upstream_port = upstream.port,
            node = member("tls", tls.node),
            gateway = member("tls", tls.gateway),
            policy = match tls.policy {
                "" => String::new(),
                policy => format!(", backendDefaults: {{clientPolicy: {{tls: {policy}}}}}"),
            },
        );
        let case: Case = serde_saphyr::from_str(&case).expect("a case");
        let proxy = case.lower();
        let secrets = pki::secrets(&proxy);
        let mut messages = ferromesh_emit::messages(&proxy, &Modules::default(), &secrets, &Options::default());
        bootstrap::on_loopback(&mut messages);
        Self {
            port,
            lints: proxy.lints.iter().map(ToString::to_string).collect(),
            _envoy: envoy::Running::start(&bootstrap::of(messages), port),
        }
    }

    /// One whose listener says this of TLS, and nobody else anything.
    fn with_gateway(upstream: &Upstream, gateway: &str) -> Self {
        let tls = Tls {
            gateway,
            ..Tls::default()
        };
        Self::start(upstream, "127.0.0.1", tls)
    }

    fn get(&self, name: &str, config: ClientConfig) -> std::io::Result<Answer> {
        exchange(pki::connect(self.port, name, config)?, "GET", "/", &[])
    }

    fn get_plain(&self) -> std::io::Result<Answer> {
        exchange(TcpStream::connect(("127.0.0.1", self.port))?, "GET", "/", &[])
    }

    /// Status, and the upstream's line on the client's certificate.
    fn outcome(&self) -> (u16, Option<String>) {
        let answer = ask(self.port, "GET", "/", &[]);
        (answer.status, answer.said("client").map(str::to_owned))
    }
}

fn http1(authority: &Authority) -> ClientConfig {
    authority.client(None, &["http/1.1"])
}

#[test]
fn a_strict_listener_takes_tls_with_the_issued_certificate_and_no_plain_text() {
    let app = Upstream::start("app");
    let gateway = &format!("{{mode: STRICT, certificate: {{{ISSUED}}}}}");
    let rig = Rig::with_gateway(&app, gateway);
    // The certificate is for the gateway's name.
    assert_eq!(rig.get("front", http1(ours())).unwrap().status, 200);
    let error = rig.get("other", http1(ours())).unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    let error = rig.get("front", http1(theirs())).unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let error = rig.get_plain().unwrap_err();
    let closed = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
    assert!(closed, "{error}");
}

#[test]
fn an_http_listener_agrees_on_http2_with_those_who_can() {
    let app = Upstream::start("app");
    let gateway = &format!("{{mode: STRICT, certificate: {{{ISSUED}}}}}");
    let rig = Rig::with_gateway(&app, gateway);
    for (offered, agreed) in [(&["http/1.1", "h2"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = pki::connect(rig.port, "front", ours().client(None, offered)).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(agreed.as_bytes()));
    }
}

#[test]
fn a_permissive_listener_takes_both() {
    let app = Upstream::start("app");
    let gateway = &format!("{{mode: PERMISSIVE, certificate: {{{ISSUED}}}}}");
    let rig = Rig::with_gateway(&app, gateway);
    assert_eq!(rig.get("front", http1(ours())).unwrap().status, 200);
    assert_eq!(rig.get_plain().unwrap().status, 200);
}

#[test]
fn a_listener_that_checks_clients_takes_those_with_the_right_issuer_and_name_only() {
    let app = Upstream::start("app");
    let gateway = &format!(
        "{{mode: STRICT, certificate: {{{FROM_FILES}}}, validation: {{trust: {{file: {{certificateChain: ca.pem}}}}, \
         subjectAlternativeNames: {{match: {{exact: [client.local]}}}}}}}}"
    );
    let rig = Rig::with_gateway(&app, gateway);
    let as_client = |identity| rig.get("localhost", ours().client(identity, &["http/1.1"]));
    let allowed = as_client(Some(ours().issue(&["client.local"])));
    assert_eq!(allowed.unwrap().status, 200);
    assert!(as_client(None).is_err());
    assert!(as_client(Some(ours().issue(&["other.local"]))).is_err());
    assert!(as_client(Some(theirs().issue(&["client.local"]))).is_err());
}

fn towards(config: ServerConfig, host: &str, tls: Tls<'_>) -> (u16, Option<String>) {
    let app = Upstream::start_tls("app", config);
    Rig::start(&app, host, tls).outcome()
}

const NO_CERTIFICATE: Option<&str> = Some("no certificate");

fn is(outcome: &(u16, Option<String>), status: u16, client: Option<&str>) {
    assert_eq!((outcome.0, outcome.1.as_deref()), (status, client));
}

#[test]
fn without_a_client_policy_issued_certificates_are_checked_and_others_are_not() {
    let issued = &format!("{{mode: STRICT, certificate: {{{ISSUED}}}}}");
    let node = |node| Tls { node, ..Tls::default() };
    // The issuer is checked, the name is not.
    is(
        &towards(ours().server(&["x"]), "LocalHost", node(issued)),
        200,
        NO_CERTIFICATE,
    );
    is(
        &towards(theirs().server(&["localhost"]), "localhost", node(issued)),
        503,
        None,
    );
    let permissive = &format!("{{mode: PERMISSIVE, certificate: {{{FROM_FILES}}}}}");
    is(
        &towards(theirs().server(&["x"]), "localhost", node(permissive)),
        200,
        NO_CERTIFICATE,
    );
}

#[test]
fn a_client_policy_checks_issuer_and_name_and_shows_a_certificate() {
    let policy = |more: &str| format!("{{validation: {{trust: {{file: {{certificateChain: ca.pem}}}}{more}}}}}");
    let node = &format!("{{mode: STRICT, certificate: {{{FROM_FILES}}}}}");
    let by = |config, host: &str, policy: &str| {
        let tls = Tls {
            policy,
            node,
            ..Tls::default()
        };
        towards(config, host, tls)
    };
    let plain = policy("");
    // By default the name is that of service discovery: a host in any case, or an address.
    is(
        &by(ours().server(&["localhost"]), "LocalHost", &plain),
        200,
        NO_CERTIFICATE,
    );
    is(
        &by(ours().server(&["127.0.0.1"]), "127.0.0.1", &plain),
        200,
        NO_CERTIFICATE,
    );
    is(&by(ours().server(&["other"]), "localhost", &plain), 503, None);
    is(&by(theirs().server(&["localhost"]), "localhost", &plain), 503, None);
    let named = policy(", subjectAlternativeNames: {match: {exact: [a.example.com, b.example.com]}}");
    is(
        &by(ours().server(&["b.example.com"]), "localhost", &named),
        200,
        NO_CERTIFICATE,
    );
    is(&by(ours().server(&["localhost"]), "localhost", &named), 503, None);
    let authority = "{validation: {trust: {acm: {certificateAuthorityArns: ['arn:aws:acm-pca:x:1:y/z']}}}}";
    is(
        &by(ours().server(&["localhost"]), "localhost", authority),
        200,
        NO_CERTIFICATE,
    );
    is(&by(ours().server(&["other"]), "localhost", authority), 503, None);
    let mutual = plain.replacen('{', &format!("{{certificate: {{{FROM_FILES}}}, "), 1);
    is(
        &by(ours().server(&["localhost"]), "localhost", &mutual),
        200,
        Some("a certificate"),
    );
}

#[test]
fn upstreams_are_asked_for_by_their_host_name() {
    let app = Upstream::start_tls("app", ours().server(&["localhost"]));
    let node = &format!("{{mode: STRICT, certificate: {{{FROM_FILES}}}}}");
    let rig = Rig::start(&app, "localhost", Tls { node, ..Tls::default() });
    let answer = ask(rig.port, "GET", "/", &[]);
    assert_eq!(answer.said("server name"), Some("localhost"));
}

#[test]
fn a_policy_is_enforced_where_the_listener_is_plain_unless_it_says_otherwise() {
    let policy = |more: &str| format!("{{{more}validation: {{trust: {{file: {{certificateChain: ca.pem}}}}}}}}");
    for (more, status) in [
        ("", 503),
        ("enforce: true, ", 503),
        ("enforce: false, ", 200),
        ("ports: [1], ", 200),
    ] {
        let app = Upstream::start("app");
        let tls = Tls {
            policy: &policy(more),
            ..Tls::default()
        };
        let rig = Rig::start(&app, "localhost", tls);
        assert_eq!(rig.outcome().0, status, "{more}");
        let warned = rig.lints.iter().any(|lint| lint.contains("calls to it must use TLS"));
        assert_eq!(warned, status == 503, "{:?}", rig.lints);
    }
}
