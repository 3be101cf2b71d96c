//! Principals and keys as they are read together.

use std::collections::BTreeMap;

use ferromesh_store::{catalog, key, Store, StoreError, Stored};

use super::keys::Key;
use super::Principal;
use crate::view::View;
use crate::{ApiError, ErrorKind};

/// All principals by their names and all keys by their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) principals: BTreeMap<String, Principal>,
    pub(crate) keys: BTreeMap<String, Key>,
}

impl Table {
    /// The table as a change sees it: the change is judged anew if any of it has changed meanwhile.
    pub(crate) fn read(view: &View<'_>) -> Result<Self, StoreError> {
        let mut table = Self::default();
        for name in view.keys(key::ACCESS)? {
            // Deletions are seen only by the keys that were read.
            if let Some(stored) = view.get(&name)? {
                table.take(&stored)?;
            }
        }
        Ok(table)
    }

    /// The table as it is now.
    pub(crate) fn now(store: &dyn Store) -> Result<Self, StoreError> {
        let mut table = Self::default();
        for stored in store.list(key::ACCESS, None, None)?.entries {
            table.take(&stored)?;
        }
        Ok(table)
    }

    fn take(&mut self, stored: &Stored) -> Result<(), StoreError> {
        if stored.key.starts_with(key::PRINCIPALS) {
            let principal: Principal = catalog::read(stored)?;
            self.principals.insert(principal.name.clone(), principal);
        } else if stored.key.starts_with(key::ACCESS_KEYS) {
            let key: Key = catalog::read(stored)?;
            self.keys.insert(key.id.clone(), key);
        }
        Ok(())
    }

    /// Whether a key is good now whose principal may do everything.
    pub(crate) fn has_admin(&self, now: f64) -> bool {
        let mut good = self
            .keys
            .values()
            .filter(|key| key.is_good(now) && key.expires_at.is_none());
        good.any(|key| self.principals.get(&key.principal).is_some_and(Principal::is_unlimited))
    }
}

/// Refuses a change after which nobody could handle keys any more: without any key, the server would be open again.
pub(crate) fn leaves_an_admin(before: bool, table: &Table, now: f64) -> Result<(), ApiError> {
    if !before || table.has_admin(now) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorKind::ResourceInUse,
        "no key of an admin for all meshes and kinds would be left that is enabled and does not expire: make another first",
    ))
}
