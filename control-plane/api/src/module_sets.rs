//! What the API knows of module sets: that somebody judges and keeps them, and what each mesh has chosen.

use bytes::Bytes;
use ferromesh_store::Store;
use serde_json::Value;

use crate::{ApiError, ErrorKind};

/// Who does something, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// Name that their key was made for.
    pub principal: String,
    /// Seconds since 1970-01-01 UTC.
    pub at: f64,
}

/// A set as somebody wants it added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewModuleSet {
    /// Its name, such as `1.4.0`.
    pub version: String,
    /// Its modules.
    pub modules: Vec<NewModule>,
}

/// A module of such a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewModule {
    /// `mesh`, `mesh-lean`, …
    pub name: String,
    /// The module.
    pub bytes: Bytes,
    /// SHA-256 that it must have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The text of its minisign signature.
    pub signature: Option<String>,
}

/// Judges, keeps and gives out module sets. The sets belong to the whole server, what a mesh has chosen to the mesh's account:
/// `store` is that account's part, and writes more with each change, such as the record of who made it.
///
/// Calls block on the disk.
pub trait ModuleSets: Send + Sync {
    /// All sets, each a JSON object with at least `version`, the built-in one first.
    ///
    /// # Errors
    /// The store failed.
    fn list(&self, store: &dyn Store) -> Result<Vec<Value>, ApiError>;

    /// One set.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, store: &dyn Store, version: &str) -> Result<Option<Value>, ApiError>;

    /// Judges a set and keeps it. The same one again changes nothing.
    ///
    /// # Errors
    /// It cannot be used, each reason with its member, or another has its name; nothing was stored.
    fn add(&self, store: &dyn Store, by: &Author, set: &NewModuleSet) -> Result<Value, ApiError>;

    /// Forgets a set; `None` if there is none.
    ///
    /// # Errors
    /// A mesh uses it, or could go back to it.
    fn delete(&self, store: &dyn Store, version: &str) -> Result<Option<Value>, ApiError>;

    /// What a mesh has chosen; `None` if there is no such mesh.
    ///
    /// # Errors
    /// The store failed.
    fn choice(&self, store: &dyn Store, mesh: &str) -> Result<Option<Value>, ApiError>;

    /// Chooses a set for a mesh; `None` if there is no such mesh.
    ///
    /// # Errors
    /// There is no such set, or it cannot be used.
    fn choose(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        version: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError>;

    /// Gives a mesh the set that it had before; `None` if there is no such mesh.
    ///
    /// # Errors
    /// It had none before.
    fn roll_back(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError>;

    /// A module of any set, by its SHA-256.
    ///
    /// # Errors
    /// The store failed, or holds other bytes than were put there.
    fn file(&self, sha256: &str) -> Result<Option<Bytes>, ApiError>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoModuleSets;

fn nobody() -> ApiError {
    ApiError::new(ErrorKind::ServiceUnavailable, "this server keeps no module sets")
}

impl ModuleSets for NoModuleSets {
    fn list(&self, _: &dyn Store) -> Result<Vec<Value>, ApiError> {
        Ok(Vec::new())
    }

    fn get(&self, _: &dyn Store, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    fn add(&self, _: &dyn Store, _: &Author, _: &NewModuleSet) -> Result<Value, ApiError> {
        Err(nobody())
    }

    fn delete(&self, _: &dyn Store, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    fn choice(&self, _: &dyn Store, _: &str) -> Result<Option<Value>, ApiError> {
        Err(nobody())
    }

    fn choose(&self, _: &dyn Store, _: &Author, _: &str, _: &str, _: Option<&str>) -> Result<Option<Value>, ApiError> {
        Err(nobody())
    }

    fn roll_back(&self, _: &dyn Store, _: &Author, _: &str, _: Option<&str>) -> Result<Option<Value>, ApiError> {
        Err(nobody())
    }

    fn file(&self, _: &str) -> Result<Option<Bytes>, ApiError> {
        Ok(None)
    }
}
