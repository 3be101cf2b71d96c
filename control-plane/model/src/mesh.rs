//! The typed view of one whole mesh, which is what gets lowered to Envoy.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::policy::Policy;
use crate::record::Record;
use crate::resource::{
    GatewayRouteSpec, Kind, MeshSpec, RouteSpec, VirtualGatewaySpec, VirtualNodeSpec, VirtualRouterSpec,
    VirtualServiceSpec,
};
use crate::rollback::Rollbacks;
use crate::Violation;

/// One mesh with everything in it, typed.
///
/// References between resources are what was stored: a target may have been written before it was checked, so whoever
/// follows a name must be ready to find nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// Name of the mesh.
    pub name: String,
    /// Account that owns the mesh.
    pub owner: String,
    /// Spec of the mesh.
    pub spec: MeshSpec,
    /// Virtual nodes by name.
    pub virtual_nodes: BTreeMap<String, VirtualNodeSpec>,
    /// Virtual services by name.
    pub virtual_services: BTreeMap<String, VirtualServiceSpec>,
    /// Virtual routers by name.
    pub virtual_routers: BTreeMap<String, VirtualRouter>,
    /// Virtual gateways by name.
    pub virtual_gateways: BTreeMap<String, VirtualGateway>,
    /// Our own policies, by name.
    pub policies: Vec<Policy>,
    /// What is known of rollbacks, by the policy's name; [`Mesh::assemble`] leaves it to who has read them.
    pub rollbacks: BTreeMap<String, Rollbacks>,
}

/// A virtual router with its routes.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualRouter {
    /// Spec of the router.
    pub spec: VirtualRouterSpec,
    /// Its routes in the order of their names.
    pub routes: Vec<Route>,
}

/// A route of a virtual router.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Name of the route.
    pub name: String,
    /// Spec of the route.
    pub spec: RouteSpec,
    /// Creation time in seconds since 1970-01-01 UTC; breaks ties between routes of equal rank.
    pub created_at: f64,
}

/// A virtual gateway with its routes.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualGateway {
    /// Spec of the gateway.
    pub spec: VirtualGatewaySpec,
    /// Its routes in the order of their names.
    pub routes: Vec<GatewayRoute>,
}

/// A route of a virtual gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayRoute {
    /// Name of the gateway route.
    pub name: String,
    /// Spec of the gateway route.
    pub spec: GatewayRouteSpec,
    /// Creation time in seconds since 1970-01-01 UTC; breaks ties between routes of equal rank.
    pub created_at: f64,
}

impl Mesh {
    /// Makes the typed view of a mesh from its records.
    ///
    /// `children` may hold records of other meshes and the mesh's own record; they are passed over, and so are policies of
    /// other meshes.
    ///
    /// # Errors
    /// All specs that are not of their kind's shape and all routes whose parent is missing, each with the resource's
    /// place in the mesh (`mesh/m/virtualNode/n`) before the path. Specs that came through the API have none.
    pub fn assemble<'a>(
        mesh: &Record,
        children: impl IntoIterator<Item = &'a Record>,
        policies: impl IntoIterator<Item = Policy>,
    ) -> Result<Self, Vec<Violation>> {
        let name = mesh.key.mesh.clone();
        let mut violations = Vec::new();
        let spec = read(mesh, &mut violations).unwrap_or_default();
        let mut assembled = Self {
            name: name.clone(),
            owner: mesh.metadata.mesh_owner.clone(),
            spec,
            virtual_nodes: BTreeMap::new(),
            virtual_services: BTreeMap::new(),
            virtual_routers: BTreeMap::new(),
            virtual_gateways: BTreeMap::new(),
            policies: policies.into_iter().filter(|policy| policy.mesh == name).collect(),
            rollbacks: BTreeMap::new(),
        };
        assembled.policies.sort_by(|a, b| a.name.cmp(&b.name));

        let mut held = Vec::new();
        for record in children.into_iter().filter(|record| record.key.mesh == name) {
            assembled.add(record, &mut held, &mut violations);
        }
        held.sort_by(|a, b| a.key.cmp(&b.key));
        for record in held {
            assembled.add_held(record, &mut violations);
        }
        if violations.is_empty() {
            Ok(assembled)
        } else {
            Err(violations)
        }
    }

    /// Adds a resource that stands directly in the mesh; those held by another one are put aside in `held`.
    fn add<'a>(&mut self, record: &'a Record, held: &mut Vec<&'a Record>, violations: &mut Vec<Violation>) {
        let name = record.key.name.clone();
        match record.key.kind {
            Kind::Mesh => {}
            Kind::Route | Kind::GatewayRoute => held.push(record),
            Kind::VirtualNode => {
                if let Some(spec) = read(record, violations) {
                    self.virtual_nodes.insert(name, spec);
                }
            }
            Kind::VirtualService => {
                if let Some(spec) = read(record, violations) {
                    self.virtual_services.insert(name, spec);
                }
            }
            Kind::VirtualRouter => {
                if let Some(spec) = read(record, violations) {
                    self.virtual_routers.insert(
                        name,
                        VirtualRouter {
                            spec,
                            routes: Vec::new(),
                        },
                    );
                }
            }
            Kind::VirtualGateway => {
                if let Some(spec) = read(record, violations) {
                    self.virtual_gateways.insert(
                        name,
                        VirtualGateway {
                            spec,
                            routes: Vec::new(),
                        },
                    );
                }
            }
        }
    }

    /// Adds a route or gateway route to its parent.
    fn add_held(&mut self, record: &Record, violations: &mut Vec<Violation>) {
        let parent = record.key.parent.as_deref().unwrap_or_default();
        let name = record.key.name.clone();
        let created_at = record.metadata.created_at;
        let found = if record.key.kind == Kind::Route {
            self.virtual_routers.get_mut(parent).map(|router| {
                if let Some(spec) = read(record, violations) {
                    router.routes.push(Route { name, spec, created_at });
                }
            })
        } else {
            self.virtual_gateways.get_mut(parent).map(|gateway| {
                if let Some(spec) = read(record, violations) {
                    gateway.routes.push(GatewayRoute { name, spec, created_at });
                }
            })
        };
        if found.is_none() {
            violations.push(Violation::new(
                record.key.to_string(),
                "its parent is missing or cannot be read",
            ));
        }
    }
}

/// The record's spec, typed.
fn read<T: DeserializeOwned>(record: &Record, violations: &mut Vec<Violation>) -> Option<T> {
    match T::deserialize(&record.spec) {
        Ok(spec) => Some(spec),
        Err(error) => {
            violations.push(Violation::new(
                record.key.to_string(),
                format!("spec cannot be read: {error}"),
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests;
