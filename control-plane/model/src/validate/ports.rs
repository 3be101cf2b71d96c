//! Ports and protocols of routes against the listeners that they need.

use super::RouteKind;
use crate::resource::{
    PortProtocol, VirtualGatewayPortProtocol, VirtualGatewaySpec, VirtualNodeSpec, VirtualRouterSpec,
};
use crate::Violation;

pub(super) fn router_ports(spec: &VirtualRouterSpec) -> Vec<(i64, PortProtocol)> {
    spec.listeners
        .iter()
        .map(|listener| (listener.port_mapping.port, listener.port_mapping.protocol))
        .collect()
}

pub(super) fn node_ports(spec: &VirtualNodeSpec) -> Vec<(i64, PortProtocol)> {
    spec.listeners
        .iter()
        .map(|listener| (listener.port_mapping.port, listener.port_mapping.protocol))
        .collect()
}

/// The listener that a port means: the one with this port, or the only one when none is given.
pub(super) fn listener(ports: &[(i64, PortProtocol)], port: Option<i64>) -> Option<(usize, PortProtocol)> {
    match (port, ports) {
        (None, [(_, protocol)]) => Some((0, *protocol)),
        (None, _) => None,
        (Some(port), ports) => ports
            .iter()
            .enumerate()
            .find(|(_, listener)| listener.0 == port)
            .map(|(at, listener)| (at, listener.1)),
    }
}

pub(super) fn listed(ports: impl IntoIterator<Item = i64>) -> String {
    ports
        .into_iter()
        .map(|port| port.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A route's port and type against its router's listeners. A router without listeners takes any route.
pub(super) fn route_port(
    at: &str,
    router: &str,
    ports: &[(i64, PortProtocol)],
    kind: &RouteKind<'_>,
    found: &mut Vec<Violation>,
) {
    let all = || listed(ports.iter().map(|(port, _)| *port));
    match kind.port {
        None if ports.len() > 1 => found.push(Violation::new(
            format!("{at}.match.port"),
            format!(
                "is required because virtual router {router} has {} listeners ({})",
                ports.len(),
                all()
            ),
        )),
        Some(port) if !ports.is_empty() && !ports.iter().any(|listener| listener.0 == port) => {
            found.push(Violation::new(
                format!("{at}.match.port"),
                format!(
                    "must be a listener port of virtual router {router} ({}), is {port}",
                    all()
                ),
            ));
        }
        port => {
            if let Some((_, protocol)) = listener(ports, port).filter(|(_, protocol)| *protocol != kind.protocol) {
                found.push(Violation::new(
                    at,
                    format!(
                        "the listener of virtual router {router} speaks {}, a {} needs one that speaks {}",
                        protocol.as_str(),
                        kind.member,
                        kind.protocol.as_str()
                    ),
                ));
            }
        }
    }
}

/// A target's port against the node's listeners. A node without listeners takes no traffic, which is its owner's matter.
pub(super) fn target_port(
    at: &str,
    name: &str,
    node: &VirtualNodeSpec,
    port: Option<i64>,
    route: PortProtocol,
    found: &mut Vec<Violation>,
) {
    let ports = node_ports(node);
    let all = || listed(ports.iter().map(|(port, _)| *port));
    match port {
        None if ports.len() > 1 => found.push(Violation::new(
            format!("{at}.port"),
            format!(
                "is required because virtual node {name} has {} listeners ({})",
                ports.len(),
                all()
            ),
        )),
        Some(port) if !ports.is_empty() && !ports.iter().any(|listener| listener.0 == port) => {
            found.push(Violation::new(
                format!("{at}.port"),
                format!("must be a listener port of virtual node {name} ({}), is {port}", all()),
            ));
        }
        port => {
            let mixes = |node: PortProtocol| (node == PortProtocol::Tcp) != (route == PortProtocol::Tcp);
            if let Some((_, protocol)) = listener(&ports, port).filter(|(_, protocol)| mixes(*protocol)) {
                found.push(Violation::new(
                    format!("{at}.virtualNode"),
                    format!(
                        "the listener of virtual node {name} speaks {}, which a route for {} cannot reach",
                        protocol.as_str(),
                        route.as_str()
                    ),
                ));
            }
        }
    }
}

/// A gateway route's port and type against the gateway's listeners. HTTP/2 and gRPC are the same on the wire.
pub(super) fn gateway_port(
    at: &str,
    name: &str,
    gateway: &VirtualGatewaySpec,
    is_http2: bool,
    port: Option<i64>,
    found: &mut Vec<Violation>,
) {
    let all = || listed(gateway.listeners.iter().map(|listener| listener.port_mapping.port));
    let meant: Vec<_> = gateway
        .listeners
        .iter()
        .map(|listener| listener.port_mapping)
        .filter(|listener| port.is_none_or(|port| port == listener.port))
        .collect();
    if gateway.listeners.is_empty() {
        return;
    }
    match (port, meant.as_slice()) {
        (Some(port), []) => found.push(Violation::new(
            format!("{at}.match.port"),
            format!(
                "must be a listener port of virtual gateway {name} ({}), is {port}",
                all()
            ),
        )),
        (_, meant) => {
            let fits =
                |protocol: VirtualGatewayPortProtocol| (protocol != VirtualGatewayPortProtocol::Http) == is_http2;
            if !meant.iter().any(|listener| fits(listener.protocol)) {
                let speak: Vec<_> = meant.iter().map(|listener| listener.protocol.as_str()).collect();
                found.push(Violation::new(
                    at,
                    format!(
                        "no listener of virtual gateway {name} speaks its protocol, they speak {}",
                        speak.join(", ")
                    ),
                ));
            }
        }
    }
}

/// A gateway route's target port against the listeners of what answers for the virtual service.
pub(super) fn provider_port(at: &str, service: &str, ports: &[i64], port: Option<i64>, found: &mut Vec<Violation>) {
    let all = || listed(ports.iter().copied());
    match port {
        None if ports.len() > 1 => found.push(Violation::new(
            format!("{at}.port"),
            format!(
                "is required because the provider of virtual service {service} has {} listeners ({})",
                ports.len(),
                all()
            ),
        )),
        Some(port) if !ports.is_empty() && !ports.contains(&port) => found.push(Violation::new(
            format!("{at}.port"),
            format!(
                "must be a listener port of the provider of virtual service {service} ({}), is {port}",
                all()
            ),
        )),
        _ => {}
    }
}
