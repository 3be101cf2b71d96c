//! A request's whole way through the mesh: the proxy that it meets first, and the one beside the application it reaches.

use ferromesh_model::mesh::Mesh;
use ferromesh_model::Violation;
use serde::Serialize;

use super::passage::{pass, Forwarding, Outcome, Passage, Share};
use super::{Circumstances, Connection, Question, Request, Tls, Url};
use crate::cluster::ClusterId;
use crate::listener::{Direction, Listener};
use crate::{lower, Options, Proxy, ProxyKind};

/// Where a request goes and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The mesh.
    pub mesh: String,
    /// Who sends it: `virtualNode/front`.
    pub from: String,
    /// The request: `GET http://a.local:8080/x`.
    pub request: String,
    /// What becomes of it, in one sentence.
    pub verdict: String,
    /// Its way through the first proxy.
    pub first: Passage,
    /// Its ways through the proxies of the targets that it can go to.
    pub arrivals: Vec<Arrival>,
    /// What is wrong with the configuration of the proxies on the way.
    pub lints: Vec<String>,
}

/// A request's way through the proxy of a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arrival {
    /// Share of the requests in percent.
    pub percent: f64,
    /// The way.
    pub passage: Passage,
}

/// Explains a request in a mesh. `cluster_name` gives the name that a cluster has at a proxy.
///
/// # Errors
/// There is no such sender, or the URL, the method or a header is wrong.
pub fn explain(
    mesh: &Mesh,
    options: &Options,
    question: &Question,
    cluster_name: &dyn Fn(&Proxy, &ClusterId) -> String,
) -> Result<Explanation, Vec<Violation>> {
    let (kind, name) = sender(mesh, &question.from).map_err(|violation| vec![violation])?;
    let url = Url::parse(&question.url).map_err(|violation| vec![violation])?;
    let request = question.request(&url)?;
    let proxy = lower::proxy(mesh, kind, name, options)?;
    let port = dialled(&proxy, &url).map_err(|violation| vec![violation])?;
    let encrypted = url.scheme == "https";
    let connection = Connection {
        port,
        tls: encrypted.then(|| Tls {
            server_name: url
                .host
                .parse::<std::net::IpAddr>()
                .is_err()
                .then(|| url.host.to_ascii_lowercase()),
        }),
    };
    let listener = first_listener(&proxy, port);
    let circumstances = &question.circumstances;
    let first = pass(&proxy, listener, &connection, &request, circumstances, cluster_name);
    let mut lints: Vec<String> = proxy.lints.iter().map(ToString::to_string).collect();
    let arrivals = arrivals(mesh, options, &first, &request, cluster_name, &mut lints);
    lints.sort();
    lints.dedup();
    Ok(Explanation {
        mesh: mesh.name.clone(),
        from: first.proxy.clone(),
        request: format!("{} {}", question.method, question.url),
        verdict: verdict(&first),
        first,
        arrivals,
        lints,
    })
}

fn sender<'m>(mesh: &'m Mesh, from: &'m str) -> Result<(ProxyKind, &'m str), Violation> {
    let wrong = |message: String| Violation::new("from", message);
    let is_node = |name: &str| mesh.virtual_nodes.contains_key(name);
    let is_gateway = |name: &str| mesh.virtual_gateways.contains_key(name);
    if let Some((kind, name)) = from.split_once('/') {
        return match kind {
            "virtualNode" if is_node(name) => Ok((ProxyKind::VirtualNode, name)),
            "virtualGateway" if is_gateway(name) => Ok((ProxyKind::VirtualGateway, name)),
            "virtualNode" | "virtualGateway" => Err(wrong(format!("mesh {} has no {kind} named {name}", mesh.name))),
            _ => Err(wrong(format!(
                "must be virtualNode/NAME, virtualGateway/NAME or a name, is {from:?}"
            ))),
        };
    }
    match (is_node(from), is_gateway(from)) {
        (true, false) => Ok((ProxyKind::VirtualNode, from)),
        (false, true) => Ok((ProxyKind::VirtualGateway, from)),
        (true, true) => Err(wrong(format!(
            "{from} is a virtual node and a virtual gateway: write virtualNode/{from} or virtualGateway/{from}"
        ))),
        (false, false) if from == "gateway" => {
            let mut names = mesh.virtual_gateways.keys();
            match (names.next(), names.next()) {
                (Some(only), None) => Ok((ProxyKind::VirtualGateway, only.as_str())),
                (None, _) => Err(wrong(format!("mesh {} has no virtual gateway", mesh.name))),
                _ => {
                    let names: Vec<&str> = mesh.virtual_gateways.keys().map(String::as_str).collect();
                    Err(wrong(format!(
                        "mesh {} has several virtual gateways: {}",
                        mesh.name,
                        names.join(", ")
                    )))
                }
            }
        }
        (false, false) => Err(wrong(format!(
            "mesh {} has no virtual node and no virtual gateway named {from}",
            mesh.name
        ))),
    }
}

/// The port that is dialled. At a gateway without one in the URL, the gateway's only one: outside it may have another.
fn dialled(proxy: &Proxy, url: &Url) -> Result<u16, Violation> {
    let default = url.port_or_default();
    if proxy.kind == ProxyKind::VirtualNode || url.port.is_some() {
        return Ok(default);
    }
    let ports: Vec<u16> = proxy.listeners.iter().map(|listener| listener.port).collect();
    match ports.as_slice() {
        ports if ports.contains(&default) => Ok(default),
        [only] => Ok(*only),
        [] => Ok(default),
        several => {
            let names: Vec<String> = several.iter().map(u16::to_string).collect();
            let message = format!(
                "port is missing: virtual gateway {} listens on {}",
                proxy.name,
                names.join(", ")
            );
            Err(Violation::new("url", message))
        }
    }
}

fn first_listener(proxy: &Proxy, port: u16) -> Option<&Listener> {
    proxy.listeners.iter().find(|listener| match proxy.kind {
        ProxyKind::VirtualNode => listener.direction == Direction::Egress,
        ProxyKind::VirtualGateway => listener.port == port,
    })
}

/// The ways through the proxies of the nodes that get a share.
fn arrivals(
    mesh: &Mesh,
    options: &Options,
    first: &Passage,
    request: &Request,
    cluster_name: &dyn Fn(&Proxy, &ClusterId) -> String,
    lints: &mut Vec<String>,
) -> Vec<Arrival> {
    let Outcome::Forward(forwarding) = &first.outcome else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (share, percent) in reached(forwarding) {
        let Some((node, port)) = node_of(share) else { continue };
        let Ok(proxy) = lower::proxy(mesh, ProxyKind::VirtualNode, node, options) else {
            continue;
        };
        let arriving = Request {
            scheme: if share.encrypted { "https".into() } else { "http".into() },
            host: forwarding.host.clone().unwrap_or_else(|| request.host.clone()),
            path: forwarding.path.clone().unwrap_or_else(|| request.path.clone()),
            ..request.clone()
        };
        let connection = Connection {
            port,
            tls: share.encrypted.then(Tls::default),
        };
        let listener = proxy
            .listeners
            .iter()
            .find(|listener| listener.direction == Direction::Ingress);
        // Where requests arrive there is one target: nothing is chosen.
        let circumstances = &Circumstances::default();
        let passage = pass(&proxy, listener, &connection, &arriving, circumstances, cluster_name);
        lints.extend(proxy.lints.iter().map(ToString::to_string));
        found.push(Arrival { percent, passage });
    }
    found
}

/// The targets that the request can go to, with the share of such requests that does.
fn reached(forwarding: &Forwarding) -> Vec<(&Share, f64)> {
    let chosen = forwarding.choice.as_ref().and_then(|choice| choice.target.as_ref());
    let shares = forwarding.targets.iter();
    match chosen {
        Some(chosen) => shares
            .filter(|share| share.target == *chosen)
            .map(|share| (share, 100.0))
            .collect(),
        None => shares
            .filter(|share| share.percent > 0.0)
            .map(|share| (share, share.percent))
            .collect(),
    }
}

fn node_of(share: &Share) -> Option<(&str, u16)> {
    match share.id.as_ref()? {
        ClusterId::Node { node, port, .. } => Some((node.as_str(), *port)),
        _ => None,
    }
}

fn verdict(first: &Passage) -> String {
    match &first.outcome {
        Outcome::Respond { status, because } => format!("{} answers with {status}: {because}", first.proxy),
        Outcome::Close { because } => because.clone(),
        Outcome::Forward(forwarding) => {
            let route = first.routes.iter().find(|route| route.chosen);
            let by = route.map_or_else(String::new, |route| format!("by {}, ", route.name));
            let certain = forwarding
                .choice
                .as_ref()
                .and_then(|choice| Some((choice.target.as_ref()?, choice)));
            if let Some((target, choice)) = certain {
                return format!("{by}to {target}: {}", choice.because);
            }
            let shares: Vec<String> = reached(forwarding)
                .into_iter()
                .map(|(share, percent)| format!("{percent} % to {}", share.target))
                .collect();
            format!("{by}{}", shares.join(" and "))
        }
    }
}
