//! `howto-mutual-tls-file-provided`: from plaintext to mutual TLS with names checked, step by step.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use ferromesh_integration::rig::{eventually, example::Example, Network, Rig, Task, PATIENCE};
use serde_json::{json, Value};

use crate::{address, ask, file, register};

/// Private keys, certificates and the authority's certificate, under the names that the example's files say.
fn keys(folder: &std::path::Path, names: &[(&str, &str)]) {
    let mut params = rcgen::CertificateParams::default();
    // A name of its own: a certificate of the same name would be taken for one that signed itself.
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let authority = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
    let write = |file: String, text: String| std::fs::write(folder.join(file), text).expect("a file");
    write("ca_cert.pem".into(), authority.pem());
    for (name, san) in names {
        let params = rcgen::CertificateParams::new([(*san).to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        write(
            format!("{name}_cert_chain.pem"),
            format!("{}{}", certificate.pem(), authority.pem()),
        );
        write(format!("{name}_key.pem"), key.serialize_pem());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn howto_mutual_tls_file_provided_succeeds_or_fails_at_each_of_its_steps() {
    let Some(example) = Example::find("howto-mutual-tls-file-provided") else {
        return;
    };
    const DOMAIN: &str = "howto-mutual-tls.local";
    const COLOR: &str = "colorteller.howto-mutual-tls.local";
    const GATEWAY: &str = "gateway.howto-mutual-tls.local";
    let network = Network::create().expect("a network");
    let rig = Rig::start().await.expect("a control plane");
    let folder = rig.file("keys");
    std::fs::create_dir_all(&folder).expect("a folder");
    keys(&folder, &[("colorteller", COLOR), ("gateway", GATEWAY)]);
    let mut color = Task::create(&network, "colorteller", address(3, 2)).expect("a task");
    let mut gateway = Task::create(&network, "colorgateway", address(3, 3)).expect("a task");
    color.serve_http("color", 9080).expect("an application");
    for task in [&mut color, &mut gateway] {
        task.namespace().mount(&folder, "/keys").expect("a volume");
    }
    register(&rig, DOMAIN, &[("colorteller", &color)]).await;

    let set = async |operation: &str, name: &str, variables: &[(&str, &str)], names: Value| {
        file(&rig, &example, operation, name, variables, names).await;
    };
    let node = async |name: &str, san: &str| {
        let (operation, file) = match name {
            "colorteller-vn" => ("create-virtual-node", "colorteller-vn.json".to_owned()),
            update => ("update-virtual-node", format!("updates/{update}.json")),
        };
        let variables = [("SERVICES_DOMAIN", DOMAIN), ("GATEWAY_SAN", san)];
        let names = json!({"virtualNodeName": "colorteller-vn"});
        set(operation, &file, &variables, names).await;
    };
    let gateway_update = async |name: &str, san: &str| {
        let names = json!({"virtualGatewayName": "gateway-vgw"});
        let name = format!("updates/{name}.json");
        set("update-virtual-gateway", &name, &[("COLOR_TELLER_SAN", san)], names).await;
    };
    set("create-mesh", "mesh.json", &[], json!({})).await;
    node("colorteller-vn", GATEWAY).await;
    let names = json!({"virtualServiceName": COLOR});
    set("create-virtual-service", "colorteller-vs.json", &[], names).await;
    let names = json!({"virtualGatewayName": "gateway-vgw"});
    set("create-virtual-gateway", "gateway-vgw.json", &[], names).await;
    let names = json!({"virtualGatewayName": "gateway-vgw", "gatewayRouteName": "color"});
    let service = [("VIRTUAL_SERVICE", COLOR)];
    set("create-gateway-route", "colorteller-gwroute.json", &service, names).await;
    color
        .start_sidecar(&rig, "mesh/m/virtualNode/colorteller-vn")
        .expect("a sidecar");
    gateway
        .start_proxy(&rig, "mesh/m/virtualGateway/gateway-vgw")
        .expect("a gateway");

    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9080));
    let status = async |wanted: u16| {
        let mut last = String::new();
        let waited = eventually("the step's status", PATIENCE, async || {
            match ask(&gateway, to, "gateway", "/") {
                Ok(answer) if answer.status == wanted => return Some(()),
                Ok(answer) => last = format!("{} {:?}", answer.status, answer.body),
                Err(error) => last = error.to_string(),
            }
            None
        })
        .await;
        waited
            .with_context(|| format!("{wanted} was expected, last: {last}"))
            .expect("a status");
    };
    // Handshakes are counted once for a connection that carries many requests: that it was counted at all is what shows.
    let counts = async |task: &Task, counter: &str| {
        let counted = eventually(counter, PATIENCE, async || {
            let _ = ask(&gateway, to, "gateway", "/");
            task.sum(counter).ok().filter(|count| *count > 0)
        })
        .await;
        counted
            .with_context(|| task.admin_page("/stats?filter=ssl"))
            .expect("it counts");
    };

    // 1: no TLS at all.
    status(200).await;
    assert_eq!(color.sum(r"^listener\..*15000\.ssl\.handshake$").expect("a counter"), 0);
    // 2: the node insists on TLS; the gateway has no policy, speaks it all the same and shows no certificate.
    node("colorteller-vn-strict-tls", GATEWAY).await;
    counts(&color, r"^listener\..*15000\.ssl\.handshake$").await;
    status(200).await;
    counts(&color, r"^listener\..*15000\.ssl\.no_certificate$").await;
    // 3: the gateway checks the node's certificate, and its name.
    gateway_update("gateway-vgw-client-policy", "somebody.else.local").await;
    status(503).await;
    counts(&gateway, r"^cluster\.cds_egress_.*\.ssl\.fail_verify_san$").await;
    gateway_update("gateway-vgw-client-policy", COLOR).await;
    status(200).await;
    // 4: the node asks for a certificate, and the gateway has none.
    node("colorteller-vn-strict-validation", GATEWAY).await;
    status(503).await;
    counts(&color, r"^listener\..*15000\.ssl\.fail_verify_no_cert$").await;
    // 5: the gateway has one; under another name it would not do.
    gateway_update("gateway-vgw-client-cert", COLOR).await;
    status(200).await;
    node("colorteller-vn-strict-validation", "somebody.else.local").await;
    status(503).await;
    counts(&color, r"^listener\..*15000\.ssl\.fail_verify_san$").await;
    node("colorteller-vn-strict-validation", GATEWAY).await;
    status(200).await;
}
