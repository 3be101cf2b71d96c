//! Rules of virtual nodes, routers and gateways by themselves: what belongs to one listener must be of its protocol, and
//! ports must differ.

use std::collections::BTreeSet;

use crate::resource::{
    Backend, ListenerTimeout, VirtualGatewayConnectionPool, VirtualGatewaySpec, VirtualNodeConnectionPool,
    VirtualNodeSpec, VirtualRouterSpec,
};
use crate::Violation;

/// Rules of a virtual node by itself.
pub(super) fn virtual_node(spec: &VirtualNodeSpec, found: &mut Vec<Violation>) {
    if !spec.listeners.is_empty() && spec.service_discovery.is_none() {
        found.push(Violation::new(
            "serviceDiscovery",
            "must be specified when a listener is specified",
        ));
    }
    different_ports(spec.listeners.iter().map(|listener| listener.port_mapping.port), found);
    for (index, listener) in spec.listeners.iter().enumerate() {
        let protocol = listener.port_mapping.protocol.as_str();
        let pool = listener.connection_pool.as_ref().map(|pool| match pool {
            VirtualNodeConnectionPool::Grpc(_) => "grpc",
            VirtualNodeConnectionPool::Http(_) => "http",
            VirtualNodeConnectionPool::Http2(_) => "http2",
            VirtualNodeConnectionPool::Tcp(_) => "tcp",
        });
        same_protocol(index, "connectionPool", pool, protocol, found);
        let timeout = listener.timeout.as_ref().map(|timeout| match timeout {
            ListenerTimeout::Grpc(_) => "grpc",
            ListenerTimeout::Http(_) => "http",
            ListenerTimeout::Http2(_) => "http2",
            ListenerTimeout::Tcp(_) => "tcp",
        });
        same_protocol(index, "timeout", timeout, protocol, found);
    }
    let mut services = BTreeSet::new();
    for (index, backend) in spec.backends.iter().enumerate() {
        let Backend::VirtualService(service) = backend;
        if !services.insert(&service.virtual_service_name) {
            found.push(Violation::new(
                format!("backends[{index}].virtualService.virtualServiceName"),
                format!("{:?} is a backend already", service.virtual_service_name),
            ));
        }
    }
}

/// Rules of a virtual router by itself.
pub(super) fn virtual_router(spec: &VirtualRouterSpec, found: &mut Vec<Violation>) {
    different_ports(spec.listeners.iter().map(|listener| listener.port_mapping.port), found);
}

/// Rules of a virtual gateway by itself.
pub(super) fn virtual_gateway(spec: &VirtualGatewaySpec, found: &mut Vec<Violation>) {
    different_ports(spec.listeners.iter().map(|listener| listener.port_mapping.port), found);
    for (index, listener) in spec.listeners.iter().enumerate() {
        let pool = listener.connection_pool.as_ref().map(|pool| match pool {
            VirtualGatewayConnectionPool::Grpc(_) => "grpc",
            VirtualGatewayConnectionPool::Http(_) => "http",
            VirtualGatewayConnectionPool::Http2(_) => "http2",
        });
        same_protocol(
            index,
            "connectionPool",
            pool,
            listener.port_mapping.protocol.as_str(),
            found,
        );
    }
}

fn different_ports(ports: impl Iterator<Item = i64>, found: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for (index, port) in ports.enumerate() {
        if !seen.insert(port) {
            found.push(Violation::new(
                format!("listeners[{index}].portMapping.port"),
                format!("{port} is the port of another listener already"),
            ));
        }
    }
}

fn same_protocol(index: usize, member: &str, has: Option<&str>, listener: &str, found: &mut Vec<Violation>) {
    if let Some(has) = has.filter(|has| *has != listener) {
        found.push(Violation::new(
            format!("listeners[{index}].{member}.{has}"),
            format!("must be {listener} like the listener's protocol, is {has}"),
        ));
    }
}
