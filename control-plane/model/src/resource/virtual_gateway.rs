//! A virtual gateway: a proxy through which traffic from outside enters the mesh.

use serde::{Deserialize, Serialize};

use super::{
    VirtualGatewayClientPolicy, VirtualGatewayConnectionPool, VirtualGatewayHealthCheckPolicy,
    VirtualGatewayListenerTls, VirtualGatewayLogging, VirtualGatewayPortMapping,
};

/// Spec of a virtual gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewaySpec {
    /// Settings of all backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_defaults: Option<VirtualGatewayBackendDefaults>,
    /// Ports that the gateway offers.
    pub listeners: Vec<VirtualGatewayListener>,
    /// Access logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<VirtualGatewayLogging>,
}

/// Settings of all of a gateway's backends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewayBackendDefaults {
    /// TLS towards backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_policy: Option<VirtualGatewayClientPolicy>,
}

/// A port that a virtual gateway offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewayListener {
    /// Limits; must be of the listener's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<VirtualGatewayConnectionPool>,
    /// Health checks. App Mesh accepted them without an effect on routing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<VirtualGatewayHealthCheckPolicy>,
    /// Port and protocol.
    pub port_mapping: VirtualGatewayPortMapping,
    /// TLS that the listener speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<VirtualGatewayListenerTls>,
}
