//! Connection pools: limits on connections and requests.

use serde::{Deserialize, Serialize};

/// Limits of a virtual node's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VirtualNodeConnectionPool {
    /// For gRPC.
    Grpc(VirtualNodeGrpcConnectionPool),
    /// For HTTP/1.1.
    Http(VirtualNodeHttpConnectionPool),
    /// For HTTP/2.
    Http2(VirtualNodeHttp2ConnectionPool),
    /// For TCP.
    Tcp(VirtualNodeTcpConnectionPool),
}

/// Limits for HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeHttpConnectionPool {
    /// Connections at a time, 1 or more.
    pub max_connections: i64,
    /// Requests waiting for a connection, 1 or more; absent is 2147483647.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending_requests: Option<i64>,
}

/// Limits for HTTP/2 or gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeHttp2ConnectionPool {
    /// Requests at a time, 1 or more.
    pub max_requests: i64,
}

/// Limits for gRPC.
pub type VirtualNodeGrpcConnectionPool = VirtualNodeHttp2ConnectionPool;

/// Limits for TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeTcpConnectionPool {
    /// Connections at a time, 1 or more.
    pub max_connections: i64,
}

/// Limits of a virtual gateway's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VirtualGatewayConnectionPool {
    /// For gRPC.
    Grpc(VirtualGatewayGrpcConnectionPool),
    /// For HTTP/1.1.
    Http(VirtualGatewayHttpConnectionPool),
    /// For HTTP/2.
    Http2(VirtualGatewayHttp2ConnectionPool),
}

/// Limits for HTTP/1.1.
pub type VirtualGatewayHttpConnectionPool = VirtualNodeHttpConnectionPool;

/// Limits for HTTP/2.
pub type VirtualGatewayHttp2ConnectionPool = VirtualNodeHttp2ConnectionPool;

/// Limits for gRPC.
pub type VirtualGatewayGrpcConnectionPool = VirtualNodeHttp2ConnectionPool;
