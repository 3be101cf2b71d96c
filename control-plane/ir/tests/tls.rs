//! TLS: what listeners accept, and what their callers speak.

mod fixture;

use ferromesh_ir::cluster::{Cluster, ClusterId, Discovery};
use ferromesh_ir::tls::{Accepts, Identity, Trust};
use ferromesh_ir::Proxy;
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
    // Shared by three: none of their identities.
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
fn a_listener_shows_and_trusts_secrets_of_the_local_sds_server() {
    let validated = json!({"mode": "STRICT", "certificate": {"sds": {"secretName": "own"}},
        "validation": {"trust": {"sds": {"secretName": "authorities"}}}});
    let mesh = fixture::mesh(json!([["gateway", "g", {"listeners": [listener(8080, validated)]}]]));
    let proxy = fixture::gateway(&mesh);
    let server = proxy.listeners[0].chains[0].accepts.server().expect("TLS");
    assert_eq!(server.certificate, Identity::Local("own".into()));
    let trust = server.clients.as_ref().map(|clients| &clients.trust);
    assert_eq!(trust, Some(&Trust::Local("authorities".into())));
}

#[test]
fn calls_show_and_trust_secrets_of_the_local_sds_server() {
    let policy = json!({"tls": {"certificate": {"sds": {"secretName": "own"}},
        "validation": {"trust": {"sds": {"secretName": "authorities"}}}}});
    let mesh = fixture::mesh(json!([
        ["node", "n", {"backends": [{"virtualService": {"virtualServiceName": "s.local", "clientPolicy": policy}}]}],
        ["node", "t", node("t.local", listener(8080, by_arn("STRICT")))],
        ["service", "s.local", provided_by("t")]
    ]));
    let proxy = fixture::node(&mesh);
    let tls = towards_node(&proxy).tls.as_ref().expect("TLS");
    assert_eq!(tls.certificate, Some(Identity::Local("own".into())));
    let server = tls.server.as_ref().expect("a validation");
    assert_eq!(
        (&server.trust, &server.names[..]),
        (&Trust::Local("authorities".into()), &["t.local".to_owned()][..])
    );
}

#[test]
fn a_caller_without_a_policy_does_not_check_a_certificate_that_it_knows_nothing_of() {
    let mesh = fixture::mesh(json!([
        ["node", "n", {"backends": [{"virtualService": {"virtualServiceName": "s.local"}}]}],
        ["node", "t", node("t.local", listener(8080, from_sds()))],
        ["service", "s.local", provided_by("t")]
    ]));
    let proxy = fixture::node(&mesh);
    assert_eq!(
        towards_node(&proxy).tls.as_ref().map(|tls| tls.server.clone()),
        Some(None)
    );
    assert!(proxy.lints[0].message.contains("is not checked"), "{:?}", proxy.lints);
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
    assert!(matches!(&server.certificate, Identity::File(files) if files.key == "/k"));
    assert_eq!(server.clients, None);
}

#[test]
fn two_names_of_secrets_stand_for_an_identity_of_the_built_in_authority_and_for_itself() {
    let own = json!({"sds": {"secretName": "ferromesh:identity"}});
    let ours = json!({"sds": {"secretName": "ferromesh:authority"}});
    let caller = "spiffe://ferromesh.local/mesh/m/virtualNode/n";
    let target = "spiffe://ferromesh.local/mesh/m/virtualNode/t";
    let tls = json!({"mode": "STRICT", "certificate": own, "validation": {"trust": ours,
        "subjectAlternativeNames": {"match": {"exact": [caller]}}}});
    let policy = json!({"tls": {"certificate": own, "validation": {"trust": ours,
        "subjectAlternativeNames": {"match": {"exact": [target]}}}}});
    let towards = |policy: Value| {
        let mesh = fixture::mesh(json!([
            ["node", "n", {"backends": [{"virtualService": {"virtualServiceName": "s.local", "clientPolicy": policy}}],
                "listeners": [listener(8080, tls.clone())], "serviceDiscovery": {"dns": {"hostname": "N.local"}}}],
            ["node", "t", node("t.local", listener(8080, tls.clone()))],
            ["service", "s.local", provided_by("t")]
        ]));
        let proxy = fixture::node(&mesh);
        let served = proxy.issued_certificates();
        let names: Vec<&str> = served["ferromesh:identity/mesh/m/virtualNode/n"]
            .iter()
            .map(String::as_str)
            .collect();
        assert_eq!(names, ["n.local", caller]);
        assert_eq!(served.len(), 1, "{served:?}");
        let server = proxy.listeners[0].chains[0].accepts.server().expect("TLS").clone();
        let clients = server.clients.expect("clients are checked");
        assert_eq!(
            (clients.trust, &clients.names[..]),
            (Trust::BuiltIn, &[caller.to_owned()][..])
        );
        towards_node(&proxy).tls.clone().expect("TLS")
    };
    let client = towards(policy);
    assert!(matches!(client.certificate, Some(Identity::Served { .. })));
    let checked = client.server.expect("a check");
    assert_eq!(
        (checked.trust, &checked.names[..]),
        (Trust::BuiltIn, &[target.to_owned()][..])
    );
    // Without a policy the identity is known anyway.
    let checked = towards(json!({})).server.expect("a check");
    assert_eq!(
        (checked.trust, &checked.names[..]),
        (Trust::BuiltIn, &[target.to_owned()][..])
    );
}
