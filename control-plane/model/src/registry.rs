//! The registry of tasks that stands in for AWS Cloud Map: namespaces hold services, services hold instances, and an
//! instance is a task with its addresses and attributes.
//!
//! These are the stored forms. The limits are Cloud Map's, from its service model; [`check`] has them. [`Directory`] is
//! what the lowering asks: which instances of a service a virtual node means.

pub mod check;
mod directory;
mod instance;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Tag;

pub use directory::{Absent, Directory};
pub use instance::{Health, Instance, ALIAS_DNS_NAME, CNAME, EC2_INSTANCE_ID, INITIAL_HEALTH, IPV4, IPV6, PORT};

/// What a namespace was made for. Names are resolved through the API and by proxies alike; no DNS zone is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NamespaceKind {
    /// Discovery by API calls only.
    #[serde(rename = "HTTP")]
    Http,
    /// Discovery by a private DNS zone too.
    #[serde(rename = "DNS_PRIVATE")]
    DnsPrivate,
    /// Discovery by a public DNS zone too.
    #[serde(rename = "DNS_PUBLIC")]
    DnsPublic,
}

impl NamespaceKind {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::DnsPrivate => "DNS_PRIVATE",
            Self::DnsPublic => "DNS_PUBLIC",
        }
    }
}

/// A namespace. Its name is unique in the registry and never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Namespace {
    /// Name: `apps.local`.
    pub name: String,
    /// Id that no other namespace has had: `ns-` and 16 digits.
    pub id: String,
    /// What it was made for.
    #[serde(rename = "type")]
    pub kind: NamespaceKind,
    /// For people, at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Time to live of the zone's SOA record in seconds, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soa_ttl: Option<i64>,
    /// Creation time in seconds since 1970-01-01 UTC, with a fraction.
    pub created_at: f64,
    /// The call that made it, as its client numbered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_request_id: Option<String>,
    /// The operation that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Tags in the order of their keys, which are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// A service of a namespace. Its name is unique there and never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Name of its namespace.
    pub namespace: String,
    /// Id of its namespace.
    pub namespace_id: String,
    /// Name: `colour`.
    pub name: String,
    /// Id that no other service has had: `srv-` and 16 digits.
    pub id: String,
    /// For people, at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// DNS records that an instance would have; kept as they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsConfig>,
    /// Whether somebody reports the instances' health. Without that every instance is taken for alive.
    pub custom_health: bool,
    /// Attributes of the service itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// One more after each registration and deregistration.
    pub instances_revision: u64,
    /// Creation time in seconds since 1970-01-01 UTC, with a fraction.
    pub created_at: f64,
    /// The call that made it, as its client numbered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_request_id: Option<String>,
    /// Tags in the order of their keys, which are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

impl Service {
    /// `HTTP` or `DNS_HTTP`, as the wire has it.
    pub fn kind(&self) -> &'static str {
        if self.dns.is_some() {
            "DNS_HTTP"
        } else {
            "HTTP"
        }
    }

    /// Whether instances must have a record of this type.
    pub fn has_record(&self, kind: RecordKind) -> bool {
        let records = self.dns.iter().flat_map(|dns| &dns.dns_records);
        records.into_iter().any(|record| record.kind == kind)
    }
}

/// The DNS records of a service's instances, in the wire form of Cloud Map's `DnsConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DnsConfig {
    /// Deprecated by Cloud Map: the namespace's id once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
    /// How many of the instances an answer would hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_policy: Option<RoutingPolicy>,
    /// The records.
    pub dns_records: Vec<DnsRecord>,
}

/// How many instances a DNS answer would hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RoutingPolicy {
    /// Up to eight.
    Multivalue,
    /// One.
    Weighted,
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DnsRecord {
    /// Its type.
    #[serde(rename = "Type")]
    pub kind: RecordKind,
    /// Time to live in seconds, 0 to 2147483647.
    #[serde(rename = "TTL")]
    pub ttl: i64,
}

/// Type of a DNS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordKind {
    /// Address and port.
    Srv,
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
}

/// What was done on somebody's call. Everything is done when the call is answered, so each has succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// Id: begins with the time, so that ids are in the order of their operations.
    pub id: String,
    /// `CREATE_NAMESPACE`, `REGISTER_INSTANCE` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was done, in seconds since 1970-01-01 UTC, with a fraction.
    pub at: f64,
    /// Ids by `NAMESPACE`, `SERVICE` and `INSTANCE`.
    pub targets: BTreeMap<String, String>,
}
