//! An instance: one task with its addresses, attributes and health.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Attribute with a task's IPv4 address.
pub const IPV4: &str = "AWS_INSTANCE_IPV4";
/// Attribute with a task's IPv6 address.
pub const IPV6: &str = "AWS_INSTANCE_IPV6";
/// Attribute with a port of a task. Proxies call the virtual node's listener port whatever it says: that is the port whose
/// traffic the task's own proxy takes.
pub const PORT: &str = "AWS_INSTANCE_PORT";
/// Attribute with the health to begin with.
pub const INITIAL_HEALTH: &str = "AWS_INIT_HEALTH_STATUS";
/// Attribute with another name of a task.
pub const CNAME: &str = "AWS_INSTANCE_CNAME";
/// Attribute with a load balancer's name, which takes Route 53 to resolve.
pub const ALIAS_DNS_NAME: &str = "AWS_ALIAS_DNS_NAME";
/// Attribute with an EC2 instance's id, which takes EC2 to resolve.
pub const EC2_INSTANCE_ID: &str = "AWS_EC2_INSTANCE_ID";

/// What was last reported of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Health {
    /// It takes requests.
    Healthy,
    /// It takes none.
    Unhealthy,
}

impl Health {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// An instance of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    /// Name of its namespace.
    pub namespace: String,
    /// Name of its service.
    pub service: String,
    /// Id, unique in its service and chosen by whoever registers it.
    pub id: String,
    /// Addresses and whatever else it was registered with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What was last reported of it. Only looked at when its service has a custom health check.
    pub health: Health,
    /// Time of the registration in seconds since 1970-01-01 UTC, with a fraction.
    pub registered_at: f64,
    /// The call that registered it, as its client numbered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_request_id: Option<String>,
    /// The operation that registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

impl Instance {
    /// Its IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.attributes.get(IPV4)?.parse().ok()
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.attributes.get(IPV6)?.parse().ok()
    }

    /// Whether it has every one of these attributes with just this value.
    pub fn has_all<'a>(&self, attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
        let mut attributes = attributes.into_iter();
        attributes.all(|(key, value)| self.attributes.get(key).is_some_and(|has| has == value))
    }
}
