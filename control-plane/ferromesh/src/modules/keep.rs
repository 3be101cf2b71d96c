//! Sets go into the catalogue and out of it.
//!
//! Modules are stored by their SHA-256 and in parts, because etcd takes no request above 1.5 MB: first the parts, one write
//! each, then the set, by a transaction that demands that they are all there still. Parts that no set names (somebody died in
//! between) are removed at the next start.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ferromesh_api::{ApiError, Author, ErrorKind, ModuleSets, NewModuleSet};
use ferromesh_model::{validate::Rejection, Violation};
use ferromesh_store::{catalog, key, Change, Compare, Store, StoreError, Transaction};
use serde_json::Value;

use super::{
    catalogue::{described, users, Catalogue},
    check::judge,
    loaded::{judged, Unusable},
    record::{version_problem, Described, ModuleSet, BUILT_IN},
    shown,
};
use crate::serve::modules::NAMES;

/// Most sets, beside the built-in one.
pub(super) const MAX_SETS: usize = 64;
/// Most bytes of the modules of all sets: every control plane over etcd holds them in memory.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Bytes of one part.
pub(super) const PART: usize = 512 << 10;
/// Attempts at one change while others write.
const ATTEMPTS: usize = 8;

/// Why an attempt at a change came to nothing.
pub(super) enum Tried {
    /// The store failed; where others wrote in between, it can be tried again.
    Failed(StoreError),
    /// It may not be.
    Refused(ApiError),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<ApiError> for Tried {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// Does something, and again while others write in between.
pub(super) fn attempted<T>(act: impl Fn() -> Result<T, Tried>) -> Result<T, ApiError> {
    let mut attempt = 1;
    loop {
        match act() {
            Ok(done) => return Ok(done),
            Err(Tried::Failed(StoreError::Conflict(_))) if attempt < ATTEMPTS => attempt += 1,
            Err(Tried::Failed(error)) => return Err(error.into()),
            Err(Tried::Refused(error)) => return Err(error),
        }
    }
}

impl Catalogue {
    /// Removes parts of modules that no set names. Gives how many.
    ///
    /// # Errors
    /// The store failed.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let (revision, lists) = self.store.snapshot(&[key::MODULE_SETS, key::MODULE_BYTES])?;
        let [sets, parts] = lists.as_slice() else { return Ok(0) };
        let sets = sets.iter().map(catalog::read).collect::<Result<Vec<ModuleSet>, _>>()?;
        let named = hashes(&sets);
        let is_named = |key: &str| {
            let rest = key.strip_prefix(key::MODULE_BYTES).unwrap_or_default();
            rest.split_once('/').is_some_and(|(sha256, _)| named.contains(sha256))
        };
        let lost = parts.iter().filter(|part| !is_named(&part.key));
        let changes: Vec<Change> = lost.map(|part| Change::delete(&part.key)).collect();
        let count = changes.len();
        if count > 0 {
            let compares = vec![nothing_newer(key::MODULE_SETS, revision)];
            self.store.commit(Transaction { compares, changes })?;
        }
        Ok(count)
    }

    /// Judges the modules of a set.
    fn judged(&self, by: &Author, set: &NewModuleSet) -> Result<ModuleSet, ApiError> {
        let mut found = Vec::new();
        found.extend(version_problem(&set.version).map(|problem| Violation::new("version", problem)));
        if !set.modules.iter().any(|module| module.name == "mesh") {
            found.push(Violation::new("modules.mesh", "is missing"));
        }
        let mut modules = BTreeMap::new();
        for module in &set.modules {
            let path = format!("modules.{}", module.name);
            if !NAMES.contains(&module.name.as_str()) {
                let known = NAMES.join(", ");
                found.push(Violation::new(path, format!("is unknown; known are {known}")));
                continue;
            }
            match judge(
                &module.bytes,
                module.sha256.as_deref(),
                module.signature.as_deref(),
                &self.keys,
            ) {
                Ok(judged) => {
                    let signature = module.signature.as_deref();
                    modules.insert(module.name.clone(), described(&judged, module.bytes.len(), signature));
                }
                Err(violations) => found.extend(violations.into_iter().map(|violation| Violation {
                    path: format!("{path}.{}", violation.path),
                    ..violation
                })),
            }
        }
        if !found.is_empty() {
            return Err(Rejection::Invalid(found).into());
        }
        Ok(ModuleSet {
            version: set.version.clone(),
            added_at: by.at,
            added_by: by.principal.clone(),
            modules,
        })
    }

    /// Puts the parts of a module into the store; gives what must hold for them to be there still.
    fn put_parts(&self, sha256: &str, bytes: &Bytes) -> Result<Vec<Compare>, StoreError> {
        let mut surplus = self.store.list(&key::module_bytes(sha256), None, None)?.entries;
        let mut compares = Vec::new();
        for (number, part) in bytes.chunks(PART).enumerate() {
            let key = key::module_part(sha256, number);
            let known = surplus.iter().position(|stored| stored.key == key);
            let known = known
                .map(|place| surplus.remove(place))
                .filter(|stored| stored.value == part);
            let modified = match known {
                Some(stored) => stored.modified,
                None => self.store.commit(Transaction {
                    compares: Vec::new(),
                    changes: vec![Change::put(&key, part.to_vec())],
                })?,
            };
            let modified = Some(modified);
            compares.push(Compare::Unchanged { key, modified });
        }
        if !surplus.is_empty() {
            self.store.commit(Transaction {
                compares: Vec::new(),
                changes: surplus.iter().map(|stored| Change::delete(&stored.key)).collect(),
            })?;
        }
        Ok(compares)
    }

    fn try_to_add(&self, store: &dyn Store, fresh: &ModuleSet, set: &NewModuleSet) -> Result<Value, Tried> {
        let key = key::module_set(&fresh.version);
        let listed = store.list(key::MODULE_SETS, None, None)?;
        let mut known: Vec<ModuleSet> = listed.entries.iter().map(catalog::read).collect::<Result<_, _>>()?;
        let before = known.iter().position(|known| known.version == fresh.version);
        let before = before.map(|place| known.remove(place));
        if let Some(before) = &before {
            let same = |of: fn(&Described) -> &str| {
                let of = |set: &ModuleSet| -> Vec<(String, String)> {
                    let modules = set.modules.iter();
                    modules
                        .map(|(name, module)| (name.clone(), of(module).to_owned()))
                        .collect()
                };
                of(before) == of(fresh)
            };
            if !same(|module| &module.sha256) {
                let message = format!("module set {:?} exists already and has other modules", fresh.version);
                return Err(ApiError::new(ErrorKind::Conflict, message).into());
            }
            // With another signature, as by a key that follows another, it is written again.
            if same(|module| module.signature.as_deref().unwrap_or_default()) {
                return Ok(shown::set(before, &self.users_in(store, &before.version)?));
            }
        } else if known.len() >= MAX_SETS {
            let message = format!("there are {MAX_SETS} module sets, and no more can be kept: delete one first");
            return Err(ApiError::new(ErrorKind::LimitExceeded, message).into());
        }
        known.push(fresh.clone());
        let bytes = sizes(&known);
        if bytes > MAX_BYTES {
            let message = format!(
                "the modules of all sets would have {bytes} bytes, at most {MAX_BYTES} are kept: delete a set first"
            );
            return Err(ApiError::new(ErrorKind::LimitExceeded, message).into());
        }
        let mut compares = vec![
            Compare::Unchanged {
                modified: listed
                    .entries
                    .iter()
                    .find(|stored| stored.key == key)
                    .map(|stored| stored.modified),
                key: key.clone(),
            },
            nothing_newer(key::MODULE_SETS, listed.revision),
        ];
        for module in &set.modules {
            if let Some(described) = fresh.modules.get(&module.name) {
                compares.extend(self.put_parts(&described.sha256, &module.bytes)?);
            }
        }
        let changes = vec![catalog::put(key, fresh)?];
        store.commit(Transaction { compares, changes })?;
        Ok(shown::set(fresh, &self.users_in(store, &fresh.version)?))
    }

    fn try_to_delete(&self, store: &dyn Store, version: &str) -> Result<Option<Value>, Tried> {
        if version == BUILT_IN {
            let message = format!("module set {BUILT_IN:?} came with the server and cannot be deleted");
            return Err(ApiError::new(ErrorKind::ResourceInUse, message).into());
        }
        let prefixes = [key::MODULE_SETS, key::MODULE_CHOICES, key::ACCOUNTS];
        let (revision, lists) = self.store.snapshot(&prefixes)?;
        let sets = lists.first().map(Vec::as_slice).unwrap_or_default();
        let own = key::module_set(version);
        let Some(stored) = sets.iter().find(|stored| stored.key == own) else {
            return Ok(None);
        };
        let users = users(lists.iter().skip(1).flatten(), version)?;
        if !users.is_empty() {
            let users = users.join(", ");
            let message = format!("module set {version:?} is used, or can be gone back to, by the meshes {users}");
            return Err(ApiError::new(ErrorKind::ResourceInUse, message).into());
        }
        let set: ModuleSet = catalog::read(stored)?;
        let others = sets.iter().filter(|stored| stored.key != own).map(catalog::read);
        let kept = hashes(&others.collect::<Result<Vec<ModuleSet>, _>>()?);
        let mut changes = vec![Change::delete(&own)];
        for sha256 in hashes(std::slice::from_ref(&set)).difference(&kept) {
            let parts = self.store.list(&key::module_bytes(sha256), None, None)?.entries;
            changes.extend(parts.iter().map(|part| Change::delete(&part.key)));
        }
        let mut compares: Vec<Compare> = prefixes.iter().map(|prefix| nothing_newer(prefix, revision)).collect();
        let modified = Some(stored.modified);
        compares.push(Compare::Unchanged { key: own, modified });
        store.commit(Transaction { compares, changes })?;
        Ok(Some(shown::set(&set, &[])))
    }

    /// The meshes that use a set, of those that a store shows.
    fn users_in(&self, store: &dyn Store, version: &str) -> Result<Vec<String>, StoreError> {
        users(&store.list(key::MODULE_CHOICES, None, None)?.entries, version)
    }

    fn show_built_in(&self, store: &dyn Store) -> Result<Value, StoreError> {
        let modules = self
            .built_in
            .iter()
            .map(|(module, described)| (module.name.as_str(), described));
        Ok(shown::built_in(modules, &self.users_in(store, BUILT_IN)?))
    }
}

fn nothing_newer(prefix: &str, revision: u64) -> Compare {
    Compare::NothingNewer {
        prefix: prefix.to_owned(),
        revision,
    }
}

/// The modules that sets name.
fn hashes(sets: &[ModuleSet]) -> BTreeSet<String> {
    let modules = sets.iter().flat_map(|set| set.modules.values());
    modules.map(|module| module.sha256.clone()).collect()
}

/// Bytes of the modules of sets, each module once.
fn sizes(sets: &[ModuleSet]) -> usize {
    let modules = sets.iter().flat_map(|set| set.modules.values());
    let by_hash: BTreeMap<&str, usize> = modules.map(|module| (module.sha256.as_str(), module.size)).collect();
    by_hash.values().sum()
}

/// Only the sets and their bytes; what meshes choose is in `choices`.
impl ModuleSets for Catalogue {
    fn list(&self, store: &dyn Store) -> Result<Vec<Value>, ApiError> {
        let mut all = vec![self.show_built_in(store)?];
        for set in self.sets()? {
            all.push(shown::set(&set, &self.users_in(store, &set.version)?));
        }
        Ok(all)
    }

    fn get(&self, store: &dyn Store, version: &str) -> Result<Option<Value>, ApiError> {
        if version == BUILT_IN {
            return Ok(Some(self.show_built_in(store)?));
        }
        let stored = self.store.get(&key::module_set(version))?;
        let set: Option<ModuleSet> = stored.as_ref().map(catalog::read).transpose()?;
        match set {
            Some(set) => Ok(Some(shown::set(&set, &self.users_in(store, version)?))),
            None => Ok(None),
        }
    }

    fn add(&self, store: &dyn Store, by: &Author, set: &NewModuleSet) -> Result<Value, ApiError> {
        let fresh = self.judged(by, set)?;
        attempted(|| self.try_to_add(store, &fresh, set))
    }

    fn delete(&self, store: &dyn Store, version: &str) -> Result<Option<Value>, ApiError> {
        attempted(|| self.try_to_delete(store, version))
    }

    fn choice(&self, store: &dyn Store, mesh: &str) -> Result<Option<Value>, ApiError> {
        let choice = self.choice_of(store, mesh)?;
        Ok(choice.as_ref().map(shown::choice))
    }

    fn choose(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        version: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError> {
        let chosen = attempted(|| self.try_to_choose(store, by, mesh, version, reason))?;
        Ok(chosen.as_ref().map(shown::choice))
    }

    fn roll_back(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        reason: Option<&str>,
    ) -> Result<Option<Value>, ApiError> {
        let chosen = attempted(|| self.try_to_roll_back(store, by, mesh, None, reason))?;
        Ok(chosen.as_ref().map(shown::choice))
    }

    fn file(&self, sha256: &str) -> Result<Option<Bytes>, ApiError> {
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let sets = self.sets()?;
        let mut modules = sets.iter().flat_map(|set| set.modules.values());
        let Some(described) = modules.find(|module| module.sha256 == sha256) else {
            return Ok(None);
        };
        match judged(self.store.as_ref(), described, &self.keys) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Unusable::Store(error)) => Err(error.into()),
            Err(Unusable::Refused(why)) => {
                tracing::error!(
                    sha256,
                    why,
                    "a module in the store is not what was put there, or not trusted any more"
                );
                Err(ApiError::new(
                    ErrorKind::ServiceUnavailable,
                    format!("module {sha256}: {why}"),
                ))
            }
        }
    }
}
