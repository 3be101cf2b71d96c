//! Active health checks.

use serde::{Deserialize, Serialize};

use super::{PortProtocol, VirtualGatewayPortProtocol};

/// Active checks of a virtual node's listener, made by every caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheckPolicy {
    /// Consecutive successes after which a task counts as healthy, 2 to 10.
    pub healthy_threshold: i64,
    /// Time between two checks in milliseconds, 5000 to 300000.
    pub interval_millis: i64,
    /// Path requested, for HTTP checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Port checked, 1 to 65535; absent is the listener's, which Describe fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Protocol of the check.
    pub protocol: PortProtocol,
    /// How long one check may last in milliseconds, 2000 to 60000.
    pub timeout_millis: i64,
    /// Consecutive failures after which a task counts as unhealthy, 2 to 10.
    pub unhealthy_threshold: i64,
}

/// Active checks of a virtual gateway's listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewayHealthCheckPolicy {
    /// Consecutive successes after which a task counts as healthy, 2 to 10.
    pub healthy_threshold: i64,
    /// Time between two checks in milliseconds, 5000 to 300000.
    pub interval_millis: i64,
    /// Path requested, for HTTP checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Port checked, 1 to 65535; absent is the listener's, which Describe fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Protocol of the check.
    pub protocol: VirtualGatewayPortProtocol,
    /// How long one check may last in milliseconds, 2000 to 60000.
    pub timeout_millis: i64,
    /// Consecutive failures after which a task counts as unhealthy, 2 to 10.
    pub unhealthy_threshold: i64,
}
