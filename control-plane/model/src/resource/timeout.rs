//! Timeouts of routes and of virtual nodes' listeners.

use serde::{Deserialize, Serialize};

use super::Duration;

/// Timeouts of HTTP requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpTimeout {
    /// How long a stream may be without activity; 0 switches it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// How long a whole request with all its retries may last; 0 switches it off. App Mesh's default is 15 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<Duration>,
}

/// Timeouts of gRPC requests.
pub type GrpcTimeout = HttpTimeout;

/// Timeouts of TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpTimeout {
    /// How long a connection may be without activity; 0 switches it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
}
