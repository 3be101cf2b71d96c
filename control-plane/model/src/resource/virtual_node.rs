//! A virtual node: a group of tasks with the listeners they offer and the services they call.

use serde::{Deserialize, Serialize};

use super::{
    ClientPolicy, Duration, GrpcTimeout, HealthCheckPolicy, HttpTimeout, ListenerTls, Logging, PortMapping,
    ServiceDiscovery, TcpTimeout, VirtualNodeConnectionPool,
};

/// Spec of a virtual node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeSpec {
    /// Settings of backends that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_defaults: Option<BackendDefaults>,
    /// Virtual services that the node calls. They need not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<Backend>,
    /// Ports that the node offers; without any the node only calls others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// Access logs of ingress and egress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// How callers find the node; required with listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_discovery: Option<ServiceDiscovery>,
}

/// Something that a virtual node calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    /// A virtual service.
    VirtualService(VirtualServiceBackend),
}

/// A virtual service that a virtual node calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualServiceBackend {
    /// TLS towards this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_policy: Option<ClientPolicy>,
    /// Name of the virtual service.
    pub virtual_service_name: String,
}

/// Settings of backends that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendDefaults {
    /// TLS towards backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_policy: Option<ClientPolicy>,
}

/// A port that a virtual node offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// Limits that protect the application; must be of the listener's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<VirtualNodeConnectionPool>,
    /// Active checks that the node's callers make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckPolicy>,
    /// When callers stop using a task that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// Port and protocol.
    pub port_mapping: PortMapping,
    /// Timeouts on the way to the application; must be of the listener's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<ListenerTimeout>,
    /// TLS that the listener speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
}

/// Timeouts of a virtual node's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTimeout {
    /// For gRPC.
    Grpc(GrpcTimeout),
    /// For HTTP/1.1.
    Http(HttpTimeout),
    /// For HTTP/2.
    Http2(HttpTimeout),
    /// For TCP.
    Tcp(TcpTimeout),
}

/// When callers stop using a task that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    /// How long a first ejection lasts.
    pub base_ejection_duration: Duration,
    /// Time between two sweeps.
    pub interval: Duration,
    /// Most tasks ejected at a time, in percent of all, 0 to 100.
    pub max_ejection_percent: i64,
    /// Consecutive 5xx answers that lead to ejection, 1 or more.
    pub max_server_errors: i64,
}
