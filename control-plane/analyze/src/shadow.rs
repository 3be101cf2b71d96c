//! Routes that no request can take.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_ir::route::{Domain, Route};
use ferromesh_ir::ProxyKind;
use ferromesh_model::mesh::{GatewayRoute, VirtualGateway};
use ferromesh_model::resource::{PortProtocol, RouteSpec, VirtualServiceProvider};

use crate::cover::covers;
use crate::scene::{origin, Scene};
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = routes(scene);
    found.extend(gateway_routes(scene));
    found.extend(hidden_by_hosts(scene));
    found.extend(ports(scene));
    found
}

/// Names of routes all of whose variants are covered by an earlier route of another name, with that name. `name` says what
/// a route belongs to.
fn covered<'r>(routes: &'r [Route], name: impl Fn(&'r Route) -> Option<&'r str>) -> BTreeMap<&'r str, Option<&'r str>> {
    let mut by_name: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let Some(own) = name(route) else { continue };
        let mut earlier = routes.iter().take(index);
        let by = earlier.find(|other| name(other) != Some(own) && covers(&other.matcher, &route.matcher));
        let by = by.and_then(&name);
        by_name
            .entry(own)
            .and_modify(|known| *known = known.and(by))
            .or_insert(by);
    }
    by_name
}

/// Routes of virtual routers, as a caller of the service has them.
fn routes(scene: &Scene<'_>) -> Vec<Finding> {
    // Of a router with several services or listeners a route is covered if it is so everywhere.
    let mut by_route: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (_, routes) in scene.services.values().flatten() {
        let named = routes
            .iter()
            .filter_map(|route| Some((route.label.route.as_deref()?, origin(scene.mesh, &route.label)?)));
        let resources: BTreeMap<&str, String> = named.collect();
        for (route, by) in covered(routes, |route| route.label.route.as_deref()) {
            let Some(resource) = resources.get(route) else { continue };
            let by = by.map(str::to_owned);
            by_route
                .entry(resource.clone())
                .and_modify(|known| *known = known.take().filter(|_| by.is_some()))
                .or_insert(by);
        }
    }
    let shadowed = by_route.into_iter().filter_map(|(resource, by)| Some((resource, by?)));
    let finding = |(resource, by): (String, String)| {
        let message = format!("it is never taken: route {by} comes before it and takes every request that it would");
        Finding::new(Code::RouteShadowed, resource, "", message)
    };
    shadowed.map(finding).collect()
}

/// Routes of gateways. What counts is what reaches the services: a request that no service's route behind a gateway route
/// takes goes on to the next one.
fn gateway_routes(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, gateway) in &scene.mesh.virtual_gateways {
        let Some(proxy) = scene.proxy(ProxyKind::VirtualGateway, name) else {
            continue;
        };
        let mut by_route: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for host in proxy.route_tables.iter().flat_map(|table| &table.hosts) {
            for (route, by) in covered(&host.routes, |route| route.label.gateway_route.as_deref()) {
                by_route
                    .entry(route)
                    .and_modify(|known| *known = known.and(by))
                    .or_insert(by);
            }
        }
        let is_there = |route: &&str| gateway.routes.iter().any(|known| known.name == **route);
        for (route, by) in by_route.into_iter().filter(|(route, _)| is_there(route)) {
            let Some(by) = by else { continue };
            let resource = format!("virtualGateway/{name}/gatewayRoute/{route}");
            let message =
                format!("it is never taken: gateway route {by} comes before it and takes every request that it would");
            found.push(Finding::new(Code::GatewayRouteShadowed, resource, "", message));
        }
    }
    found
}

/// A host name that a gateway route names has a virtual host of its own: what its routes do not take is not looked for
/// among those without a host.
fn hidden_by_hosts(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for (name, gateway) in &scene.mesh.virtual_gateways {
        let Some(proxy) = scene.proxy(ProxyKind::VirtualGateway, name) else {
            continue;
        };
        for table in &proxy.route_tables {
            let any = table.hosts.iter().find(|host| host.domains.contains(&Domain::Any));
            let Some(any) = any else { continue };
            for host in table.hosts.iter().filter(|host| !host.domains.contains(&Domain::Any)) {
                let falls_through =
                    |route: &&Route| !host.routes.iter().any(|own| covers(&own.matcher, &route.matcher));
                let hidden = any.routes.iter().find(falls_through);
                let Some(hidden) = hidden.and_then(|route| route.label.gateway_route.as_deref()) else {
                    continue;
                };
                for route in of_host(gateway, host) {
                    let resource = format!("virtualGateway/{name}/gatewayRoute/{}", route.name);
                    let message = format!(
                        "requests for host {} are answered with 404 where gateway route {hidden}, which names no host, \
                         would take them",
                        host.name
                    );
                    found.insert(Finding::new(Code::HostHidesRoutes, resource, "", message));
                }
            }
        }
    }
    found.into_iter().collect()
}

fn of_host<'a>(
    gateway: &'a VirtualGateway,
    host: &'a ferromesh_ir::route::VirtualHost,
) -> impl Iterator<Item = &'a GatewayRoute> {
    let names: BTreeSet<&str> = host
        .routes
        .iter()
        .filter_map(|route| route.label.gateway_route.as_deref())
        .collect();
    gateway
        .routes
        .iter()
        .filter(move |route| names.contains(route.name.as_str()))
}

/// Listeners of routers without a route, and routes without a listener.
fn ports(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, router) in &scene.mesh.virtual_routers {
        let listeners = &router.spec.listeners;
        let provides = scene.mesh.virtual_services.values().any(|service| {
            matches!(&service.provider, Some(VirtualServiceProvider::VirtualRouter(router)) if router.virtual_router_name == *name)
        });
        for (index, listener) in listeners.iter().enumerate() {
            let mapping = listener.port_mapping;
            let is_for = |spec: &RouteSpec| port(spec).is_none_or(|port| port == mapping.port);
            if provides && !router.routes.iter().any(|route| is_for(&route.spec)) {
                let consequence = match mapping.protocol {
                    PortProtocol::Tcp => "connections to it are closed",
                    PortProtocol::Http | PortProtocol::Http2 | PortProtocol::Grpc => "requests are answered with 404",
                };
                let message = format!("no route is for its listener on port {}: {consequence}", mapping.port);
                let path = format!("spec.listeners[{index}]");
                found.push(Finding::new(
                    Code::ListenerWithoutRoute,
                    format!("virtualRouter/{name}"),
                    path,
                    message,
                ));
            }
        }
        for route in &router.routes {
            let Some(port) = port(&route.spec) else { continue };
            if !listeners.is_empty() && !listeners.iter().any(|listener| listener.port_mapping.port == port) {
                let resource = format!("virtualRouter/{name}/route/{}", route.name);
                let message = format!("it is never taken: the router has no listener on port {port}");
                found.push(Finding::new(
                    Code::RouteWithoutListener,
                    resource,
                    format!("spec.{}.match.port", member(&route.spec)),
                    message,
                ));
            }
        }
    }
    found
}

/// The member that holds what kind of route it is.
fn member(spec: &RouteSpec) -> &'static str {
    match spec {
        spec if spec.http_route.is_some() => "httpRoute",
        spec if spec.http2_route.is_some() => "http2Route",
        spec if spec.grpc_route.is_some() => "grpcRoute",
        _ => "tcpRoute",
    }
}

/// The port that a route names.
fn port(spec: &RouteSpec) -> Option<i64> {
    let http = spec.http_route.as_ref().or(spec.http2_route.as_ref());
    let tcp = spec.tcp_route.as_ref();
    http.and_then(|route| route.r#match.port)
        .or(spec.grpc_route.as_ref().and_then(|route| route.r#match.port))
        .or(tcp.and_then(|route| route.r#match).and_then(|matched| matched.port))
}
