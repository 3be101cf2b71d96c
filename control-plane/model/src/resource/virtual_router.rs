//! A virtual router: the ports on which a virtual service is called.

use serde::{Deserialize, Serialize};

use super::PortMapping;

/// Spec of a virtual router.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterSpec {
    /// The ports that clients dial. With more than one, every route needs `match.port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<VirtualRouterListener>,
}

/// One port of a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterListener {
    /// Port and protocol.
    pub port_mapping: PortMapping,
}
