//! A virtual service: the name that applications call, and what answers under it.

use serde::{Deserialize, Serialize};

/// Spec of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualServiceSpec {
    /// What answers; without one every request gets 404.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<VirtualServiceProvider>,
}

/// What answers for a virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VirtualServiceProvider {
    /// One virtual node.
    VirtualNode(VirtualNodeServiceProvider),
    /// A virtual router with its routes.
    VirtualRouter(VirtualRouterServiceProvider),
}

/// A virtual node as provider: one implicit route to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeServiceProvider {
    /// Name of a virtual node of the same mesh, 1 to 255 characters.
    pub virtual_node_name: String,
}

/// A virtual router as provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterServiceProvider {
    /// Name of a virtual router of the same mesh, 1 to 255 characters.
    pub virtual_router_name: String,
}
