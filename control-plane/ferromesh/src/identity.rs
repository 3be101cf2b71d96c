//! Which proxy an Envoy says it is.
//!
//! App Mesh's agent puts `APPMESH_RESOURCE_ARN` into the xDS node id verbatim, so that an id is either a
//! resource part (`mesh/M/virtualNode/N`, in a shared mesh `mesh/M@<owner account>/virtualNode/N`) or the full
//! ARN of it. Both name the same proxy; the rest of the program only sees [`Identity`].

use std::fmt;

pub use ferromesh_ir::ProxyKind;

/// The word for a kind in ARNs: `virtualNode` or `virtualGateway`.
pub fn wire_name(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::VirtualNode => "virtualNode",
        ProxyKind::VirtualGateway => "virtualGateway",
    }
}

/// The parsed form of a node id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// Name of the mesh, without the owner's account.
    pub mesh: String,
    /// Virtual node or virtual gateway.
    pub kind: ProxyKind,
    /// Name of the virtual node or gateway.
    pub name: String,
    /// Account that owns the mesh, if the id says so: from `mesh/M@<owner>`, else from the ARN.
    pub account: Option<String>,
    /// Region, if the id is a full ARN.
    pub region: Option<String>,
}

/// Why a node id names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id:?} names no proxy: {reason}; expected mesh/<mesh>/virtualNode/<name>, mesh/<mesh>/virtualGateway/<name> or the ARN of one")]
pub struct InvalidIdentity {
    id: String,
    reason: &'static str,
}

/// App Mesh's limit on resource names, in bytes.
const NAME_LIMIT: usize = 255;

impl Identity {
    /// Parses a node id.
    ///
    /// # Errors
    /// [`InvalidIdentity`] if the id has another shape, names another service than `appmesh`, or a part is empty,
    /// over 255 bytes, or holds white space or control characters.
    pub fn parse(id: &str) -> Result<Self, InvalidIdentity> {
        let invalid = |reason| InvalidIdentity {
            id: id.chars().take(300).collect(),
            reason,
        };
        let (resource, arn) = match id.strip_prefix("arn:") {
            None => (id, None),
            Some(rest) => {
                let mut parts = rest.splitn(5, ':');
                let mut next = || parts.next().filter(|part| !part.is_empty());
                let (Some(_partition), Some(service), Some(region), Some(account), Some(resource)) =
                    (next(), next(), next(), next(), next())
                else {
                    return Err(invalid("an ARN has six parts, none of them empty"));
                };
                if service != "appmesh" && service != "appmesh-preview" {
                    return Err(invalid("the ARN is not one of appmesh"));
                }
                (resource, Some((region, account)))
            }
        };
        let parts: Vec<&str> = resource.split('/').collect();
        let ["mesh", mesh, kind, name] = parts[..] else {
            return Err(invalid("the resource part does not have four parts"));
        };
        let kind = match kind {
            "virtualNode" => ProxyKind::VirtualNode,
            "virtualGateway" => ProxyKind::VirtualGateway,
            _ => return Err(invalid("only virtual nodes and virtual gateways have proxies")),
        };
        let (mesh, owner) = match mesh.split_once('@') {
            None => (mesh, None),
            Some((mesh, owner)) if is_account(owner) => (mesh, Some(owner)),
            Some(_) => return Err(invalid("the owner after @ is not an account of 12 digits")),
        };
        for part in [mesh, name] {
            if part.is_empty() || part.len() > NAME_LIMIT {
                return Err(invalid("a name is empty or longer than 255 bytes"));
            }
            if part.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(invalid("a name holds white space or control characters"));
            }
        }
        Ok(Self {
            mesh: mesh.to_owned(),
            kind,
            name: name.to_owned(),
            account: owner.or(arn.map(|(_, account)| account)).map(str::to_owned),
            region: arn.map(|(region, _)| region.to_owned()),
        })
    }

    /// The proxy at a server whose own account is `own`. The mesh of another account has that account in its name, as it
    /// has in the names of proxies: names of meshes hold no `@`.
    pub fn key_at(&self, own: &str) -> ProxyKey {
        let mut key = self.key();
        if let Some(owner) = self.account.as_deref().filter(|owner| *owner != own) {
            key.mesh = format!("{}@{owner}", self.mesh);
        }
        key
    }

    /// The proxy without account and region: what the same proxy has in common however its id is written.
    pub fn key(&self) -> ProxyKey {
        ProxyKey {
            mesh: self.mesh.clone(),
            kind: self.kind,
            name: self.name.clone(),
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// One proxy configuration: every Envoy with this key gets the same snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyKey {
    /// Name of the mesh; of another account's, with `@` and the account.
    pub mesh: String,
    /// Virtual node or virtual gateway.
    pub kind: ProxyKind,
    /// Name of the virtual node or gateway.
    pub name: String,
}

/// Name and, if it is another account's, owner of the mesh that a [`ProxyKey`] names.
pub fn name_and_owner(mesh: &str) -> (&str, Option<&str>) {
    match mesh.split_once('@') {
        Some((name, owner)) => (name, Some(owner)),
        None => (mesh, None),
    }
}

impl fmt::Display for ProxyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mesh/{}/{}/{}", self.mesh, wire_name(self.kind), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(id: &str) -> Identity {
        Identity::parse(id).unwrap()
    }

    #[test]
    fn a_resource_part_and_its_arn_name_the_same_proxy() {
        let short = parse("mesh/m/virtualNode/n");
        let long = parse("arn:aws:appmesh:us-west-2:123456789012:mesh/m/virtualNode/n");
        assert_eq!(short.key(), long.key());
        assert_eq!(short.account, None);
        assert_eq!(long.account.as_deref(), Some("123456789012"));
        assert_eq!(long.region.as_deref(), Some("us-west-2"));
        assert_eq!(long.key().to_string(), "mesh/m/virtualNode/n");
    }

    #[test]
    fn the_owner_of_a_shared_mesh_is_the_account() {
        let identity = parse("arn:aws:appmesh:eu-west-1:222222222222:mesh/m@111111111111/virtualGateway/g");
        assert_eq!(identity.mesh, "m");
        assert_eq!(identity.account.as_deref(), Some("111111111111"));
        assert_eq!(identity.kind, ProxyKind::VirtualGateway);
    }

    #[test]
    fn meshes_of_the_same_name_are_told_apart_by_their_owners() {
        let own = "111111111111";
        let shared = parse("arn:aws:appmesh:eu-west-1:222222222222:mesh/m@111111111111/virtualNode/n");
        assert_eq!(shared.key_at(own), parse("mesh/m/virtualNode/n").key_at(own));
        let theirs = parse("arn:aws:appmesh:eu-west-1:222222222222:mesh/m/virtualNode/n").key_at(own);
        assert_eq!(theirs.to_string(), "mesh/m@222222222222/virtualNode/n");
        assert_eq!(parse(&theirs.to_string()).key_at(own), theirs);
        assert_eq!(name_and_owner(&theirs.mesh), ("m", Some("222222222222")));
        assert_eq!(name_and_owner("m"), ("m", None));
    }

    #[test]
    fn refuses_what_names_no_proxy() {
        for id in [
            "",
            "mesh",
            "mesh/m/virtualNode",
            "mesh/m/virtualNode/",
            "mesh//virtualNode/n",
            "mesh/m/virtualNode/n/x",
            "mesh/m/virtualRouter/r",
            "mesh/m@12/virtualNode/n",
            "mesh/m/virtualNode/a b",
            "mesh/m/virtualNode/a\nb",
            "arn:aws:ecs:us-west-2:123456789012:mesh/m/virtualNode/n",
            "arn:aws:appmesh:us-west-2:mesh/m/virtualNode/n",
            "arn:aws:appmesh",
        ] {
            assert!(Identity::parse(id).is_err(), "{id:?}");
        }
        assert!(Identity::parse(&format!("mesh/m/virtualNode/{}", "n".repeat(256))).is_err());
    }
}
