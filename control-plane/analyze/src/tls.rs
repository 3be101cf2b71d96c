//! Calls whose two ends ask for certificates that the other one does not show, as far as that can be known: what is in
//! files and in other SDS servers' secrets nobody here has seen.

use std::collections::BTreeSet;

use ferromesh_ir::cluster::{Cluster, ClusterId};
use ferromesh_ir::listener::Direction;
use ferromesh_ir::tls::{Identity, Server, Validation};
use ferromesh_ir::ProxyKind;

use crate::scene::{Place, Scene};
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for proxy in scene.all() {
        let caller = Place {
            kind: proxy.kind,
            name: proxy.name.clone(),
        };
        for cluster in &proxy.clusters {
            let ClusterId::Node { node, port, .. } = &cluster.id else {
                continue;
            };
            if let Some(server) = server(scene, node, *port) {
                found.extend(between(scene, &caller, cluster, server, (node.as_str(), *port)));
            }
        }
    }
    found.into_iter().collect()
}

/// What a node shows and asks for on a port.
fn server<'s>(scene: &'s Scene<'_>, node: &str, port: u16) -> Option<&'s Server> {
    let proxy = scene.proxy(ProxyKind::VirtualNode, node)?;
    let mut arrivals = proxy
        .listeners
        .iter()
        .filter(|listener| listener.direction == Direction::Ingress);
    let mut chains = arrivals.by_ref().flat_map(|listener| &listener.chains);
    chains.find(|chain| chain.port == port)?.accepts.server()
}

fn between(
    scene: &Scene<'_>,
    caller: &Place,
    cluster: &Cluster,
    server: &Server,
    (node, port): (&str, u16),
) -> Vec<Finding> {
    let mut found = Vec::new();
    // Without TLS at the client there is none at the server, or it takes both.
    let Some(client) = &cluster.tls else { return found };
    match (&server.clients, &client.certificate) {
        (Some(_), None) => {
            let message = format!(
                "virtual node {node} asks for a client certificate on port {port}, and calls from here show none: they fail"
            );
            found.push(Finding::new(
                Code::ClientCertificateMissing,
                caller.resource(),
                "",
                message,
            ));
        }
        (Some(asked), Some(shown)) => {
            if let Some((asked, has)) = mismatch(scene, asked, shown) {
                let message = format!(
                    "virtual node {node} lets in only clients named {asked} on port {port}, and the certificate shown from \
                     here is for {has}: calls fail"
                );
                found.push(Finding::new(Code::CertificateNames, caller.resource(), "", message));
            }
        }
        (None, _) => {}
    }
    if let Some((asked, has)) = client
        .server
        .as_ref()
        .and_then(|asked| mismatch(scene, asked, &server.certificate))
    {
        let message = format!(
            "calls to virtual node {node} on port {port} take only a certificate for {asked}, and its certificate is for \
             {has}: they fail"
        );
        found.push(Finding::new(Code::CertificateNames, caller.resource(), "", message));
    }
    found
}

/// The names that are asked for and those that a certificate of ours has, if none of them is the same.
fn mismatch(scene: &Scene<'_>, asked: &Validation, shown: &Identity) -> Option<(String, String)> {
    let Identity::Served { arn, names } = shown else {
        return None;
    };
    let is_imported = scene.options.imported.certificates.contains(arn);
    let fits = |name: &String| names.iter().any(|has| has.eq_ignore_ascii_case(name));
    if is_imported || asked.names.is_empty() || asked.names.iter().any(fits) {
        return None;
    }
    let has: Vec<&str> = names.iter().map(String::as_str).collect();
    Some((asked.names.join(", "), has.join(", ")))
}
