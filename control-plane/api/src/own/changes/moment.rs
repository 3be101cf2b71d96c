//! A store as it was at one moment, for those who look long at it and write nothing: others need not wait for them.

use std::collections::BTreeMap;
use std::ops::Bound;

use ferromesh_store::{Availability, Listing, Revision, Store, StoreError, Stored, Transaction};
use tokio::sync::watch;

/// What stood under some prefixes at one revision. What stands elsewhere is as it is whenever it is read.
pub(super) struct Moment<'a> {
    store: &'a dyn Store,
    revision: Revision,
    prefixes: Vec<String>,
    values: BTreeMap<String, Stored>,
}

impl<'a> Moment<'a> {
    /// This moment.
    pub(super) fn take(store: &'a dyn Store, prefixes: Vec<String>) -> Result<Self, StoreError> {
        let borrowed: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let (revision, listed) = store.snapshot(&borrowed)?;
        let values = listed.into_iter().flatten();
        Ok(Self {
            store,
            revision,
            values: values.map(|stored| (stored.key.clone(), stored)).collect(),
            prefixes,
        })
    }

    fn holds(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

impl Store for Moment<'_> {
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        match self.holds(key) {
            true => Ok(self.values.get(key).cloned()),
            false => self.store.get(key),
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        if !self.holds(prefix) {
            return self.store.list(prefix, after, limit);
        }
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let under = self.values.range::<str, _>((from, Bound::Unbounded));
        let under = under.take_while(|(key, _)| key.starts_with(prefix));
        let entries = under
            .take(limit.unwrap_or(usize::MAX))
            .map(|(_, stored)| stored.clone());
        Ok(Listing {
            revision: self.revision,
            entries: entries.collect(),
        })
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        if !prefixes.iter().all(|prefix| self.holds(prefix)) {
            return self.store.snapshot(prefixes);
        }
        let listed = prefixes.iter().map(|prefix| self.list(prefix, None, None));
        let listed = listed.map(|listing| listing.map(|listing| listing.entries));
        Ok((self.revision, listed.collect::<Result<_, _>>()?))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.revision)
    }

    /// What is past is not written.
    fn commit(&self, _: Transaction) -> Result<Revision, StoreError> {
        Err(StoreError::Conflict(format!(
            "the store is read as it was in revision {}",
            self.revision
        )))
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.store.watch()
    }

    fn availability(&self) -> Availability {
        self.store.availability()
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_store::{Change, RedbStore};

    use super::*;

    fn write(store: &RedbStore, changes: Vec<Change>) -> Revision {
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        store.commit(transaction).expect("a write")
    }

    fn keys(store: &dyn Store, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Vec<String> {
        let listing = store.list(prefix, after, limit).expect("list");
        listing.entries.into_iter().map(|stored| stored.key).collect()
    }

    #[test]
    fn shows_what_was_there_whatever_is_written_meanwhile() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let put = |key: &str| Change::put(key, b"{}".to_vec());
        let then = write(&store, vec![put("a/1"), put("a/2"), put("a/3"), put("b/1")]);
        let moment = Moment::take(&store, vec!["a/".to_owned()]).expect("a moment");
        write(&store, vec![Change::delete("a/2"), put("a/4"), put("b/2")]);
        assert_eq!(moment.revision().expect("a revision"), then);
        assert_eq!(keys(&moment, "a/", None, None), ["a/1", "a/2", "a/3"]);
        assert_eq!(keys(&moment, "a/", Some("a/1"), Some(1)), ["a/2"]);
        assert!(moment.get("a/2").expect("get").is_some() && moment.get("a/4").expect("get").is_none());
        let (revision, listed) = moment.snapshot(&["a/", "a/3"]).expect("a snapshot");
        assert_eq!((revision, listed[0].len(), listed[1].len()), (then, 3, 1));
        // What is not held is as it is now.
        assert_eq!(keys(&moment, "b/", None, None), ["b/1", "b/2"]);
        assert!(moment.commit(Transaction::default()).is_err());
    }
}
