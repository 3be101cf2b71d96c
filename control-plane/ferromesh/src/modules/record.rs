//! What the store holds of module sets and of what meshes have chosen.

use std::collections::BTreeMap;

use ferromesh_store::{catalog, key, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::signature::Signed;

/// Name of the set that the installation came with. It is what meshes have that have chosen nothing.
pub const BUILT_IN: &str = "built-in";
/// Most turns of a mesh's history that are kept.
const MAX_HISTORY: usize = 20;

/// A module set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleSet {
    /// Its name.
    pub version: String,
    /// When it was added, in seconds since 1970.
    pub added_at: f64,
    /// Name of who added it.
    pub added_by: String,
    /// Its modules by their names.
    pub modules: BTreeMap<String, Described>,
}

/// A module of a set, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Described {
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// How many bytes it has.
    pub size: usize,
    /// The most bytes of memory that it declares.
    pub memory_maximum: u64,
    /// What it imports.
    pub imports: Vec<String>,
    /// Who signed it, where that was asked for when it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// The text of its signature, to be verified again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// What a mesh has chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// Name of the mesh.
    pub mesh: String,
    /// The set that its proxies get.
    pub version: String,
    /// The set that they had before, while it can be gone back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The latest changes, the oldest first.
    #[serde(default)]
    pub history: Vec<Turn>,
}

/// A change of what a mesh has chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Turn {
    /// When, in seconds since 1970.
    pub at: f64,
    /// Name of who did it.
    pub by: String,
    /// Which way.
    pub what: What,
    /// The set before.
    pub from: String,
    /// The set after.
    pub to: String,
    /// Why, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which way a choice changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// To another set.
    Rollout,
    /// Back to the one before.
    Rollback,
}

impl Choice {
    /// Of a mesh that has chosen nothing.
    pub fn none(mesh: &str) -> Self {
        Self {
            mesh: mesh.to_owned(),
            version: BUILT_IN.to_owned(),
            previous: None,
            history: Vec::new(),
        }
    }

    /// What a mesh has chosen.
    ///
    /// # Errors
    /// The store failed, or holds something else there.
    pub fn read(store: &dyn Store, mesh: &str) -> Result<Self, StoreError> {
        let stored = store.get(&key::module_choice(mesh))?;
        let choice = stored.as_ref().map(catalog::read).transpose()?;
        Ok(choice.unwrap_or_else(|| Self::none(mesh)))
    }

    /// Whether a set is chosen, or can be gone back to.
    pub fn names(&self, version: &str) -> bool {
        self.version == version || self.previous.as_deref() == Some(version)
    }

    /// Goes to another set, from which the present one can be gone back to.
    pub fn roll_out(&mut self, at: f64, by: &str, to: &str, reason: Option<&str>) {
        let from = std::mem::replace(&mut self.version, to.to_owned());
        self.previous = Some(from.clone());
        self.note(at, by, What::Rollout, from, reason);
    }

    /// Goes back to the set before, if there is one. What was left cannot be gone back to: it must be chosen.
    pub fn roll_back(&mut self, at: f64, by: &str, reason: Option<&str>) -> bool {
        let Some(previous) = self.previous.take() else {
            return false;
        };
        let from = std::mem::replace(&mut self.version, previous);
        self.note(at, by, What::Rollback, from, reason);
        true
    }

    fn note(&mut self, at: f64, by: &str, what: What, from: String, reason: Option<&str>) {
        self.history.push(Turn {
            at,
            by: by.to_owned(),
            what,
            from,
            to: self.version.clone(),
            reason: reason.map(str::to_owned),
        });
        let surplus = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..surplus);
    }
}

/// Why this cannot be the name of a set, if it cannot.
pub fn version_problem(version: &str) -> Option<String> {
    const MAX: usize = 64;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    if version == BUILT_IN {
        return Some(format!(
            "must not be {BUILT_IN:?}, the name of the set that the server came with"
        ));
    }
    let is_good = !version.is_empty() && version.len() <= MAX && version.chars().all(fits);
    if is_good && version.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    Some(format!(
        "must have 1 to {MAX} letters, digits, '.', '_', '-' or '+' and begin with a letter or digit, is {version:?}"
    ))
}
