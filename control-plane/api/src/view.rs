//! Reads that are remembered, so that a change is committed only if everything it was judged by still holds.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::Bound;

use ferromesh_model::record::Record;
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate::Lookup;
use ferromesh_store::{catalog, key, Change, Compare, Revision, Store, StoreError, Stored, Transaction};
use serde_json::Value;

/// Attempts at one change before the client is asked to come again. Writers of one process take turns, so conflicts only
/// come from other processes over the same store.
const ATTEMPTS: usize = 8;

/// The store as one change sees it, with what the change has planned as if it were there already.
pub(crate) struct View<'a> {
    store: &'a dyn Store,
    keys: RefCell<BTreeMap<String, Option<Revision>>>,
    prefixes: RefCell<BTreeMap<String, Revision>>,
    /// New values by their keys; `None` for what is to be deleted.
    planned: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
    /// Collections that were read; a large change set reads the same ones over and over.
    collections: RefCell<BTreeMap<String, Collection>>,
}

/// Records that stand together.
#[derive(Default)]
struct Collection {
    records: Vec<Record>,
    /// Which of them have a text in their specs, by the text; made when it is first asked for.
    by_text: OnceCell<BTreeMap<String, Vec<usize>>>,
}

impl Collection {
    fn with_text(&self, text: &str) -> Vec<Record> {
        let by_text = self.by_text.get_or_init(|| {
            let mut by_text: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (index, record) in self.records.iter().enumerate() {
                note_texts(&record.spec, index, &mut by_text);
            }
            by_text
        });
        let with_it = by_text.get(text).into_iter().flatten();
        with_it.filter_map(|index| self.records.get(*index).cloned()).collect()
    }
}

fn note_texts(value: &Value, index: usize, by_text: &mut BTreeMap<String, Vec<usize>>) {
    match value {
        Value::String(text) => {
            let with_it = by_text.entry(text.clone()).or_default();
            if with_it.last() != Some(&index) {
                with_it.push(index);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| note_texts(value, index, by_text)),
        Value::Object(members) => members.values().for_each(|value| note_texts(value, index, by_text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl<'a> View<'a> {
    /// A view that has read nothing yet.
    pub(crate) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            keys: RefCell::default(),
            prefixes: RefCell::default(),
            planned: RefCell::default(),
            collections: RefCell::default(),
        }
    }

    /// Shows these writes from now on as if they had happened. They are not part of what the change is judged by: whoever
    /// plans one has read what is there before.
    pub(crate) fn plan(&self, changes: &[Change]) {
        let mut planned = self.planned.borrow_mut();
        for change in changes {
            match change {
                Change::Put { key, value } => planned.insert(key.clone(), Some(value.clone())),
                Change::Delete { key } => planned.insert(key.clone(), None),
            };
        }
        self.collections.borrow_mut().clear();
    }

    /// The stored value of a key.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        if let Some(planned) = self.planned.borrow().get(key) {
            return Ok(planned.clone().map(|value| stored_soon(key, value)));
        }
        let stored = self.store.get(key)?;
        let modified = stored.as_ref().map(|stored| stored.modified);
        // The first read counts: if a later one differs, the compare fails and the change is judged anew.
        self.keys.borrow_mut().entry(key.to_owned()).or_insert(modified);
        Ok(stored)
    }

    /// The keys under a prefix.
    pub(crate) fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let listing = self.store.list(prefix, None, None)?;
        self.prefixes
            .borrow_mut()
            .entry(prefix.to_owned())
            .or_insert(listing.revision);
        Ok(listing.entries.into_iter().map(|stored| stored.key).collect())
    }

    /// The values under a prefix.
    pub(crate) fn values(&self, prefix: &str) -> Result<Vec<Stored>, StoreError> {
        let listing = self.store.list(prefix, None, None)?;
        self.prefixes
            .borrow_mut()
            .entry(prefix.to_owned())
            .or_insert(listing.revision);
        let entries = listing.entries.into_iter();
        let mut merged: BTreeMap<String, Stored> = entries.map(|stored| (stored.key.clone(), stored)).collect();
        for (key, value) in under(&self.planned.borrow(), prefix) {
            match value {
                Some(value) => merged.insert(key.clone(), stored_soon(key, value.clone())),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_values().collect())
    }

    /// The records of a collection as the store has them, with what is planned for them.
    fn collection(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, StoreError> {
        let prefix = key::collection(kind, mesh, parent);
        let (records, revision) = catalog::records(self.store, kind, mesh, parent)?;
        self.prefixes.borrow_mut().entry(prefix.clone()).or_insert(revision);
        let planned = self.planned.borrow();
        let planned: Vec<_> = under(&planned, &prefix).collect();
        if planned.is_empty() {
            return Ok(records);
        }
        let mut merged: BTreeMap<String, Record> = records
            .into_iter()
            .map(|record| (key::record(&record.key), record))
            .collect();
        for (key, value) in planned {
            match value {
                Some(value) => merged.insert(key.clone(), catalog::read(&stored_soon(key, value.clone()))?),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_values().collect())
    }

    /// Looks at a collection, which is read once.
    fn read<T>(
        &self,
        kind: Kind,
        mesh: &str,
        parent: Option<&str>,
        look: impl FnOnce(&Collection) -> T,
    ) -> Result<T, StoreError> {
        let prefix = key::collection(kind, mesh, parent);
        if let Some(collection) = self.collections.borrow().get(&prefix) {
            return Ok(look(collection));
        }
        let collection = Collection {
            records: self.collection(kind, mesh, parent)?,
            ..Collection::default()
        };
        let seen = look(&collection);
        self.collections.borrow_mut().insert(prefix, collection);
        Ok(seen)
    }

    /// The store itself, for reads on which nothing depends.
    pub(crate) fn store(&self) -> &'a dyn Store {
        self.store
    }

    fn transaction(self, changes: Vec<Change>) -> Transaction {
        let keys = self.keys.into_inner().into_iter();
        let keys = keys.map(|(key, modified)| Compare::Unchanged { key, modified });
        let prefixes = self.prefixes.into_inner().into_iter();
        let prefixes = prefixes.map(|(prefix, revision)| Compare::NothingNewer { prefix, revision });
        Transaction {
            compares: keys.chain(prefixes).collect(),
            changes,
        }
    }
}

impl Lookup for View<'_> {
    type Error = StoreError;

    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.get(&key::record(key))?.as_ref().map(catalog::read).transpose()
    }

    fn records(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, StoreError> {
        self.read(kind, mesh, parent, |collection| collection.records.clone())
    }

    fn naming(&self, kind: Kind, mesh: &str, name: &str) -> Result<Vec<Record>, StoreError> {
        if !self.planned.borrow().is_empty() {
            return self.read(kind, mesh, None, |collection| collection.with_text(name));
        }
        // A change of one resource asks once: what does not have the name in it is not even parsed.
        let prefix = key::collection(kind, mesh, None);
        let quoted = Value::from(name).to_string();
        let listing = self.store.list(&prefix, None, None)?;
        self.prefixes.borrow_mut().entry(prefix).or_insert(listing.revision);
        let has_it = |stored: &&Stored| String::from_utf8_lossy(&stored.value).contains(&quoted);
        listing.entries.iter().filter(has_it).map(catalog::read).collect()
    }

    fn count(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<usize, StoreError> {
        self.read(kind, mesh, parent, |collection| collection.records.len())
    }
}

/// What is planned for keys that begin with `prefix`.
fn under<'a, T>(planned: &'a BTreeMap<String, T>, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a T)> {
    let from = planned.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    from.take_while(move |(key, _)| key.starts_with(prefix))
}

/// A planned value as it will be stored; which revision that makes is not known yet.
fn stored_soon(key: &str, value: Vec<u8>) -> Stored {
    Stored {
        key: key.to_owned(),
        value,
        created: 0,
        modified: 0,
    }
}

/// Judges a change against the current state and commits it if that state still holds; else judges it anew. Gives back
/// what the judgement that was committed made beside its writes; one without writes is not committed.
pub(crate) fn commit<T, E: From<StoreError>>(
    store: &dyn Store,
    judge: impl Fn(&View<'_>) -> Result<(Vec<Change>, T), E>,
) -> Result<T, E> {
    commit_at(store, judge).map(|(value, _)| value)
}

/// As [`commit`], with the revision that the writes made; `None` if there were none.
pub(crate) fn commit_at<T, E: From<StoreError>>(
    store: &dyn Store,
    judge: impl Fn(&View<'_>) -> Result<(Vec<Change>, T), E>,
) -> Result<(T, Option<Revision>), E> {
    let mut attempt = 1;
    loop {
        let view = View::new(store);
        let (changes, value) = judge(&view)?;
        if changes.is_empty() {
            return Ok((value, None));
        }
        match store.commit(view.transaction(changes)) {
            Ok(revision) => return Ok((value, Some(revision))),
            Err(StoreError::Conflict(reason)) if attempt < ATTEMPTS => {
                tracing::debug!(attempt, %reason, "change is judged anew");
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ferromesh_store::RedbStore;

    use super::*;

    fn put(store: &RedbStore, key: &str) {
        let changes = vec![Change::put(key, b"{}".to_vec())];
        store
            .commit(Transaction {
                compares: vec![],
                changes,
            })
            .expect("put");
    }

    #[test]
    fn judges_a_change_anew_when_what_it_read_has_changed_meanwhile() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let judged = Cell::new(0);
        let value = commit::<_, StoreError>(&store, |view| {
            judged.set(judged.get() + 1);
            let is_there = view.get("a")?.is_some();
            if judged.get() == 1 {
                put(&store, "a");
            }
            Ok((vec![Change::put("b", vec![])], is_there))
        })
        .expect("the second time it holds");
        assert_eq!((judged.get(), value, store.revision().expect("revision")), (2, true, 2));
    }

    #[test]
    fn gives_up_when_every_attempt_meets_a_conflict() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = RedbStore::open(folder.path().join("store.redb")).expect("a store");
        let result = commit::<(), StoreError>(&store, |view| {
            view.get("a")?;
            put(&store, "a");
            Ok((vec![Change::put("b", vec![])], ()))
        });
        assert!(matches!(result, Err(StoreError::Conflict(_))));
        assert_eq!(store.get("b").expect("get"), None);
    }
}
