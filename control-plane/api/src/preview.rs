//! What the API knows of a change's consequences: that somebody can tell them before it happens.

use std::collections::BTreeSet;

use ferromesh_model::mesh::Mesh;
use serde_json::Value;

/// Tells what a mesh's resources come to at its proxies.
pub trait Previewer: Send + Sync {
    /// What is doubtful about a mesh, the worst first: objects with at least `code`, `severity`, `resource` and `message`.
    fn findings(&self, mesh: &Mesh) -> Vec<Value>;

    /// How the configuration of the mesh's proxies differs between two states of it, for each proxy that is affected;
    /// without a state there is no such mesh. Objects with at least `id`. With `only`, proxies with other ids are left
    /// out.
    fn configuration(&self, before: Option<&Mesh>, after: Option<&Mesh>, only: Option<&BTreeSet<String>>)
        -> Vec<Value>;
}

/// Tells nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPreviewer;

impl Previewer for NoPreviewer {
    fn findings(&self, _mesh: &Mesh) -> Vec<Value> {
        Vec::new()
    }

    fn configuration(&self, _: Option<&Mesh>, _: Option<&Mesh>, _: Option<&BTreeSet<String>>) -> Vec<Value> {
        Vec::new()
    }
}
