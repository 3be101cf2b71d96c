//! Retry policies of routes.

use serde::{Deserialize, Serialize};

use super::Duration;

/// When and how often a failed HTTP request is tried again. App Mesh's documentation asks for at least one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRetryPolicy {
    /// Answers that are retried, 1 to 25.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_retry_events: Vec<HttpRetryPolicyEvent>,
    /// Tries beyond the first, 0 or more.
    pub max_retries: i64,
    /// How long one try may last.
    pub per_retry_timeout: Duration,
    /// Connection failures that are retried, at most 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp_retry_events: Vec<TcpRetryPolicyEvent>,
}

/// When and how often a failed gRPC request is tried again. App Mesh's documentation asks for at least one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRetryPolicy {
    /// gRPC statuses that are retried, 1 to 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc_retry_events: Vec<GrpcRetryPolicyEvent>,
    /// Answers that are retried, 1 to 25.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_retry_events: Vec<HttpRetryPolicyEvent>,
    /// Tries beyond the first, 0 or more.
    pub max_retries: i64,
    /// How long one try may last.
    pub per_retry_timeout: Duration,
    /// Connection failures that are retried, at most 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp_retry_events: Vec<TcpRetryPolicyEvent>,
}

/// A class of HTTP failures. The service model leaves this a free string of 1 to 25 characters; its documentation knows these four, and others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HttpRetryPolicyEvent {
    /// 500 to 508, 510 and 511.
    #[serde(rename = "server-error")]
    ServerError,
    /// 502, 503 and 504.
    #[serde(rename = "gateway-error")]
    GatewayError,
    /// 409.
    #[serde(rename = "client-error")]
    ClientError,
    /// The stream was refused.
    #[serde(rename = "stream-error")]
    StreamError,
}

impl HttpRetryPolicyEvent {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerError => "server-error",
            Self::GatewayError => "gateway-error",
            Self::ClientError => "client-error",
            Self::StreamError => "stream-error",
        }
    }
}

/// A gRPC status that is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GrpcRetryPolicyEvent {
    /// `CANCELLED`.
    #[serde(rename = "cancelled")]
    Cancelled,
    /// `DEADLINE_EXCEEDED`.
    #[serde(rename = "deadline-exceeded")]
    DeadlineExceeded,
    /// `INTERNAL`.
    #[serde(rename = "internal")]
    Internal,
    /// `RESOURCE_EXHAUSTED`.
    #[serde(rename = "resource-exhausted")]
    ResourceExhausted,
    /// `UNAVAILABLE`.
    #[serde(rename = "unavailable")]
    Unavailable,
}

impl GrpcRetryPolicyEvent {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Internal => "internal",
            Self::ResourceExhausted => "resource-exhausted",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A connection failure that is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TcpRetryPolicyEvent {
    /// The connection could not be made.
    #[serde(rename = "connection-error")]
    ConnectionError,
}

impl TcpRetryPolicyEvent {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionError => "connection-error",
        }
    }
}
