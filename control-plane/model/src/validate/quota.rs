//! How many resources there may be.

use serde::{Deserialize, Serialize};

use super::{Lookup, Refusal, Rejection};
use crate::resource::{Key, Kind};

/// Most resources of each kind; an absent member is no limit, which is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quotas {
    /// Meshes in the account.
    pub meshes: Option<usize>,
    /// Virtual services in a mesh.
    pub virtual_services: Option<usize>,
    /// Virtual nodes in a mesh.
    pub virtual_nodes: Option<usize>,
    /// Virtual routers in a mesh.
    pub virtual_routers: Option<usize>,
    /// Virtual gateways in a mesh.
    pub virtual_gateways: Option<usize>,
    /// Routes of a virtual router.
    pub routes: Option<usize>,
    /// Gateway routes of a virtual gateway.
    pub gateway_routes: Option<usize>,
    /// Backends of a virtual node.
    pub backends: Option<usize>,
    /// Envoys that are connected for a virtual node, at one control plane.
    pub envoys_per_virtual_node: Option<usize>,
    /// Envoys that are connected for a virtual gateway, at one control plane.
    pub envoys_per_virtual_gateway: Option<usize>,
}

impl Quotas {
    /// The quotas that App Mesh gave a new account.
    pub fn app_mesh() -> Self {
        Self {
            meshes: Some(15),
            virtual_services: Some(200),
            virtual_nodes: Some(200),
            virtual_routers: Some(200),
            virtual_gateways: Some(3),
            routes: Some(50),
            gateway_routes: Some(10),
            backends: Some(50),
            envoys_per_virtual_node: Some(50),
            envoys_per_virtual_gateway: Some(50),
        }
    }

    fn of(&self, kind: Kind) -> Option<usize> {
        match kind {
            Kind::Mesh => self.meshes,
            Kind::VirtualNode => self.virtual_nodes,
            Kind::VirtualService => self.virtual_services,
            Kind::VirtualRouter => self.virtual_routers,
            Kind::Route => self.routes,
            Kind::VirtualGateway => self.virtual_gateways,
            Kind::GatewayRoute => self.gateway_routes,
        }
    }
}

/// Refuses a resource that is over the quota: a new one (`is_new`) by its kind's count, a virtual node also by its
/// backends.
pub fn quota<L: Lookup>(
    lookup: &L,
    quotas: &Quotas,
    key: &Key,
    is_new: New,
    backends: usize,
) -> Result<(), Refusal<L::Error>> {
    if let (New::Yes, Some(limit)) = (is_new, quotas.of(key.kind)) {
        let there = lookup
            .count(key.kind, &key.mesh, key.parent.as_deref())
            .map_err(Refusal::Failed)?;
        if there >= limit {
            let place = match (key.kind, key.parent_key()) {
                (Kind::Mesh, _) => "this account".to_owned(),
                (_, Some(parent)) => format!("{} {}", parent.kind, parent.name),
                (_, None) => format!("mesh {}", key.mesh),
            };
            let kind = key.kind;
            return Err(Rejection::Limit(format!("{place} has {there} of at most {limit} {kind} resources")).into());
        }
    }
    match quotas.backends {
        Some(limit) if backends > limit => Err(Rejection::Limit(format!(
            "spec.backends: must have at most {limit} elements, has {backends}"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Whether a resource is made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum New {
    /// It is made.
    Yes,
    /// It is changed.
    No,
}
