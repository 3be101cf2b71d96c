//! Which configuration of each proxy was accepted, for the next life of a control plane: what it comes to then, with other
//! modules or another version, is tried like any change.
//!
//! One value for each mesh, apart from its record, which is read and written much more often. Configurations stand in it as
//! marks: 54 bytes for each virtual node and gateway.

use std::{collections::BTreeMap, time::Duration};

use ferromesh_store::{catalog, key, Compare, Revision, Store, StoreError, Transaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::wave::Mark;

/// Proxies of a mesh that are remembered. Of more some are forgotten, and what they come to next is accepted as it is.
const MAX_PROXIES: usize = 20_000;
/// Attempts at a write that another control plane is in the way of.
const ATTEMPTS: usize = 8;
/// How long changes are collected before they are written, and longer in large meshes: some 5 kB a second at most. Who
/// dies meanwhile tries once more what it had accepted.
const COLLECTED: Duration = Duration::from_secs(2);
/// The longer part of it.
const COLLECTED_FOR_EACH: Duration = Duration::from_millis(10);

/// By [`Mark::of_proxy`].
pub type Marks = BTreeMap<Mark, Known>;

/// What a proxy was last given for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The configuration.
    pub mark: Mark,
    /// Its modules, see [`of_modules`].
    pub modules: Mark,
}

/// The stored form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    /// 16 hexadecimal digits for a proxy; as many for its configuration and for its modules.
    accepted: BTreeMap<String, String>,
}

/// What tells apart two sets of modules.
pub fn of_modules(modules: &BTreeMap<String, String>) -> Mark {
    let mut hash = Sha256::new();
    for (name, sha256) in modules {
        hash.update(name);
        hash.update([0]);
        hash.update(sha256);
        hash.update([0]);
    }
    Mark::first_of(&hash.finalize())
}

/// How long changes of a mesh with so many proxies are collected.
pub fn collected_for(proxies: usize) -> Duration {
    COLLECTED + COLLECTED_FOR_EACH * u32::try_from(proxies.min(MAX_PROXIES)).unwrap_or_default()
}

/// What is remembered of a mesh, and when it was written; `None`: it was not written after `known`.
///
/// # Errors
/// The store cannot be read, or has something else there.
pub fn read(
    store: &dyn Store,
    mesh: &str,
    known: Option<Revision>,
) -> Result<Option<(Marks, Option<Revision>)>, StoreError> {
    let stored = store.get(&key::accepted(mesh))?;
    let modified = stored.as_ref().map(|stored| stored.modified);
    if modified == known && known.is_some() {
        return Ok(None);
    }
    let marks = match &stored {
        Some(stored) => parsed(&catalog::read(stored)?),
        None => Marks::new(),
    };
    Ok(Some((marks, modified)))
}

/// Adds to what is remembered of a mesh. Nothing is written where it is known already.
///
/// # Errors
/// The store cannot be read or written.
pub fn add(store: &dyn Store, mesh: &str, more: &Marks) -> Result<(), StoreError> {
    let key = key::accepted(mesh);
    for attempt in 1.. {
        let stored = store.get(&key)?;
        let mut marks = match &stored {
            Some(stored) => parsed(&catalog::read(stored)?),
            None => Marks::new(),
        };
        let mut is_news = false;
        for (proxy, known) in more {
            is_news |= marks.insert(*proxy, *known) != Some(*known);
        }
        if !is_news {
            return Ok(());
        }
        if marks.len() > MAX_PROXIES {
            let too_many = marks.len() - MAX_PROXIES;
            let others = marks.keys().filter(|proxy| !more.contains_key(proxy)).copied();
            for proxy in others.take(too_many).collect::<Vec<_>>() {
                marks.remove(&proxy);
            }
        }
        let transaction = Transaction {
            compares: vec![Compare::Unchanged {
                key: key.clone(),
                modified: stored.map(|stored| stored.modified),
            }],
            changes: vec![catalog::put(key.clone(), &written(&marks))?],
        };
        match store.commit(transaction) {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict(_)) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn written(marks: &Marks) -> Stored {
    let entry = |(proxy, known): (&Mark, &Known)| {
        let value = format!("{:016x}{:016x}", known.mark.0, known.modules.0);
        (format!("{:016x}", proxy.0), value)
    };
    Stored {
        accepted: marks.iter().map(entry).collect(),
    }
}

fn parsed(stored: &Stored) -> Marks {
    let mark = |text: &str| u64::from_str_radix(text, 16).ok().map(Mark);
    let entries = stored.accepted.iter().filter_map(|(proxy, value)| {
        let (configuration, modules) = value.split_at_checked(16)?;
        let known = Known {
            mark: mark(configuration)?,
            modules: mark(modules)?,
        };
        Some((mark(proxy)?, known))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use ferromesh_store::RedbStore;

    use super::*;

    fn known(number: u64) -> Known {
        Known {
            mark: Mark(number),
            modules: Mark(7),
        }
    }

    #[test]
    fn what_was_accepted_is_known_after_a_restart_and_written_only_when_it_is_news() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = RedbStore::open(&path).unwrap();
        assert_eq!(read(&store, "m", None).unwrap(), Some((Marks::new(), None)));
        add(&store, "m", &[(Mark(1), known(10)), (Mark(2), known(20))].into()).unwrap();
        add(&store, "m", &[(Mark(2), known(21))].into()).unwrap();
        let revision = store.revision().unwrap();
        add(&store, "m", &[(Mark(1), known(10))].into()).unwrap();
        assert_eq!(store.revision().unwrap(), revision, "nothing new");
        drop(store);
        let store = RedbStore::open(&path).unwrap();
        let (marks, modified) = read(&store, "m", None).unwrap().expect("it is there");
        assert_eq!(marks, [(Mark(1), known(10)), (Mark(2), known(21))].into());
        assert_eq!(read(&store, "m", modified).unwrap(), None, "it is not read again");
        assert_eq!(read(&store, "other", None).unwrap(), Some((Marks::new(), None)));
    }

    #[test]
    fn a_mesh_of_very_many_proxies_forgets_some_and_none_of_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("store.redb")).unwrap();
        let many = u64::try_from(MAX_PROXIES).unwrap();
        let all: Marks = (0..many).map(|number| (Mark(number), known(number))).collect();
        add(&store, "m", &all).unwrap();
        let stored = store.get(&key::accepted("m")).unwrap().expect("it is there");
        assert!(
            stored.value.len() < 1_200_000,
            "{} bytes: etcd takes 1.5 MB",
            stored.value.len()
        );
        let newest: Marks = (many..many + 5).map(|number| (Mark(number), known(number))).collect();
        add(&store, "m", &newest).unwrap();
        let (marks, _) = read(&store, "m", None).unwrap().expect("it is there");
        assert_eq!(marks.len(), MAX_PROXIES);
        assert!(newest.keys().all(|proxy| marks.contains_key(proxy)));
    }
}
