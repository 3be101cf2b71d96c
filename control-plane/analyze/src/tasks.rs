//! How tasks are found and checked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ferromesh_model::resource::{DnsResponseType, ServiceDiscovery, VirtualNodeSpec};

use crate::scene::Scene;
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, node) in &scene.mesh.virtual_nodes {
        let resource = format!("virtualNode/{name}");
        for (index, listener) in node.listeners.iter().enumerate() {
            let path = |member: &str| format!("spec.listeners[{index}].{member}");
            let checked = listener.health_check.as_ref().and_then(|check| check.port);
            let is_listener = |port| node.listeners.iter().any(|other| other.port_mapping.port == port);
            if let Some(port) = checked.filter(|port| !is_listener(*port)) {
                let message = format!(
                    "health is checked on port {port}, which is no listener: where the node's traffic is redirected, its \
                     proxy does not know the port, and every task counts as unhealthy"
                );
                found.push(Finding::new(
                    Code::HealthCheckPort,
                    &resource,
                    path("healthCheck.port"),
                    message,
                ));
            }
            if listener.outlier_detection.is_some() && is_one_endpoint(node) {
                let message = format!(
                    "outlier detection on port {} has one endpoint to judge, the name itself: whatever it ejects is all \
                     there is, and gets the requests nevertheless",
                    listener.port_mapping.port
                );
                found.push(Finding::new(
                    Code::OutlierOfOne,
                    &resource,
                    path("outlierDetection"),
                    message,
                ));
            }
        }
        if let Some(ServiceDiscovery::Dns(dns)) = &node.service_discovery {
            if dns.hostname.parse::<IpAddr>().is_ok() {
                let message = format!(
                    "its host name {} is an address: a task that moves is not found",
                    dns.hostname
                );
                found.push(Finding::new(
                    Code::HostIsAddress,
                    &resource,
                    "spec.serviceDiscovery.dns.hostname",
                    message,
                ));
            }
        }
    }
    found.extend(same_tasks(scene));
    found
}

/// A name that stands for a load balancer is one endpoint, whatever it resolves to.
fn is_one_endpoint(node: &VirtualNodeSpec) -> bool {
    matches!(&node.service_discovery, Some(ServiceDiscovery::Dns(dns)) if dns.response_type != Some(DnsResponseType::Endpoints))
}

/// Nodes that find the same tasks by the same port are one node to their callers.
fn same_tasks(scene: &Scene<'_>) -> Vec<Finding> {
    let mut by_place: BTreeMap<(String, i64), Vec<&str>> = BTreeMap::new();
    for (name, node) in &scene.mesh.virtual_nodes {
        let Some(place) = place(node) else { continue };
        for listener in &node.listeners {
            let nodes = by_place.entry((place.clone(), listener.port_mapping.port)).or_default();
            if !nodes.contains(&name.as_str()) {
                nodes.push(name);
            }
        }
    }
    let mut found = Vec::new();
    for ((place, port), nodes) in by_place {
        let Some((first, others)) = nodes.split_first() else {
            continue;
        };
        for other in others {
            let message = format!(
                "its tasks on port {port} are those of virtual node {first}: both are found by {place}, so that weights \
                 between them decide nothing"
            );
            let at = "spec.serviceDiscovery";
            found.push(Finding::new(
                Code::SameTasks,
                format!("virtualNode/{other}"),
                at,
                message,
            ));
        }
    }
    found
}

/// By what a node's tasks are found.
fn place(node: &VirtualNodeSpec) -> Option<String> {
    Some(match node.service_discovery.as_ref()? {
        ServiceDiscovery::Dns(dns) => format!("the name {}", dns.hostname.to_ascii_lowercase()),
        ServiceDiscovery::AwsCloudMap(map) => {
            let mut attributes: Vec<String> = map
                .attributes
                .iter()
                .map(|attribute| format!("{}={}", attribute.key, attribute.value))
                .collect();
            attributes.sort();
            let attributes = match attributes.is_empty() {
                true => String::new(),
                false => format!(" with {}", attributes.join(", ")),
            };
            format!(
                "service {} of namespace {}{attributes}",
                map.service_name, map.namespace_name
            )
        }
    })
}
