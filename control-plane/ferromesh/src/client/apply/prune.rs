//! What the meshes have and the documents don't.

use ferromesh_model::resource::{Key, Kind};
use serde_json::Value;

use super::request::{Superfluous, Wanted};
use crate::client::{
    documents::label,
    http::{CallError, Client},
    paths,
};

/// Everything in the documents' meshes that no document names, all but the meshes themselves.
///
/// # Errors
/// [`CallError`]; a mesh that is not there yet has nothing.
pub async fn superfluous(client: &Client, wanted: &Wanted) -> Result<Vec<Superfluous>, CallError> {
    let mut found = Vec::new();
    for mesh in &wanted.meshes {
        let is_named = |label: &str| wanted.named.iter().any(|(of, named)| of == mesh && named == label);
        let there = match in_mesh(client, mesh).await {
            Err(error) if error.is_not_found() => continue,
            there => there?,
        };
        found.extend(
            there
                .into_iter()
                .filter(|key| !is_named(&label(key)))
                .map(Superfluous::Resource),
        );
        for policy in client.list_at_once(&paths::policies(mesh), "policies").await? {
            let Some(name) = policy.get("name").and_then(Value::as_str) else {
                continue;
            };
            if !is_named(&format!("policy/{name}")) {
                found.push(Superfluous::Policy {
                    mesh: mesh.clone(),
                    name: name.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// What depends on others comes first, for people who read it.
async fn in_mesh(client: &Client, mesh: &str) -> Result<Vec<Key>, CallError> {
    let mut keys = Vec::new();
    for kind in Kind::ALL.into_iter().rev().filter(|kind| *kind != Kind::Mesh) {
        let parents = match kind.parent() {
            None => vec![None],
            Some(parent) => names(client, parent, mesh, None).await?.into_iter().map(Some).collect(),
        };
        for parent in parents {
            for name in names(client, kind, mesh, parent.as_deref()).await? {
                keys.push(match &parent {
                    Some(parent) => Key::in_parent(mesh, kind, parent, name),
                    None => Key::in_mesh(mesh, kind, name),
                });
            }
        }
    }
    Ok(keys)
}

async fn names(client: &Client, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<String>, CallError> {
    let path = paths::collection(kind, mesh, parent);
    let listed = client.list(&path, kind.list_member()).await?;
    let member = kind.name_member();
    let names = listed
        .iter()
        .filter_map(|item| item.get(member)?.as_str().map(str::to_owned));
    Ok(names.collect())
}
