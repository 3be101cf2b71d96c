//! One account's part of a store that several share.

use std::ops::Deref;

use tokio::sync::watch;

use crate::{key, Availability, Change, Compare, Listing, Revision, Store, StoreError, Stored, Transaction};

/// A store as one account sees it: its meshes, resources, policies, rollbacks and tokens ([`key::OF_ACCOUNTS`]) stand
/// under `account/<id>/`, and are read and written as if they did not. Everything else is everybody's and stays where it
/// is, so that one transaction can change both.
///
/// Revisions and [`Store::watch`] are those of the whole store.
///
/// ```
/// use ferromesh_store::{AccountStore, Change, RedbStore, Store, Transaction};
///
/// let folder = tempfile::tempdir()?;
/// let store = RedbStore::open(folder.path().join("store.redb"))?;
/// let theirs = AccountStore::new(&store as &dyn Store, "222222222222");
/// let changes = vec![Change::put("mesh/m", b"{}".to_vec())];
/// theirs.commit(Transaction { compares: vec![], changes })?;
/// assert_eq!(theirs.list("mesh/", None, None)?.entries[0].key, "mesh/m");
/// assert_eq!(store.get("mesh/m")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccountStore<S> {
    inner: S,
    prefix: String,
}

impl<S> AccountStore<S> {
    /// The part of `inner` that belongs to `account`.
    pub fn new(inner: S, account: &str) -> Self {
        Self {
            inner,
            prefix: key::account(account),
        }
    }

    /// Where a key, or a prefix of keys, is in the whole store.
    fn outer(&self, key: &str) -> String {
        if key::OF_ACCOUNTS.iter().any(|prefix| key.starts_with(prefix)) {
            format!("{}{key}", self.prefix)
        } else {
            key.to_owned()
        }
    }

    fn inner(&self, mut stored: Stored) -> Stored {
        if let Some(key) = stored.key.strip_prefix(&self.prefix) {
            stored.key = key.to_owned();
        }
        stored
    }

    fn all_inner(&self, entries: Vec<Stored>) -> Vec<Stored> {
        entries.into_iter().map(|stored| self.inner(stored)).collect()
    }
}

impl<S> Store for AccountStore<S>
where
    S: Deref + Send + Sync,
    S::Target: Store,
{
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let stored = self.inner.get(&self.outer(key))?;
        Ok(stored.map(|stored| self.inner(stored)))
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        let after = after.map(|after| self.outer(after));
        let listing = self.inner.list(&self.outer(prefix), after.as_deref(), limit)?;
        Ok(Listing {
            revision: listing.revision,
            entries: self.all_inner(listing.entries),
        })
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        let outer: Vec<String> = prefixes.iter().map(|prefix| self.outer(prefix)).collect();
        let outer: Vec<&str> = outer.iter().map(String::as_str).collect();
        let (revision, listed) = self.inner.snapshot(&outer)?;
        let listed = listed.into_iter().map(|entries| self.all_inner(entries));
        Ok((revision, listed.collect()))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision()
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        let compares = transaction.compares.into_iter().map(|compare| match compare {
            Compare::Unchanged { key, modified } => Compare::Unchanged {
                key: self.outer(&key),
                modified,
            },
            Compare::NothingNewer { prefix, revision } => Compare::NothingNewer {
                prefix: self.outer(&prefix),
                revision,
            },
        });
        let changes = transaction.changes.into_iter().map(|change| match change {
            Change::Put { key, value } => Change::put(self.outer(&key), value),
            Change::Delete { key } => Change::delete(self.outer(&key)),
        });
        self.inner.commit(Transaction {
            compares: compares.collect(),
            changes: changes.collect(),
        })
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.inner.watch()
    }

    fn availability(&self) -> Availability {
        self.inner.availability()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedbStore;

    fn put(store: &dyn Store, key: &str) {
        let changes = vec![Change::put(key, key.as_bytes().to_vec())];
        store
            .commit(Transaction {
                compares: vec![],
                changes,
            })
            .expect("put");
    }

    #[test]
    fn keeps_what_accounts_have_apart_and_what_is_everybodys_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let one = AccountStore::new(&store as &dyn Store, "000000000001");
        let two = AccountStore::new(&store as &dyn Store, "000000000002");
        for of in key::OF_ACCOUNTS {
            let name = format!("{of}a");
            put(&one, &name);
            assert_eq!(two.get(&name).expect("get"), None, "{name}");
            assert_eq!(store.get(&name).expect("get"), None, "{name}");
            put(&two, &format!("{of}b"));
            let listed = one.list(of, None, None).expect("list");
            assert_eq!(listed.entries[0].key, name);
            assert_eq!(listed.entries.len(), 1);
            let (_, all) = two.snapshot(&[of, key::SHARES]).expect("snapshot");
            assert_eq!(all[0][0].key, format!("{of}b"));
        }
        put(&one, "registry/x");
        assert!(store.get("registry/x").expect("get").is_some());
        assert!(two.get("registry/x").expect("get").is_some());
    }

    #[test]
    fn compares_within_the_account() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let one = AccountStore::new(&store as &dyn Store, "000000000001");
        put(&store, "mesh/m");
        let first = Transaction {
            compares: vec![
                Compare::Unchanged {
                    key: "mesh/m".to_owned(),
                    modified: None,
                },
                Compare::NothingNewer {
                    prefix: "mesh/".to_owned(),
                    revision: 0,
                },
            ],
            changes: vec![Change::put("mesh/m", vec![])],
        };
        one.commit(first.clone()).expect("theirs is not there yet");
        assert!(matches!(one.commit(first), Err(StoreError::Conflict(_))));
        one.commit(Transaction {
            compares: vec![],
            changes: vec![Change::delete("mesh/m")],
        })
        .expect("delete");
        assert!(store.get("mesh/m").expect("get").is_some(), "the other account's stays");
    }

    #[test]
    fn pages_through_keys_of_the_account() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let one = AccountStore::new(&store as &dyn Store, "000000000001");
        for name in ["mesh/a", "mesh/b", "mesh/c"] {
            put(&one, name);
        }
        let page = one.list("mesh/", Some("mesh/a"), Some(1)).expect("list");
        assert_eq!(page.entries[0].key, "mesh/b");
        assert_eq!(page.entries.len(), 1);
    }
}
