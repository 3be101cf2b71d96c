//! Time limits that cut one another: a request has to be allowed its time at every hop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferromesh_ir::ProxyKind;
use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::{HttpTimeout, Listener, ListenerTimeout, PortProtocol, VirtualServiceProvider};

use crate::scene::{Call, Labelled, Scene};
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    let arrivals = arrivals(scene);
    for call in &scene.calls {
        let (Some(timeout), Some(listener)) = (call.timeout, listener(scene.mesh, &call.node, call.port)) else {
            continue;
        };
        let said_by_route = said(scene.mesh, &call.label);
        let said_by_listener = of_listener(listener);
        let at_listener = said_by_listener.unwrap_or(scene.options.request_timeout);
        if said_by_route.is_some() && is_longer(timeout, at_listener) {
            let by = if said_by_listener.is_some() {
                ""
            } else {
                ", the default"
            };
            let message = format!(
                "requests may take {} here, and at the listener of virtual node {} on port {} only {}{by}",
                shown(timeout),
                call.node,
                call.port,
                shown(at_listener)
            );
            found.insert(Finding::new(
                Code::TargetCutsTimeout,
                &call.resource,
                path(scene.mesh, &call.label),
                message,
            ));
        }
        if said_by_route.is_none() && said_by_listener.is_some_and(|said| is_longer(said, timeout)) {
            let message = format!(
                "the listener of virtual node {} on port {} allows {}, and requests to it that take this route end after \
                 {}, the default",
                call.node,
                call.port,
                shown(at_listener),
                shown(timeout)
            );
            found.insert(Finding::new(Code::RouteCutsTimeout, &call.resource, "", message));
        }
        if said_by_route.is_some() {
            found.extend(caller(scene, call, timeout, arrivals.get(call.from.name.as_str())));
        }
    }
    found.into_iter().collect()
}

/// Of each node that is called, the time that its listeners allow, by port.
fn arrivals<'s>(scene: &'s Scene<'_>) -> BTreeMap<&'s str, BTreeMap<u16, Duration>> {
    let mut arrivals: BTreeMap<&str, BTreeMap<u16, Duration>> = BTreeMap::new();
    for call in scene.calls.iter().filter(|call| call.timeout.is_some()) {
        if let Some(listener) = listener(scene.mesh, &call.node, call.port) {
            let allowed = of_listener(listener).unwrap_or(scene.options.request_timeout);
            arrivals.entry(&call.node).or_default().insert(call.port, allowed);
        }
    }
    arrivals
}

/// A caller that is itself called has less time for its answer than it gives its own calls.
fn caller(
    scene: &Scene<'_>,
    call: &Call,
    timeout: Duration,
    ports: Option<&BTreeMap<u16, Duration>>,
) -> Option<Finding> {
    if call.from.kind != ProxyKind::VirtualNode {
        return None;
    }
    // With one listener that allows the time, the call may well belong to that one.
    let ports = ports.filter(|ports| ports.values().all(|allowed| is_longer(timeout, *allowed)))?;
    let (port, allowed) = ports.iter().next()?;
    let message = format!(
        "calls that take it may last {}, and virtual node {}, which makes them, must itself answer on port {port} within {}",
        shown(timeout),
        call.from.name,
        shown(*allowed)
    );
    Some(Finding::new(
        Code::CallerCutsTimeout,
        &call.resource,
        path(scene.mesh, &call.label),
        message,
    ))
}

/// Whether the first allows more time; zero is no limit.
fn is_longer(a: Duration, b: Duration) -> bool {
    !b.is_zero() && (a.is_zero() || a > b)
}

fn shown(time: Duration) -> String {
    match (time.is_zero(), time.subsec_millis()) {
        (true, _) => "any time".to_owned(),
        (false, 0) => format!("{} s", time.as_secs()),
        (false, _) => format!("{} ms", time.as_millis()),
    }
}

fn listener<'m>(mesh: &'m Mesh, node: &str, port: u16) -> Option<&'m Listener> {
    let mut listeners = mesh.virtual_nodes.get(node)?.listeners.iter();
    listeners.find(|listener| {
        listener.port_mapping.port == i64::from(port) && listener.port_mapping.protocol != PortProtocol::Tcp
    })
}

fn of_listener(listener: &Listener) -> Option<Duration> {
    match listener.timeout? {
        ListenerTimeout::Http(timeout) | ListenerTimeout::Http2(timeout) | ListenerTimeout::Grpc(timeout) => {
            per_request(Some(timeout))
        }
        ListenerTimeout::Tcp(_) => None,
    }
}

fn per_request(timeout: Option<HttpTimeout>) -> Option<Duration> {
    timeout?.per_request?.as_std()
}

/// The time that a route says itself, with the name of its member.
fn stated(mesh: &Mesh, label: &Labelled) -> Option<(&'static str, Option<Duration>)> {
    let provider = mesh.virtual_services.get(label.service.as_ref()?)?.provider.as_ref()?;
    let VirtualServiceProvider::VirtualRouter(router) = provider else {
        return None;
    };
    let router = mesh.virtual_routers.get(&router.virtual_router_name)?;
    let name = label.route.as_ref()?;
    let spec = &router.routes.iter().find(|route| route.name == *name)?.spec;
    Some(if let Some(route) = &spec.http_route {
        ("httpRoute", per_request(route.timeout))
    } else if let Some(route) = &spec.http2_route {
        ("http2Route", per_request(route.timeout))
    } else {
        ("grpcRoute", per_request(spec.grpc_route.as_ref()?.timeout))
    })
}

fn said(mesh: &Mesh, label: &Labelled) -> Option<Duration> {
    stated(mesh, label)?.1
}

fn path(mesh: &Mesh, label: &Labelled) -> String {
    stated(mesh, label).map_or_else(String::new, |(member, _)| format!("spec.{member}.timeout.perRequest"))
}
