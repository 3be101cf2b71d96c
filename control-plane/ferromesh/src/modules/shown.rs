//! Sets and choices as the API shows them.

use serde_json::{json, Map, Value};

use super::record::{Choice, Described, ModuleSet, BUILT_IN};

/// A module.
fn module(described: &Described) -> Value {
    let mut shown = json!({
        "sha256": described.sha256,
        "size": described.size,
        "path": format!("/modules/{}.wasm", described.sha256),
        "memoryMaximum": described.memory_maximum,
        "imports": described.imports,
    });
    if let Some(signed) = &described.signed {
        shown["signature"] = json!(signed);
    }
    shown
}

fn modules<'a>(modules: impl IntoIterator<Item = (&'a str, &'a Described)>) -> Map<String, Value> {
    let shown = modules
        .into_iter()
        .map(|(name, described)| (name.to_owned(), module(described)));
    shown.collect()
}

/// A set, with the meshes that use it as far as the caller sees them.
pub(super) fn set(set: &ModuleSet, users: &[String]) -> Value {
    let described = set.modules.iter().map(|(name, described)| (name.as_str(), described));
    json!({
        "version": set.version,
        "builtIn": false,
        "addedAt": set.added_at,
        "addedBy": set.added_by,
        "modules": modules(described),
        "usedBy": users,
    })
}

/// The set that the installation came with. Which meshes have never chosen another is not written down anywhere.
pub(super) fn built_in<'a>(of: impl IntoIterator<Item = (&'a str, &'a Described)>, users: &[String]) -> Value {
    json!({ "version": BUILT_IN, "builtIn": true, "modules": modules(of), "usedBy": users })
}

/// What a mesh has chosen.
pub(super) fn choice(choice: &Choice) -> Value {
    let mut shown = json!({ "mesh": choice.mesh, "version": choice.version, "history": choice.history });
    if let Some(previous) = &choice.previous {
        shown["previous"] = json!(previous);
    }
    shown
}
