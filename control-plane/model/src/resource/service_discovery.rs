//! How a virtual node's tasks are found.

use serde::{Deserialize, Serialize};

use super::IpPreference;

/// How a virtual node's tasks are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceDiscovery {
    /// As instances of a Cloud Map service.
    AwsCloudMap(AwsCloudMapServiceDiscovery),
    /// By a DNS name.
    Dns(DnsServiceDiscovery),
}

/// Tasks behind a DNS name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsServiceDiscovery {
    /// The name.
    pub hostname: String,
    /// Overrides the mesh's preference for this destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_preference: Option<IpPreference>,
    /// What the name's addresses are; absent is [`DnsResponseType::Loadbalancer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_type: Option<DnsResponseType>,
}

/// What a DNS name's addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DnsResponseType {
    /// Interchangeable addresses of load balancers: a new connection takes the first of the latest answer.
    #[serde(rename = "LOADBALANCER")]
    Loadbalancer,
    /// The tasks themselves: each address is balanced, checked and ejected by itself.
    #[serde(rename = "ENDPOINTS")]
    Endpoints,
}

impl DnsResponseType {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loadbalancer => "LOADBALANCER",
            Self::Endpoints => "ENDPOINTS",
        }
    }
}

/// Tasks registered in Cloud Map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsCloudMapServiceDiscovery {
    /// Attributes that an instance must all have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AwsCloudMapInstanceAttribute>,
    /// Overrides the mesh's preference for this destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_preference: Option<IpPreference>,
    /// Cloud Map namespace, 1 to 1024 characters.
    pub namespace_name: String,
    /// Cloud Map service, 1 to 1024 characters.
    pub service_name: String,
}

/// An attribute of a Cloud Map instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsCloudMapInstanceAttribute {
    /// Key, 1 to 255 printable ASCII characters without blanks.
    pub key: String,
    /// Value, 1 to 1024 printable ASCII characters.
    pub value: String,
}
