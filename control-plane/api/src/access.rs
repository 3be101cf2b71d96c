//! Who may do what: roles, and what they are bound to.
//!
//! A principal is a name with an account and bindings. A binding gives a role for the meshes whose names fit a pattern, and
//! there for all kinds of things or only for some. What belongs to no mesh (the registry, certificates, keys, the audit
//! record, …) is reached only by a binding for all meshes, `*`.

pub(crate) mod gate;
pub(crate) mod keys;
pub(crate) mod principals;
pub(crate) mod rules;
pub(crate) mod table;

use std::fmt;

use ferromesh_model::resource::Kind;
use serde::{Deserialize, Serialize};

pub use gate::{Admission, Channel, WithoutKeys};
pub use keys::{create, delete, list, seal_anew, set_state, Created, NewKey, Seal, State, Unopened};
pub use principals::{bind, Principal};

/// What a principal may do, each role more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Reads: describe, list, explain, status, metrics.
    Reader,
    /// Also makes, changes and deletes resources, policies and entries of the registry.
    Operator,
    /// Also handles keys, certificates, backups and the audit record.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Subject {
    Mesh,
    VirtualNode,
    VirtualService,
    VirtualRouter,
    Route,
    VirtualGateway,
    GatewayRoute,
    /// Our own settings beside App Mesh's resources, with ramps and rollbacks.
    Policy,
    /// Connected proxies and what was delivered to them.
    Proxy,
    /// Where a request would go.
    Explanation,
    /// Cloud Map's namespaces, services and instances.
    Registry,
    Certificate,
    Module,
    Metrics,
    /// Keys and principals.
    Key,
    Audit,
    /// Copies of the whole store.
    Backup,
    /// Join tokens, and revocations of proxies' certificates.
    Identity,
}

impl Subject {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::Mesh,
        Self::VirtualNode,
        Self::VirtualService,
        Self::VirtualRouter,
        Self::Route,
        Self::VirtualGateway,
        Self::GatewayRoute,
        Self::Policy,
        Self::Proxy,
        Self::Explanation,
        Self::Registry,
        Self::Certificate,
        Self::Module,
        Self::Metrics,
        Self::Key,
        Self::Audit,
        Self::Backup,
        Self::Identity,
    ];

    /// Name in bindings: `virtualNode`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::VirtualNode => "virtualNode",
            Self::VirtualService => "virtualService",
            Self::VirtualRouter => "virtualRouter",
            Self::Route => "route",
            Self::VirtualGateway => "virtualGateway",
            Self::GatewayRoute => "gatewayRoute",
            Self::Policy => "policy",
            Self::Proxy => "proxy",
            Self::Explanation => "explanation",
            Self::Registry => "registry",
            Self::Certificate => "certificate",
            Self::Module => "module",
            Self::Metrics => "metrics",
            Self::Key => "key",
            Self::Audit => "audit",
            Self::Backup => "backup",
            Self::Identity => "identity",
        }
    }
}

impl From<Kind> for Subject {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Mesh => Self::Mesh,
            Kind::VirtualNode => Self::VirtualNode,
            Kind::VirtualService => Self::VirtualService,
            Kind::VirtualRouter => Self::VirtualRouter,
            Kind::Route => Self::Route,
            Kind::VirtualGateway => Self::VirtualGateway,
            Kind::GatewayRoute => Self::GatewayRoute,
        }
    }
}

/// A role for some meshes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// The role.
    pub role: Role,
    /// Names of meshes: `shop`, `shop-*`, or `*` for all and for what belongs to none. A `*` stands for any characters.
    #[serde(default = "everywhere")]
    pub mesh: String,
    /// For these kinds only; for all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Subject>,
}

fn everywhere() -> String {
    "*".to_owned()
}

impl Binding {
    /// A role for everything.
    pub fn everywhere(role: Role) -> Self {
        Self {
            role,
            mesh: everywhere(),
            kinds: Vec::new(),
        }
    }

    /// Whether it is an admin's for everything.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.role == Role::Admin && self.mesh == "*" && self.kinds.is_empty()
    }

    pub(crate) fn allows(&self, need: &Need) -> bool {
        let is_kind = self.kinds.is_empty() || self.kinds.contains(&need.kind);
        let reaches = match &need.reach {
            Reach::Mesh(mesh) => fits(&self.mesh, mesh),
            Reach::Server => self.mesh == "*",
            Reach::Somewhere => true,
            Reach::Parts => return self.role >= need.role,
        };
        self.role >= need.role && is_kind && reaches
    }
}

/// What a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) role: Role,
    pub(crate) kind: Subject,
    pub(crate) reach: Reach,
}

/// Where a request reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Into one mesh.
    Mesh(String),
    /// What belongs to no mesh.
    Server,
    /// Into any mesh: whoever answers leaves out what the caller may not see.
    Somewhere,
    /// To things of several kinds: whoever answers asks again for each.
    Parts,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, kind) = (self.role, self.kind.name());
        match &self.reach {
            Reach::Mesh(mesh) => write!(f, "the role {role} for {kind} in mesh {mesh}"),
            Reach::Server => write!(f, "the role {role} for {kind}, bound to mesh *"),
            Reach::Somewhere => write!(f, "the role {role} for {kind} in some mesh"),
            Reach::Parts => write!(f, "the role {role}"),
        }
    }
}

/// What must be shown before a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing: health, and what proxies ask for, who have no keys.
    Open,
    /// A key whose principal has what is needed.
    Takes(Need),
}

impl Rule {
    /// The mesh that it is about, if it is one.
    pub(crate) fn named_mesh(&self) -> Option<&str> {
        match self {
            Self::Takes(Need {
                reach: Reach::Mesh(mesh),
                ..
            }) => Some(mesh),
            _ => None,
        }
    }

    pub(crate) fn mesh(role: Role, kind: Subject, mesh: &str) -> Self {
        Self::Takes(Need {
            role,
            kind,
            reach: Reach::Mesh(mesh.to_owned()),
        })
    }

    pub(crate) fn server(role: Role, kind: Subject) -> Self {
        Self::Takes(Need {
            role,
            kind,
            reach: Reach::Server,
        })
    }

    pub(crate) fn parts(role: Role) -> Self {
        Self::Takes(Need {
            role,
            kind: Subject::Mesh,
            reach: Reach::Parts,
        })
    }

    pub(crate) fn somewhere(role: Role, kind: Subject) -> Self {
        Self::Takes(Need {
            role,
            kind,
            reach: Reach::Somewhere,
        })
    }
}

/// Whether a name fits a pattern, in which `*` stands for any characters, also for none.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    // The earliest place is as good as any: what follows has the longest rest then.
    for part in parts {
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "a"),
            ("shop", "shop"),
            ("shop-*", "shop-"),
            ("*-eu", "a-eu"),
            ("a*b*c", "a-b-b-c"),
            ("a**c", "ac"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("shop", "shop-1"),
            ("shop-*", "shop"),
            ("a*a", "a"),
            ("a*b*c", "a-c"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_belongs_to_no_mesh_takes_a_binding_for_all_meshes() {
        let need = |reach| Need {
            role: Role::Reader,
            kind: Subject::Registry,
            reach,
        };
        let of = |mesh: &str| Binding {
            role: Role::Admin,
            mesh: mesh.to_owned(),
            kinds: Vec::new(),
        };
        assert!(of("*").allows(&need(Reach::Server)));
        assert!(!of("**").allows(&need(Reach::Server)));
        assert!(!of("shop").allows(&need(Reach::Server)));
        assert!(of("shop").allows(&need(Reach::Somewhere)));
    }

    #[test]
    fn subjects_are_written_as_they_are_named() {
        for subject in Subject::ALL {
            assert_eq!(serde_json::json!(subject), subject.name());
        }
    }
}
