//! Rules between a resource and those it names.

use serde_json::Value;

use super::ports::{gateway_port, listener, node_ports, provider_port, route_port, router_ports, target_port};
use super::{route_kinds, typed, Lookup, Refusal, Rejection};
use crate::record::Record;
use crate::resource::{
    GatewayRouteSpec, Key, Kind, RouteSpec, VirtualGatewaySpec, VirtualNodeSpec, VirtualRouterSpec,
    VirtualServiceProvider, VirtualServiceSpec,
};
use crate::Violation;

/// Refuses a new or changed resource whose parents or references do not fit.
///
/// `account` is the account in whose name messages speak. The spec must have passed [`super::spec`].
///
/// Checked: the mesh and the router or gateway exist; a route's targets, a virtual service's provider and a gateway
/// route's virtual service exist; a route is of its router listener's protocol; ports are given where there are several
/// listeners. Not checked, as in App Mesh: whether a virtual node's backends exist, and whether routes still fit when a
/// virtual node changes.
pub fn put<L: Lookup>(lookup: &L, account: &str, key: &Key, spec: &Value) -> Result<(), Refusal<L::Error>> {
    parents(lookup, account, key)?;
    let state = State { lookup, key };
    match key.kind {
        Kind::Mesh | Kind::VirtualNode | Kind::VirtualGateway => Ok(()),
        Kind::VirtualRouter => state.virtual_router(&read(spec)?),
        Kind::Route => state.route(&read(spec)?),
        Kind::VirtualService => state.virtual_service(&read(spec)?),
        Kind::GatewayRoute => state.gateway_route(&read(spec)?),
    }
}

/// Refuses a resource whose mesh, router or gateway does not exist.
pub fn parents<L: Lookup>(lookup: &L, account: &str, key: &Key) -> Result<(), Refusal<L::Error>> {
    if key.kind == Kind::Mesh {
        return Ok(());
    }
    let mut parents = vec![Key::mesh(key.mesh.clone())];
    parents.extend(key.parent_key());
    for parent in parents {
        if lookup.record(&parent).map_err(Refusal::Failed)?.is_none() {
            return Err(not_found(account, &parent).into());
        }
    }
    Ok(())
}

/// What a client hears of a resource that does not exist.
pub fn not_found(account: &str, key: &Key) -> Rejection {
    let Key { kind, mesh, name, .. } = key;
    Rejection::Missing(match (kind, key.parent_key()) {
        (Kind::Mesh, _) => format!("Mesh with name {name} is not present for account {account}"),
        (_, None) => format!("{kind} with name {name} is not present under mesh {mesh} for account {account}"),
        (_, Some(parent)) => format!(
            "{kind} with name {name} is not present under {} {} of mesh {mesh} for account {account}",
            parent.kind, parent.name
        ),
    })
}

fn read<T: serde::de::DeserializeOwned, E>(spec: &Value) -> Result<T, Refusal<E>> {
    typed(spec).map_err(|violation| Rejection::Invalid(vec![violation.under("spec")]).into())
}

/// The stored spec of a record; one that cannot be read is no obstacle to changing another resource.
fn stored<T: serde::de::DeserializeOwned>(record: &Record) -> Option<T> {
    T::deserialize(&record.spec).ok()
}

struct State<'a, L> {
    lookup: &'a L,
    key: &'a Key,
}

impl<L: Lookup> State<'_, L> {
    fn in_mesh(&self, kind: Kind, name: &str) -> Result<Option<Record>, Refusal<L::Error>> {
        let key = Key::in_mesh(self.key.mesh.clone(), kind, name);
        self.lookup.record(&key).map_err(Refusal::Failed)
    }

    fn parent<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, Refusal<L::Error>> {
        let Some(parent) = self.key.parent_key() else {
            return Ok(None);
        };
        Ok(self
            .lookup
            .record(&parent)
            .map_err(Refusal::Failed)?
            .as_ref()
            .and_then(stored))
    }

    fn virtual_service(&self, spec: &VirtualServiceSpec) -> Result<(), Refusal<L::Error>> {
        let (kind, name, path) = match &spec.provider {
            None => return Ok(()),
            Some(VirtualServiceProvider::VirtualNode(node)) => (
                Kind::VirtualNode,
                &node.virtual_node_name,
                "spec.provider.virtualNode.virtualNodeName",
            ),
            Some(VirtualServiceProvider::VirtualRouter(router)) => (
                Kind::VirtualRouter,
                &router.virtual_router_name,
                "spec.provider.virtualRouter.virtualRouterName",
            ),
        };
        match self.in_mesh(kind, name)? {
            Some(_) => Ok(()),
            None => Err(Rejection::Missing(missing(kind, name, path)).into()),
        }
    }

    /// A router's listeners against the routes it has already.
    fn virtual_router(&self, spec: &VirtualRouterSpec) -> Result<(), Refusal<L::Error>> {
        let routes = self
            .lookup
            .records(Kind::Route, &self.key.mesh, Some(&self.key.name))
            .map_err(Refusal::Failed)?;
        let mut portless = Vec::new();
        let mut found = Vec::new();
        for record in &routes {
            let Some(route) = stored::<RouteSpec>(record) else {
                continue;
            };
            for kind in route_kinds(&route) {
                if kind.port.is_none() {
                    portless.push(record.key.name.as_str());
                }
                if let Some((index, listener)) = listener(&router_ports(spec), kind.port) {
                    if listener != kind.protocol {
                        found.push(Violation::new(
                            format!("spec.listeners[{index}].portMapping.protocol"),
                            format!(
                                "must be {} as long as route {} is a {}, is {}",
                                kind.protocol.as_str(),
                                record.key.name,
                                kind.member,
                                listener.as_str()
                            ),
                        ));
                    }
                }
            }
        }
        if spec.listeners.len() > 1 && !portless.is_empty() {
            let shown = &portless[..portless.len().min(5)];
            found = vec![Violation::new(
                "",
                format!(
                    "All Routes for this Virtual Router must define a port match before adding multiple listeners to \
                     this Virtual Router. {} Route(s) are missing port. Listing up to 5 route names: [{}]",
                    portless.len(),
                    shown.join(", ")
                ),
            )];
        }
        refuse(found, Vec::new())
    }

    fn route(&self, spec: &RouteSpec) -> Result<(), Refusal<L::Error>> {
        let mut found = Vec::new();
        let mut absent = Vec::new();
        let router = self.parent::<VirtualRouterSpec>()?;
        for kind in route_kinds(spec) {
            let at = format!("spec.{}", kind.member);
            if let Some(router) = &router {
                let ports = router_ports(router);
                route_port(
                    &at,
                    &self.key.parent.clone().unwrap_or_default(),
                    &ports,
                    &kind,
                    &mut found,
                );
            }
            for (index, target) in kind.targets.iter().enumerate() {
                let at = format!("{at}.action.weightedTargets[{index}]");
                match self.in_mesh(Kind::VirtualNode, &target.virtual_node)? {
                    None => absent.push(missing(
                        Kind::VirtualNode,
                        &target.virtual_node,
                        &format!("{at}.virtualNode"),
                    )),
                    Some(record) => {
                        if let Some(node) = stored(&record) {
                            target_port(&at, &target.virtual_node, &node, target.port, kind.protocol, &mut found);
                        }
                    }
                }
            }
        }
        refuse(found, absent)
    }

    fn gateway_route(&self, spec: &GatewayRouteSpec) -> Result<(), Refusal<L::Error>> {
        let mut found = Vec::new();
        let mut absent = Vec::new();
        let gateway = self.parent::<VirtualGatewaySpec>()?;
        let mut routes = Vec::new();
        if let Some(route) = &spec.grpc_route {
            routes.push(("grpcRoute", true, route.r#match.port, &route.action.target));
        }
        if let Some(route) = &spec.http2_route {
            routes.push(("http2Route", true, route.r#match.port, &route.action.target));
        }
        if let Some(route) = &spec.http_route {
            routes.push(("httpRoute", false, route.r#match.port, &route.action.target));
        }
        for (member, is_http2, port, target) in routes {
            if let Some(gateway) = &gateway {
                let name = self.key.parent.as_deref().unwrap_or_default();
                gateway_port(&format!("spec.{member}"), name, gateway, is_http2, port, &mut found);
            }
            let name = &target.virtual_service.virtual_service_name;
            let at = format!("spec.{member}.action.target");
            match self.in_mesh(Kind::VirtualService, name)? {
                None => absent.push(missing(
                    Kind::VirtualService,
                    name,
                    &format!("{at}.virtualService.virtualServiceName"),
                )),
                Some(record) => {
                    let ports = self.provider_ports(&record)?;
                    provider_port(&at, name, &ports, target.port, &mut found);
                }
            }
        }
        refuse(found, absent)
    }

    /// Ports of the router or node that answers for a virtual service.
    fn provider_ports(&self, service: &Record) -> Result<Vec<i64>, Refusal<L::Error>> {
        let spec = stored::<VirtualServiceSpec>(service);
        Ok(match spec.and_then(|spec| spec.provider) {
            None => Vec::new(),
            Some(VirtualServiceProvider::VirtualRouter(router)) => {
                let record = self.in_mesh(Kind::VirtualRouter, &router.virtual_router_name)?;
                let spec = record.as_ref().and_then(stored::<VirtualRouterSpec>);
                spec.map_or_else(Vec::new, |spec| {
                    router_ports(&spec).into_iter().map(|(port, _)| port).collect()
                })
            }
            Some(VirtualServiceProvider::VirtualNode(node)) => {
                let record = self.in_mesh(Kind::VirtualNode, &node.virtual_node_name)?;
                let spec = record.as_ref().and_then(stored::<VirtualNodeSpec>);
                spec.map_or_else(Vec::new, |spec| {
                    node_ports(&spec).into_iter().map(|(port, _)| port).collect()
                })
            }
        })
    }
}

/// Bad requests come before missing references, because only the former can be told without the state of others.
fn refuse<E>(found: Vec<Violation>, absent: Vec<String>) -> Result<(), Refusal<E>> {
    if !found.is_empty() {
        Err(Rejection::Invalid(found).into())
    } else if !absent.is_empty() {
        Err(Rejection::Missing(absent.join("; ")).into())
    } else {
        Ok(())
    }
}

/// What a client hears of a reference that leads nowhere. The text before the bracket is App Mesh's.
fn missing(kind: Kind, name: &str, path: &str) -> String {
    format!("{kind} with name {name} is missing ({path})")
}
