//! Ports and protocols of listeners.

use serde::{Deserialize, Serialize};

/// A port and the protocol spoken on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// Port, 1 to 65535.
    pub port: i64,
    /// Protocol.
    pub protocol: PortProtocol,
}

/// Protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PortProtocol {
    /// HTTP/1.1.
    #[serde(rename = "http")]
    Http,
    /// Bytes.
    #[serde(rename = "tcp")]
    Tcp,
    /// HTTP/2.
    #[serde(rename = "http2")]
    Http2,
    /// gRPC over HTTP/2.
    #[serde(rename = "grpc")]
    Grpc,
}

impl PortProtocol {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
        }
    }
}

/// A port of a virtual gateway and the protocol spoken on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewayPortMapping {
    /// Port, 1 to 65535.
    pub port: i64,
    /// Protocol.
    pub protocol: VirtualGatewayPortProtocol,
}

/// Protocol of a virtual gateway's listener; gateways carry no plain TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VirtualGatewayPortProtocol {
    /// HTTP/1.1.
    #[serde(rename = "http")]
    Http,
    /// HTTP/2.
    #[serde(rename = "http2")]
    Http2,
    /// gRPC over HTTP/2.
    #[serde(rename = "grpc")]
    Grpc,
}

impl VirtualGatewayPortProtocol {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
        }
    }
}
