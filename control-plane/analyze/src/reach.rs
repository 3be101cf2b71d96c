//! Resources that nothing leads to.

use std::collections::BTreeSet;

use ferromesh_ir::ProxyKind;
use ferromesh_model::policy::{Policy, ServiceAt};
use ferromesh_model::resource::{Backend, GatewayRouteSpec, RouteSpec, VirtualServiceProvider, WeightedTarget};

use crate::scene::Scene;
use crate::{Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mesh = scene.mesh;
    let named = Named::of(scene);
    let mut found = Vec::new();
    for name in mesh
        .virtual_services
        .keys()
        .filter(|name| !named.services.contains(name.as_str()))
    {
        let message = "no virtual node has it as backend and no gateway route as target".to_owned();
        found.push(Finding::new(
            Code::ServiceUncalled,
            format!("virtualService/{name}"),
            "",
            message,
        ));
    }
    for name in mesh
        .virtual_routers
        .keys()
        .filter(|name| !named.routers.contains(name.as_str()))
    {
        let message = "no virtual service has it as provider: its routes have no effect".to_owned();
        found.push(Finding::new(
            Code::RouterUnused,
            format!("virtualRouter/{name}"),
            "",
            message,
        ));
    }
    for (name, node) in &mesh.virtual_nodes {
        if !named.nodes.contains(name.as_str()) && node.backends.is_empty() {
            let message = "nothing in the mesh calls it, and it calls nothing".to_owned();
            found.push(Finding::new(
                Code::NodeApart,
                format!("virtualNode/{name}"),
                "",
                message,
            ));
        }
    }
    for (name, gateway) in &mesh.virtual_gateways {
        let proxy = scene.proxy(ProxyKind::VirtualGateway, name);
        if proxy.is_some() && gateway.routes.is_empty() {
            let message = "it has no gateway routes: every request is answered with 404".to_owned();
            found.push(Finding::new(
                Code::GatewayWithoutRoutes,
                format!("virtualGateway/{name}"),
                "",
                message,
            ));
        }
    }
    found
}

/// What others name.
#[derive(Default)]
struct Named<'m> {
    services: BTreeSet<&'m str>,
    routers: BTreeSet<&'m str>,
    nodes: BTreeSet<&'m str>,
}

impl<'m> Named<'m> {
    fn of(scene: &Scene<'m>) -> Self {
        let mesh = scene.mesh;
        let mut named = Self::default();
        for Backend::VirtualService(backend) in mesh.virtual_nodes.values().flat_map(|node| &node.backends) {
            named.services.insert(&backend.virtual_service_name);
        }
        for route in mesh.virtual_gateways.values().flat_map(|gateway| &gateway.routes) {
            named.services.extend(service(&route.spec));
        }
        for service in mesh.virtual_services.values() {
            match &service.provider {
                Some(VirtualServiceProvider::VirtualRouter(router)) => {
                    named.routers.insert(&router.virtual_router_name);
                }
                Some(VirtualServiceProvider::VirtualNode(node)) => {
                    named.nodes.insert(&node.virtual_node_name);
                }
                None => {}
            }
        }
        for route in mesh.virtual_routers.values().flat_map(|router| &router.routes) {
            named
                .nodes
                .extend(targets(&route.spec).iter().map(|target| target.virtual_node.as_str()));
        }
        for policy in &mesh.policies {
            named.nodes.extend(nodes(policy));
        }
        named
    }
}

fn service(spec: &GatewayRouteSpec) -> Option<&str> {
    let http = spec.http_route.as_ref().or(spec.http2_route.as_ref());
    let grpc = spec.grpc_route.as_ref();
    let target = http
        .map(|route| &route.action.target)
        .or(grpc.map(|route| &route.action.target))?;
    Some(&target.virtual_service.virtual_service_name)
}

fn targets(spec: &RouteSpec) -> &[WeightedTarget] {
    let http = spec
        .http_route
        .as_ref()
        .or(spec.http2_route.as_ref())
        .map(|route| &route.action);
    let grpc = spec.grpc_route.as_ref().map(|route| &route.action);
    let tcp = spec.tcp_route.as_ref().map(|route| &route.action);
    http.or(grpc)
        .or(tcp)
        .map_or(&[], |action| action.weighted_targets.as_slice())
}

/// The nodes that a policy names.
pub(crate) fn nodes(policy: &Policy) -> impl Iterator<Item = &str> {
    let spec = &policy.spec;
    let authorization = spec.ext_authz.as_ref();
    let global = spec.rate_limit.as_ref().and_then(|limits| limits.global.as_ref());
    let services = [
        authorization.and_then(|authorization| authorization.grpc.as_ref()),
        authorization.and_then(|authorization| authorization.http.as_ref()),
        global.map(|global| &global.service),
    ];
    let services = services.into_iter().flatten().filter_map(|service| match service {
        ServiceAt::VirtualNode(node) => Some(node.name.as_str()),
        ServiceAt::Address(_) => None,
    });
    services.chain(spec.mirror.iter().map(|mirror| mirror.virtual_node.as_str()))
}
