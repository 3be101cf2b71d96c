//! The control plane's own records in a store: what is under which key, and in which form.

use ferromesh_model::policy::Policy;
use ferromesh_model::record::Record;
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::rollback::Rollbacks;
use serde::de::DeserializeOwned;

use crate::{key, Change, Revision, Store, StoreError, Stored};

/// Everything that belongs to one mesh, read at one revision.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshRecords {
    /// Revision of the state that was read.
    pub revision: Revision,
    /// The mesh's own record.
    pub mesh: Record,
    /// Records of everything in the mesh.
    pub children: Vec<Record>,
    /// The mesh's policies.
    pub policies: Vec<Policy>,
}

/// A resource's record and the revision in which it was last written.
pub fn record(store: &dyn Store, key: &Key) -> Result<Option<(Record, Revision)>, StoreError> {
    let Some(stored) = store.get(&key::record(key))? else {
        return Ok(None);
    };
    Ok(Some((read(&stored)?, stored.modified)))
}

/// Records of one kind and the revision of the state that was read: of meshes all, of routes and gateway routes those of
/// one parent or, with no parent given, of the whole mesh.
pub fn records(
    store: &dyn Store,
    kind: Kind,
    mesh: &str,
    parent: Option<&str>,
) -> Result<(Vec<Record>, Revision), StoreError> {
    let listing = store.list(&key::collection(kind, mesh, parent), None, None)?;
    Ok((read_all(&listing.entries)?, listing.revision))
}

/// Everything of one mesh at one revision; `None` when there is no such mesh.
pub fn mesh(store: &dyn Store, name: &str) -> Result<Option<MeshRecords>, StoreError> {
    let own = key::record(&Key::mesh(name));
    let (revision, mut listed) = store.snapshot(&[&own, &key::in_mesh(name), &key::policies(name)])?;
    let policies = read_all(&listed.pop().unwrap_or_default())?;
    let children = read_all(&listed.pop().unwrap_or_default())?;
    // The prefix of `mesh/a` also finds `mesh/ab`.
    let meshes = listed.pop().unwrap_or_default();
    let Some(mesh) = meshes.iter().find(|stored| stored.key == own) else {
        return Ok(None);
    };
    Ok(Some(MeshRecords {
        revision,
        mesh: read(mesh)?,
        children,
        policies,
    }))
}

/// A policy and the revision in which it was last written.
pub fn policy(store: &dyn Store, mesh: &str, name: &str) -> Result<Option<(Policy, Revision)>, StoreError> {
    let Some(stored) = store.get(&key::policy(mesh, name))? else {
        return Ok(None);
    };
    Ok(Some((read(&stored)?, stored.modified)))
}

/// The policies of one mesh, or of all.
pub fn policies(store: &dyn Store, mesh: Option<&str>) -> Result<Vec<Policy>, StoreError> {
    let prefix = mesh.map_or_else(|| key::POLICIES.to_owned(), key::policies);
    read_all(&store.list(&prefix, None, None)?.entries)
}

/// The write that stores a record.
pub fn put_record(record: &Record) -> Result<Change, StoreError> {
    put(key::record(&record.key), record)
}

/// The write that stores a policy.
pub fn put_policy(policy: &Policy) -> Result<Change, StoreError> {
    put(key::policy(&policy.mesh, &policy.name), policy)
}

/// What is known of a policy's rollbacks, and the revision in which that was last written.
pub fn rollback(store: &dyn Store, mesh: &str, policy: &str) -> Result<Option<(Rollbacks, Revision)>, StoreError> {
    let Some(stored) = store.get(&key::rollback(mesh, policy))? else {
        return Ok(None);
    };
    Ok(Some((read(&stored)?, stored.modified)))
}

/// The accounts that have anything in the store, besides the one that its server calls its own.
pub fn accounts(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let mut accounts: Vec<String> = Vec::new();
    loop {
        // From one account to the next, past everything that it has.
        let after = accounts
            .last()
            .map(|account| format!("{}{}", key::account(account), char::MAX));
        let next = store.list(key::ACCOUNTS, after.as_deref(), Some(1))?;
        let found = next.entries.first().and_then(|stored| {
            let rest = stored.key.strip_prefix(key::ACCOUNTS)?;
            rest.split_once('/').map(|(account, _)| account.to_owned())
        });
        match found {
            Some(account) if accounts.last() != Some(&account) => accounts.push(account),
            _ => return Ok(accounts),
        }
    }
}

/// What is known of the rollbacks of all policies.
pub fn rollbacks(store: &dyn Store) -> Result<Vec<Rollbacks>, StoreError> {
    read_all(&store.list(key::ROLLBACKS, None, None)?.entries)
}

/// The write that stores what is known of a policy's rollbacks.
pub fn put_rollback(rollbacks: &Rollbacks) -> Result<Change, StoreError> {
    put(key::rollback(&rollbacks.mesh, &rollbacks.policy), rollbacks)
}

/// The write that stores a value as JSON.
pub fn put(key: String, value: &impl serde::Serialize) -> Result<Change, StoreError> {
    match serde_json::to_vec(value) {
        Ok(bytes) => Ok(Change::put(key, bytes)),
        Err(error) => Err(StoreError::Unreadable {
            key,
            reason: error.to_string(),
        }),
    }
}

/// The stored value, typed.
pub fn read<T: DeserializeOwned>(stored: &Stored) -> Result<T, StoreError> {
    serde_json::from_slice(&stored.value).map_err(|error| StoreError::Unreadable {
        key: stored.key.clone(),
        reason: error.to_string(),
    })
}

fn read_all<T: DeserializeOwned>(stored: &[Stored]) -> Result<Vec<T>, StoreError> {
    stored.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountStore, RedbStore, Transaction};

    #[test]
    fn finds_every_account_once_however_much_it_has() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let commit = |store: &dyn Store, name: &str| {
            let changes = vec![Change::put(name, vec![])];
            let transaction = Transaction {
                changes,
                ..Transaction::default()
            };
            store.commit(transaction).expect("put");
        };
        assert_eq!(accounts(&store).expect("accounts"), Vec::<String>::new());
        commit(&store, "mesh/own");
        for account in ["000000000002", "000000000001", "999999999999"] {
            let theirs = AccountStore::new(&store as &dyn Store, account);
            for name in ["mesh/a", "resource/a/virtualNode/\u{10ffff}", "token/by-name/z"] {
                commit(&theirs, name);
            }
        }
        commit(&store, "share/000000000003/000000000001/a");
        let found = accounts(&store).expect("accounts");
        assert_eq!(found, ["000000000001", "000000000002", "999999999999"]);
    }
}
