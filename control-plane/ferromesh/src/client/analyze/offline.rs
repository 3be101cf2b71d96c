//! Lints over what files say, without a server.

use std::{collections::BTreeMap, path::PathBuf};

use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::{self, Policy};
use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate;
use serde_json::{json, Value};

use super::Meshes;
use crate::client::documents::{self, Content};

/// Whose meshes they would be is not known, and nothing depends on it.
const ACCOUNT: &str = "123456789012";

/// What there is of one mesh.
#[derive(Default)]
struct Parts {
    records: Vec<Record>,
    policies: Vec<Policy>,
}

/// Findings over the meshes of the files.
///
/// # Errors
/// Everything that is wrong with the files: what the server would refuse is not analyzed.
pub fn analyze(files: &[PathBuf], default_mesh: Option<&str>) -> Result<Meshes, Vec<String>> {
    let mut problems = Vec::new();
    let mut meshes: BTreeMap<String, Parts> = BTreeMap::new();
    // The order in the files is that in which they would be created one after the other.
    for (index, document) in documents::read(files, default_mesh)?.into_iter().enumerate() {
        let place = format!("{}: {}", document.origin, document.content.label());
        let mut wrong = Vec::new();
        let parts = meshes.entry(document.content.mesh().to_owned()).or_default();
        match document.content {
            Content::Resource { key, spec, tags: _ } => {
                wrong.extend(validate::spec(key.kind, &spec));
                parts.records.push(record(key, spec, index));
            }
            Content::Policy { mesh, name, body } => {
                let mut value = json!({ "mesh": mesh, "name": name });
                for member in ["target", "spec"] {
                    if let Some(given) = body.get(member) {
                        value[member] = given.clone();
                    }
                }
                wrong.extend(policy::check(&value));
                match serde_json::from_value(value) {
                    Ok(policy) => parts.policies.push(policy),
                    Err(error) if wrong.is_empty() => problems.push(format!("{place}: {error}")),
                    Err(_) => {}
                }
            }
        }
        problems.extend(wrong.into_iter().map(|violation| format!("{place}: {violation}")));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut found = Vec::new();
    for (name, parts) in meshes {
        match assembled(&name, parts) {
            Ok(mesh) => {
                let findings = ferromesh_analyze::analyze(&mesh, &ferromesh_ir::Options::default());
                found.push((name, findings.iter().map(|finding| json!(finding)).collect()));
            }
            Err(reasons) => problems.extend(reasons),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

fn assembled(name: &str, parts: Parts) -> Result<Mesh, Vec<String>> {
    let own = parts
        .records
        .iter()
        .find(|record| record.key.kind == Kind::Mesh)
        .cloned();
    // Files may say what is in a mesh without the mesh.
    let own = own.unwrap_or_else(|| record(Key::mesh(name), json!({}), 0));
    let children = parts.records.iter().filter(|record| record.key.kind != Kind::Mesh);
    let mesh = Mesh::assemble(&own, children, parts.policies);
    mesh.map_err(|violations| violations.iter().map(ToString::to_string).collect())
}

fn record(key: Key, spec: Value, index: usize) -> Record {
    // Small numbers.
    #[allow(clippy::cast_precision_loss)]
    let created_at = index as f64;
    Record {
        metadata: Metadata {
            arn: key.arn("us-east-1", ACCOUNT),
            created_at,
            last_updated_at: created_at,
            mesh_owner: ACCOUNT.to_owned(),
            resource_owner: ACCOUNT.to_owned(),
            uid: String::new(),
            version: 1,
        },
        key,
        spec,
        tags: Vec::new(),
    }
}
