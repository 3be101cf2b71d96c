//! Documents as a change set.

use ferromesh_model::resource::Key;
use serde_json::{json, Value};

use crate::client::documents::{label, Content, Document};

/// A change set, with what its changes were made from.
pub struct Wanted {
    changes: Vec<Value>,
    /// For messages, by the index of the change: `mesh.yaml, document 2: virtualNode/n`.
    places: Vec<String>,
    /// Meshes that the documents are about.
    pub meshes: Vec<String>,
    /// Names of what the documents say, by mesh.
    pub named: Vec<(String, String)>,
    /// What is to be deleted.
    pub pruned: Vec<String>,
}

/// Something that is there and in no document.
pub enum Superfluous {
    Resource(Key),
    Policy { mesh: String, name: String },
}

impl Wanted {
    /// Each document makes or changes what it names.
    pub fn new(documents: Vec<Document>) -> Self {
        let mut wanted = Self {
            changes: Vec::new(),
            places: Vec::new(),
            meshes: Vec::new(),
            named: Vec::new(),
            pruned: Vec::new(),
        };
        let mut documents = documents;
        // For people who read the output: the set's order means nothing to the server.
        documents.sort_by_key(|document| document.content.rank());
        for Document { origin, content } in documents {
            let mesh = content.mesh().to_owned();
            wanted.places.push(format!("{origin}: {}", content.label()));
            wanted.named.push((mesh.clone(), content.label()));
            if !wanted.meshes.contains(&mesh) {
                wanted.meshes.push(mesh);
            }
            wanted.changes.push(change(content));
        }
        wanted
    }

    /// Adds deletions.
    pub fn delete(&mut self, superfluous: Vec<Superfluous>) {
        for thing in superfluous {
            let (change, label) = match thing {
                Superfluous::Resource(key) => (resource("delete", &key), label(&key)),
                Superfluous::Policy { mesh, name } => (
                    json!({ "action": "delete", "kind": "policy", "mesh": mesh, "name": name }),
                    format!("policy/{name}"),
                ),
            };
            self.changes.push(change);
            self.places.push(format!("--prune: {label}"));
            self.pruned.push(label);
        }
    }

    /// The body that applies it.
    pub fn body(&self) -> Value {
        json!({ "changes": self.changes })
    }

    /// The body that asks what it would do.
    pub fn dry_run(&self, proxies: &str) -> Value {
        json!({ "changes": self.changes, "dryRun": true, "proxies": proxies })
    }

    /// What a change was made from.
    pub fn place(&self, index: usize) -> &str {
        self.places.get(index).map_or("the change set", String::as_str)
    }
}

fn change(content: Content) -> Value {
    match content {
        Content::Resource { key, spec, tags } => {
            let mut change = resource("put", &key);
            change["spec"] = spec;
            if let Some(tags) = tags {
                change["tags"] = tags;
            }
            change
        }
        Content::Policy { mesh, name, body } => {
            let mut change = json!({ "action": "put", "kind": "policy", "mesh": mesh, "name": name });
            for member in ["target", "spec"] {
                if let Some(value) = body.get(member) {
                    change[member] = value.clone();
                }
            }
            change
        }
    }
}

fn resource(action: &str, key: &Key) -> Value {
    let mut change = json!({ "action": action, "kind": key.kind.wire_name(), "mesh": key.mesh, "name": key.name });
    if let Some(parent) = &key.parent {
        change["parent"] = json!(parent);
    }
    change
}

#[cfg(test)]
mod tests {
    use ferromesh_model::resource::Kind;

    use super::*;

    #[test]
    fn documents_become_puts_and_what_is_superfluous_deletions() {
        let document = |key: Key, spec: Value| Document {
            origin: "a.yaml".into(),
            content: Content::Resource { key, spec, tags: None },
        };
        let mut wanted = Wanted::new(vec![
            document(Key::in_parent("m", Kind::Route, "r", "t"), json!({"priority": 1})),
            document(Key::mesh("m"), json!({})),
        ]);
        wanted.delete(vec![Superfluous::Resource(Key::in_mesh("m", Kind::VirtualNode, "n"))]);
        let expected = json!({"changes": [
            {"action": "put", "kind": "mesh", "mesh": "m", "name": "m", "spec": {}},
            {"action": "put", "kind": "route", "mesh": "m", "parent": "r", "name": "t", "spec": {"priority": 1}},
            {"action": "delete", "kind": "virtualNode", "mesh": "m", "name": "n"},
        ]});
        assert_eq!(wanted.body(), expected);
        assert_eq!(wanted.place(1), "a.yaml: virtualRouter/r/route/t");
        assert_eq!(wanted.place(2), "--prune: virtualNode/n");
        assert_eq!(wanted.pruned, ["virtualNode/n"]);
    }
}
