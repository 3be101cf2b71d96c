//! Services that filters ask: authorization and rate limit services.

use serde::{Deserialize, Serialize};

use super::check::{m, NAME, PORT};
use crate::shapes::{Shape, Type};
use crate::Violation;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ServiceAt {
    /// At `host:port`, reached in the clear.
    Address(String),
    /// At a virtual node of the mesh, reached as its callers reach it (TLS included).
    VirtualNode(NodePort),
}

/// A virtual node's listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePort {
    /// The virtual node.
    pub name: String,
    /// Port of its listener; may be left out where it has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
}

/// What happens to requests when the service does not answer, or not in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// They are refused.
    #[default]
    Deny,
    /// They pass.
    Allow,
}

pub(super) static SERVICE_AT: Shape = Shape {
    name: "ServiceAt",
    ty: Type::Union(&[m("address", &ADDRESS, false), m("virtualNode", &NODE_PORT, false)]),
};
static ADDRESS: Shape = Shape {
    name: "Address",
    ty: Type::String {
        min: 3,
        max: Some(261),
        pattern: None,
    },
};
static NODE_PORT: Shape = Shape {
    name: "NodePort",
    ty: Type::Structure(&[m("name", &NAME, true), m("port", &PORT, false)]),
};
pub(super) static ON_FAILURE: Shape = Shape {
    name: "OnFailure",
    ty: Type::Enum(&["deny", "allow"]),
};

impl ServiceAt {
    /// What no shape can say.
    pub(super) fn check(&self) -> Vec<Violation> {
        match self {
            Self::VirtualNode(_) => Vec::new(),
            Self::Address(address) => host_and_port(address)
                .err()
                .map(|message| Violation::new("address", message))
                .into_iter()
                .collect(),
        }
    }
}

/// Host and port of `host:port`; an IPv6 address stands in brackets, which the host has not.
///
/// # Errors
/// What is wrong with it.
pub fn host_and_port(address: &str) -> Result<(&str, u16), String> {
    let wrong = || format!("must be host:port with a port of 1 to 65535, is {address:?}");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let inner = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
            .ok_or_else(wrong)?,
        None => host,
    };
    let named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_host = host.starts_with('[') || (!inner.is_empty() && inner.chars().all(named));
    is_host.then_some((inner, port)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn reads_hosts_with_ports() {
        assert_eq!(host_and_port("authz.local:9000"), Ok(("authz.local", 9000)));
        assert_eq!(host_and_port("10.0.0.1:1"), Ok(("10.0.0.1", 1)));
        assert_eq!(host_and_port("[::1]:65535"), Ok(("::1", 65535)));
        for wrong in [
            "",
            ":1",
            "a",
            "a:",
            "a:0",
            "a:65536",
            "a b:1",
            "::1:80",
            "[a]:1",
            "http://a:1",
        ] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
