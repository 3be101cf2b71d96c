//! What keeps a resource from being deleted.

use super::{route_kinds, Lookup, Refusal, Rejection};
use crate::record::Record;
use crate::resource::{GatewayRouteSpec, Key, Kind, RouteSpec, VirtualServiceProvider, VirtualServiceSpec};

/// Refuses to delete a resource on which others depend.
///
/// A mesh must be empty, a router or gateway without routes; a router or node must be no virtual service's provider, a
/// node no route's target, a virtual service no gateway route's target. Backends of virtual nodes do not count.
pub fn delete<L: Lookup>(lookup: &L, key: &Key) -> Result<(), Refusal<L::Error>> {
    let state = State { lookup, key };
    let reason = match key.kind {
        Kind::Route | Kind::GatewayRoute => None,
        Kind::Mesh => state.mesh()?,
        Kind::VirtualNode => state.virtual_node()?,
        Kind::VirtualRouter => state.virtual_router()?,
        Kind::VirtualGateway => state.virtual_gateway()?,
        Kind::VirtualService => state.virtual_service()?,
    };
    match reason {
        Some(reason) => Err(Rejection::InUse(reason).into()),
        None => Ok(()),
    }
}

struct State<'a, L> {
    lookup: &'a L,
    key: &'a Key,
}

impl<L: Lookup> State<'_, L> {
    fn records(&self, kind: Kind, parent: Option<&str>) -> Result<Vec<Record>, Refusal<L::Error>> {
        self.lookup
            .records(kind, &self.key.mesh, parent)
            .map_err(Refusal::Failed)
    }

    /// Records that may name the resource.
    fn naming(&self, kind: Kind) -> Result<Vec<Record>, Refusal<L::Error>> {
        let Key { mesh, name, .. } = self.key;
        self.lookup.naming(kind, mesh, name).map_err(Refusal::Failed)
    }

    fn mesh(&self) -> Result<Option<String>, Refusal<L::Error>> {
        let mut holds = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mesh) {
            let names = names(self.records(kind, None)?);
            if !names.is_empty() {
                holds.push(format!("{}: [{}]", kind.constant_name(), names.join(", ")));
            }
        }
        let name = &self.key.name;
        Ok((!holds.is_empty()).then(|| {
            format!(
                "Mesh {name} cannot be deleted because it holds the following: {}",
                holds.join(", ")
            )
        }))
    }

    fn virtual_node(&self) -> Result<Option<String>, Refusal<L::Error>> {
        if self.is_provider(Kind::VirtualNode)? {
            return Ok(Some(self.provider_text()));
        }
        let mut routes = self.naming(Kind::Route)?;
        routes.retain(|record| {
            serde::Deserialize::deserialize(&record.spec).is_ok_and(|spec: RouteSpec| {
                let kinds = route_kinds(&spec);
                kinds
                    .iter()
                    .any(|kind| kind.targets.iter().any(|target| target.virtual_node == self.key.name))
            })
        });
        Ok(self.referenced(Kind::Route, routes))
    }

    fn virtual_router(&self) -> Result<Option<String>, Refusal<L::Error>> {
        let name = &self.key.name;
        if !self.records(Kind::Route, Some(name))?.is_empty() {
            return Ok(Some(format!(
                "VirtualRouter you're trying to delete {name} has active routes"
            )));
        }
        Ok(self.is_provider(Kind::VirtualRouter)?.then(|| self.provider_text()))
    }

    fn virtual_gateway(&self) -> Result<Option<String>, Refusal<L::Error>> {
        let name = &self.key.name;
        let has_routes = !self.records(Kind::GatewayRoute, Some(name))?.is_empty();
        Ok(has_routes.then(|| format!("VirtualGateway you're trying to delete {name} has active gateway routes")))
    }

    fn virtual_service(&self) -> Result<Option<String>, Refusal<L::Error>> {
        let mut routes = self.naming(Kind::GatewayRoute)?;
        routes.retain(|record| {
            serde::Deserialize::deserialize(&record.spec).is_ok_and(|spec: GatewayRouteSpec| {
                let http = [&spec.http_route, &spec.http2_route];
                let http = http.into_iter().flatten().map(|route| &route.action.target);
                let grpc = spec.grpc_route.as_ref().map(|route| &route.action.target);
                http.chain(grpc)
                    .any(|target| target.virtual_service.virtual_service_name == self.key.name)
            })
        });
        Ok(self.referenced(Kind::GatewayRoute, routes))
    }

    fn is_provider(&self, kind: Kind) -> Result<bool, Refusal<L::Error>> {
        let services = self.naming(Kind::VirtualService)?;
        Ok(services.iter().any(|record| {
            let spec: Option<VirtualServiceSpec> = serde::Deserialize::deserialize(&record.spec).ok();
            match spec.and_then(|spec| spec.provider) {
                Some(VirtualServiceProvider::VirtualNode(node)) => {
                    kind == Kind::VirtualNode && node.virtual_node_name == self.key.name
                }
                Some(VirtualServiceProvider::VirtualRouter(router)) => {
                    kind == Kind::VirtualRouter && router.virtual_router_name == self.key.name
                }
                None => false,
            }
        }))
    }

    fn provider_text(&self) -> String {
        let Key { kind, name, .. } = self.key;
        format!("{kind} with name {name} cannot be deleted because it is a VirtualService provider")
    }

    fn referenced(&self, by: Kind, records: Vec<Record>) -> Option<String> {
        let Key { kind, name, .. } = self.key;
        let names = names(records);
        (!names.is_empty()).then(|| {
            format!(
                "{kind} {name} is being referenced in the following: {}: [{}]",
                by.constant_name(),
                names.join(", ")
            )
        })
    }
}

/// Names of the first few of many records.
fn names(records: Vec<Record>) -> Vec<String> {
    const SHOWN: usize = 5;
    let more = records.len().saturating_sub(SHOWN);
    let mut names: Vec<_> = records.into_iter().take(SHOWN).map(|record| record.key.name).collect();
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}
