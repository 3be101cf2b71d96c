//! The mesh itself: what may leave it, and which addresses its nodes prefer.

use serde::{Deserialize, Serialize};

/// Spec of a mesh. Every member is optional; an absent spec is an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeshSpec {
    /// What a virtual node may reach besides its backends; absent is [`EgressFilterType::DropAll`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_filter: Option<EgressFilter>,
    /// How the mesh's destinations are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_discovery: Option<MeshServiceDiscovery>,
}

/// The mesh's egress filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressFilter {
    /// What happens to traffic for destinations outside the mesh.
    pub r#type: EgressFilterType,
}

/// What happens to traffic for destinations outside the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EgressFilterType {
    /// It passes through unchanged.
    #[serde(rename = "ALLOW_ALL")]
    AllowAll,
    /// It is refused; the default.
    #[serde(rename = "DROP_ALL")]
    DropAll,
}

impl EgressFilterType {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowAll => "ALLOW_ALL",
            Self::DropAll => "DROP_ALL",
        }
    }
}

/// How a mesh's destinations are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeshServiceDiscovery {
    /// Address families used for destinations, listeners and the local application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_preference: Option<IpPreference>,
}

/// Which IP versions are used, and which first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IpPreference {
    /// IPv6, else IPv4.
    #[serde(rename = "IPv6_PREFERRED")]
    Ipv6Preferred,
    /// IPv4, else IPv6.
    #[serde(rename = "IPv4_PREFERRED")]
    Ipv4Preferred,
    /// IPv4 only.
    #[serde(rename = "IPv4_ONLY")]
    Ipv4Only,
    /// IPv6 only.
    #[serde(rename = "IPv6_ONLY")]
    Ipv6Only,
}

impl IpPreference {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv6Preferred => "IPv6_PREFERRED",
            Self::Ipv4Preferred => "IPv4_PREFERRED",
            Self::Ipv4Only => "IPv4_ONLY",
            Self::Ipv6Only => "IPv6_ONLY",
        }
    }
}
