//! Which resource a command line means: kind, name, mesh, and the parent of a route.

use ferromesh_model::resource::{Key, Kind};
use serde_json::Value;

use super::{
    http::{CallError, Client},
    noun::Noun,
    paths, MeshName,
};

/// The parent of a route or gateway route.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Parent {
    /// Virtual router of a route; the name may be written ROUTER/ROUTE instead
    #[arg(long, value_name = "NAME")]
    pub router: Option<String>,
    /// Virtual gateway of a gateway route; the name may be written GATEWAY/ROUTE instead
    #[arg(long, value_name = "NAME", conflicts_with = "router")]
    pub gateway: Option<String>,
}

/// Why a selection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// The command line does not say enough, or too much.
    #[error("{0}")]
    Usage(String),
    /// A call that was needed failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Parent {
    /// The parent for `noun`, if the flags give one.
    ///
    /// # Errors
    /// A flag that does not belong to the kind.
    pub fn of(&self, noun: Noun) -> Result<Option<&str>, SelectionError> {
        let (router, gateway) = (self.router.as_deref(), self.gateway.as_deref());
        match (noun.parent(), router, gateway) {
            (Some(Kind::VirtualRouter), router, None) => Ok(router),
            (Some(Kind::VirtualGateway), None, gateway) => Ok(gateway),
            (_, None, None) => Ok(None),
            (_, Some(_), _) => Err(SelectionError::Usage(format!("--router does not go with {noun}"))),
            (_, _, Some(_)) => Err(SelectionError::Usage(format!("--gateway does not go with {noun}"))),
        }
    }
}

/// The mesh that is meant: the named one, or the only one there is.
///
/// # Errors
/// None is named, and there is none or more than one.
pub async fn mesh(client: &Client, named: &MeshName) -> Result<String, SelectionError> {
    if let Some(name) = &named.name {
        return Ok(name.clone());
    }
    let meshes = client
        .list(&paths::collection(Kind::Mesh, "", None), Kind::Mesh.list_member())
        .await?;
    let names: Vec<&str> = meshes.iter().filter_map(|mesh| text(mesh, "meshName")).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(SelectionError::Usage("there is no mesh yet".to_owned())),
        several => Err(SelectionError::Usage(format!(
            "which mesh? name one with --mesh: {}",
            several.join(", ")
        ))),
    }
}

/// The key of a named resource. `name` may hold the parent, as `router/route`.
///
/// # Errors
/// The parent is missing.
pub fn key(kind: Kind, mesh: &str, parent: Option<&str>, name: &str) -> Result<Key, SelectionError> {
    match (kind.parent(), parent) {
        (None, _) if kind == Kind::Mesh => Ok(Key::mesh(name)),
        (None, _) => Ok(Key::in_mesh(mesh, kind, name)),
        (Some(_), Some(parent)) => Ok(Key::in_parent(mesh, kind, parent, name)),
        (Some(holder), None) => match name.split_once('/') {
            Some((parent, name)) if !parent.is_empty() && !name.is_empty() => {
                Ok(Key::in_parent(mesh, kind, parent, name))
            }
            _ => {
                let flag = if holder == Kind::VirtualRouter {
                    "router"
                } else {
                    "gateway"
                };
                Err(SelectionError::Usage(format!(
                    "which {flag} is {name:?} of? write {flag}/{name} or name it with --{flag}"
                )))
            }
        },
    }
}

/// A member of an object, as text.
pub fn text<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    value.get(member)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_named_with_its_router_in_either_way() {
        let expected = Key::in_parent("m", Kind::Route, "r", "t");
        assert_eq!(key(Kind::Route, "m", Some("r"), "t").unwrap(), expected);
        assert_eq!(key(Kind::Route, "m", None, "r/t").unwrap(), expected);
        let error = key(Kind::Route, "m", None, "t").unwrap_err().to_string();
        assert!(error.contains("--router"), "{error}");
        let error = key(Kind::GatewayRoute, "m", None, "t").unwrap_err().to_string();
        assert!(error.contains("--gateway"), "{error}");
        let service = key(Kind::VirtualService, "m", None, "a/b").unwrap();
        assert_eq!(service.name, "a/b");
    }

    #[test]
    fn a_parent_flag_must_belong_to_the_kind() {
        let router = Parent {
            router: Some("r".into()),
            gateway: None,
        };
        assert_eq!(router.of(Noun::Resource(Kind::Route)).unwrap(), Some("r"));
        assert!(router.of(Noun::Resource(Kind::GatewayRoute)).is_err());
        assert!(router.of(Noun::Policy).is_err());
    }
}
