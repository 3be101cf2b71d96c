//! TLS: what listeners accept, and what their callers speak.

mod fixture;

use ferromesh_ir::cluster::{Cluster, ClusterId, Discovery};
use ferromesh_ir::options::UnsupportedTls;
use ferromesh_ir::tls::{Accepts, Certificate, Trust};
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use serde_json::{json, Value};

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";

fn by_arn(mode: &str) -> Value {
    json!({"mode": mode, "certificate": {"acm": {"certificateArn": ARN}}})
}

fn from_sds() -> Value {
    json!({"mode": "STRICT", "certificate": {"sds": {"secretName": "s"}}})
}

fn listener(port: u16, tls: Value) -> Value {
    json!({"portMapping": {"port": port, "protocol": "http"}, "tls": tls})
}

fn node(host: &str, listener: Value) -> Value {
    json!({"listeners": [listener], "serviceDiscovery": {"dns": {"hostname": host}}})
}

fn provided_by(node: &str) -> Value {
    json!({"provider": {"virtualNode": {"virtualNodeName": node}}})
}

fn trusting(file: &str) -> Value {
    json!({"tls": {"validation": {"trust": {"file": {"certificateChain": file}}}}})
}

fn towards_node(proxy: &Proxy) -> &Cluster {
    let mut clusters = proxy.clusters.iter();
    let found = clusters.find(|cluster| matches!(cluster.id, ClusterId::Node { .. }));
    found.expect("a cluster of a node")
}

#[test]
fn a_certificate_is_for_every_host_and_gateway_of_the_mesh_that_shows_it() {
    let mesh = fixture::mesh(json!([
        ["node", "n", node("N.local", listener(8080, by_arn("STRICT")))],
        ["node", "o", {"listeners": [listener(8080, by_arn("PERMISSIVE"))],
            "serviceDiscovery": {"awsCloudMap": {"namespaceName": "ns", "serviceName": "o"}}}],
        ["node", "off", node("off.local", listener(8080, by_arn("DISABLED")))],
        ["node", "plain", node("plain.local", json!({"portMapping": {"port": 1, "protocol": "http"}}))],
        ["gateway", "g", {"listeners": [listener(8443, by_arn("STRICT"))]}],
        ["gateway", "other", {"listeners": [listener(8443, json!({"mode": "STRICT", "certificate":
            {"acm": {"certificateArn": "arn:other"}}}))]}],
    ]));
    let proxy = fixture::node(&mesh);
    let issued = proxy.issued_certificates();
    let names: Vec<&str> = issued[ARN].iter().map(String::as_str).collect();
    assert_eq!(names, ["g", "n.local", "o.ns"]);
    assert_eq!(fixture::gateway(&mesh).issued_certificates(), issued);
}

#[test]
fn modes_are_strict_permissive_and_disabled() {
    let accepts = |mode: &str| {
        let mesh = fixture::mesh(json!([["node", "n", node("n", listener(8080, by_arn(mode)))]]));
        let proxy = fixture::node(&mesh);
        assert_eq!(proxy.lints.len(), usize::from(mode != "DISABLED"), "{:?}", proxy.lints);
        proxy.listeners[0].chains[0].accepts.clone()
    };
    assert!(matches!(accepts("STRICT"), Accepts::Tls(_)));
    assert!(matches!(accepts("PERMISSIVE"), Accepts::TlsOrPlaintext(_)));
    assert_eq!(accepts("DISABLED"), Accepts::AsItComes);
}

#[test]
fn what_needs_the_local_sds_server_stays_closed_unless_plaintext_is_asked_for() {
    let validated = json!({"mode": "STRICT", "certificate": {"file": {"certificateChain": "/c", "privateKey": "/k"}},
        "validation": {"trust": {"sds": {"secretName": "s"}}}});
    let plain = json!({"portMapping": {"port": 8082, "protocol": "http"}});
    let mesh = fixture::mesh(json!([["gateway", "g", {"listeners":
        [listener(8080, from_sds()), listener(8081, validated), plain]}]]));
    let ports = |options: &Options| {
        let proxy = lower::proxy(&mesh, ProxyKind::VirtualGateway, "g", options).unwrap();
        assert_eq!(proxy.lints.len(), 2, "{:?}", proxy.lints);
        proxy.listeners.iter().map(|listener| listener.port).collect::<Vec<_>>()
    };
    assert_eq!(ports(&Options::default()), [8082]);
    let plaintext = Options {
        tls: UnsupportedTls::Plaintext,
        ..Options::default()
    };
    assert_eq!(ports(&plaintext), [8080, 8081, 8082]);
}

#[test]
fn calls_that_need_the_local_sds_server_fail_closed() {
    let policies = [
        Value::Null,
        json!({"tls": {"validation": {"trust": {"sds": {"secretName": "s"}}}}}),
        json!({"tls": {"certificate": {"sds": {"secretName": "s"}},
            "validation": {"trust": {"file": {"certificateChain": "/ca"}}}}}),
    ];
    for policy in policies {
        let mut backend = json!({"virtualServiceName": "s.local"});
        let mut tls = by_arn("STRICT");
        match policy {
            // The server's own certificate.
            Value::Null => tls = from_sds(),
            policy => backend["clientPolicy"] = policy,
        }
        let mesh = fixture::mesh(json!([
            ["node", "n", {"backends": [{"virtualService": backend}]}],
            ["node", "t", node("t.local", listener(8080, tls))],
            ["service", "s.local", provided_by("t")]
        ]));
        let proxy = fixture::node(&mesh);
        assert_eq!(towards_node(&proxy).discovery, Discovery::Nowhere);
        assert_eq!(proxy.lints.len(), 1, "{:?}", proxy.lints);
        assert!(proxy.lints[0].message.contains("local SDS server"), "{:?}", proxy.lints);
    }
}

#[test]
fn a_backends_own_policy_replaces_the_default_one() {
    let backend = |name: &str, policy: Value| {
        let mut backend = json!({"virtualServiceName": name});
        if !policy.is_null() {
            backend["clientPolicy"] = policy;
        }
        json!({"virtualService": backend})
    };
    let trust = |policy: Value| {
        let mesh = fixture::mesh(json!([
            ["node", "n", {"backends": [backend("s.local", policy)],
                "backendDefaults": {"clientPolicy": trusting("/default.pem")}}],
            ["node", "t", node("t.local", listener(8080, by_arn("STRICT")))],
            ["service", "s.local", provided_by("t")]
        ]));
        let proxy = fixture::node(&mesh);
        let client = towards_node(&proxy).tls.clone().expect("TLS");
        assert_eq!(client.server_name.as_deref(), Some("t.local"));
        let validation = client.server.expect("a check");
        (validation.trust, validation.names)
    };
    let by_default = (Trust::File("/default.pem".into()), vec!["t.local".to_owned()]);
    assert_eq!(trust(Value::Null), by_default);
    let own = (Trust::File("/own.pem".into()), vec!["t.local".to_owned()]);
    assert_eq!(trust(trusting("/own.pem")), own);
    // A policy without TLS is a policy: what is left is what the listener says.
    assert_eq!(trust(json!({})), (Trust::BuiltIn, vec![]));
}

#[test]
fn a_node_that_two_backends_would_call_by_different_policies_is_not_called() {
    let backend = |name: &str, file: &str| json!({"virtualService": {"virtualServiceName": name, "clientPolicy": trusting(file)}});
    let cluster = |second: &str| {
        let mesh = fixture::mesh(json!([
            ["node", "n", {"backends": [backend("a.local", "/a.pem"), backend("b.local", second)]}],
            ["node", "t", node("t.local", listener(8080, by_arn("STRICT")))],
            ["service", "a.local", provided_by("t")],
            ["service", "b.local", provided_by("t")]
        ]));
        let proxy = fixture::node(&mesh);
        (towards_node(&proxy).clone(), proxy.lints)
    };
    let (same, lints) = cluster("/a.pem");
    assert!(same.tls.is_some() && lints.is_empty(), "{lints:?}");
    let (different, lints) = cluster("/b.pem");
    assert_eq!((different.discovery, different.tls), (Discovery::Nowhere, None));
    assert!(lints[0].message.contains("different TLS policies"), "{lints:?}");
}

#[test]
fn certificates_from_files_are_the_proxys_business() {
    let files = json!({"mode": "STRICT", "certificate": {"file": {"certificateChain": "/c", "privateKey": "/k"}}});
    let mesh = fixture::mesh(json!([["node", "n", node("n", listener(8080, files))]]));
    let proxy = fixture::node(&mesh);
    assert!(proxy.issued_certificates().is_empty());
    assert_eq!(proxy.lints, []);
    let server = proxy.listeners[0].chains[0].accepts.server().expect("TLS");
    assert!(matches!(&server.certificate, Certificate::File(files) if files.key == "/k"));
    assert_eq!(server.clients, None);
}
