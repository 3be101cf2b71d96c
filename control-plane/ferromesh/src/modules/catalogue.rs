//! The catalogue: the sets that there are, and the ones that are in use.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use ferromesh_store::{catalog, key, Revision, Store, StoreError, Stored};

use super::{
    check::Judged,
    loaded::{load, Loaded, Unusable},
    record::{Choice, Described, ModuleSet, BUILT_IN},
    signature::TrustedKeys,
};
use crate::serve::modules::{Found, Module};

/// All module sets of a server.
pub struct Catalogue {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: TrustedKeys,
    pub(super) built_in: Vec<(Module, Described)>,
    loaded_built_in: Arc<Loaded>,
    /// Sets that some mesh uses, as they were loaded, by their names and the revisions of their records.
    loaded: Mutex<BTreeMap<String, (Revision, Weak<Loaded>)>>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Catalogue {
    /// The catalogue in a store, beside the modules that were found in a folder. Those are believed as this program is: they
    /// come with it, and nobody adds to them over the API.
    pub fn new(store: Arc<dyn Store>, built_in: &Found, keys: TrustedKeys) -> Self {
        let described = built_in.modules.iter().map(|module| {
            let judged = super::check::describe(&module.bytes);
            (module.clone(), described(&judged, module.bytes.len(), None))
        });
        Self {
            store,
            keys,
            built_in: described.collect(),
            loaded_built_in: Arc::new(Loaded::new(BUILT_IN, built_in.for_emission())),
            loaded: Mutex::default(),
        }
    }

    /// The modules of the set that a mesh has chosen.
    ///
    /// # Errors
    /// The set cannot be used, or the store failed.
    pub fn of_choice(&self, choice: &Choice) -> Result<Arc<Loaded>, Unusable> {
        self.set(&choice.version)
    }

    /// The modules of a set. Sets that are in use are held once, whoever uses them.
    ///
    /// # Errors
    /// It cannot be used, or the store failed.
    pub fn set(&self, version: &str) -> Result<Arc<Loaded>, Unusable> {
        if version == BUILT_IN {
            return Ok(Arc::clone(&self.loaded_built_in));
        }
        let stored = self.store.get(&key::module_set(version))?;
        let stored = stored.ok_or_else(|| Unusable::Refused(format!("there is no module set {version:?}")))?;
        let known = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            let known = loaded.get(version).filter(|(revision, _)| *revision == stored.modified);
            known.and_then(|(_, weak)| weak.upgrade())
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let set: ModuleSet = catalog::read(&stored)?;
        let fresh = Arc::new(load(self.store.as_ref(), &set, &self.keys)?);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, (_, weak)| weak.strong_count() > 0);
        loaded.insert(version.to_owned(), (stored.modified, Arc::downgrade(&fresh)));
        Ok(fresh)
    }

    /// Looks at every set that a mesh uses, or could go back to, and says in the log which cannot be used: at the start, so
    /// that it is known before a proxy asks. Gives their names.
    ///
    /// # Errors
    /// The store failed.
    pub fn review(&self) -> Result<Vec<String>, StoreError> {
        let mut unusable = Vec::new();
        for set in self.sets()? {
            let users = self.users(&set.version)?;
            match self.set(&set.version) {
                Ok(_) => {}
                Err(Unusable::Store(error)) => return Err(error),
                Err(Unusable::Refused(reason)) => {
                    tracing::error!(
                        version = set.version,
                        meshes = users.join(","),
                        reason,
                        "module set cannot be used"
                    );
                    unusable.push(set.version);
                }
            }
        }
        Ok(unusable)
    }

    /// The sets in the store.
    pub(super) fn sets(&self) -> Result<Vec<ModuleSet>, StoreError> {
        let listed = self.store.list(key::MODULE_SETS, None, None)?;
        listed.entries.iter().map(catalog::read).collect()
    }

    /// The meshes of all accounts that use a set or could go back to it, `mesh@account` where the account is not the
    /// server's own.
    pub(super) fn users(&self, version: &str) -> Result<Vec<String>, StoreError> {
        let (_, lists) = self.store.snapshot(&[key::MODULE_CHOICES, key::ACCOUNTS])?;
        users(lists.iter().flatten(), version)
    }
}

/// The meshes among these values that use a set or could go back to it.
pub(super) fn users<'a>(
    values: impl IntoIterator<Item = &'a Stored>,
    version: &str,
) -> Result<Vec<String>, StoreError> {
    let mut users = Vec::new();
    for stored in values {
        let account = match stored.key.strip_prefix(key::ACCOUNTS) {
            None => None,
            Some(rest) => match rest.split_once('/') {
                Some((account, inner)) if inner.starts_with(key::MODULE_CHOICES) => Some(account),
                _ => continue,
            },
        };
        let choice: Choice = catalog::read(stored)?;
        if choice.names(version) {
            users.push(match account {
                None => choice.mesh,
                Some(account) => format!("{}@{account}", choice.mesh),
            });
        }
    }
    Ok(users)
}

/// A module's description, of what was judged.
pub(super) fn described(judged: &Judged, size: usize, signature: Option<&str>) -> Described {
    Described {
        sha256: judged.sha256.clone(),
        size,
        memory_maximum: judged.memory_maximum,
        imports: judged.imports.clone(),
        signed: judged.signed.clone(),
        signature: signature.map(str::to_owned),
    }
}
