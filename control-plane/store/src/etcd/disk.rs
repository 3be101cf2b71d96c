//! The copy on disk: what a control plane serves that starts while etcd is away.
//!
//! It is written behind the events, by a thread of its own: nobody waits for it, and a copy that is a little old is still
//! a good state.

use std::path::Path;
use std::sync::mpsc;

use super::mirror::{Applied, Entry, Mirror};
use crate::redb_store::{CopyNumbers, RedbStore};
use crate::StoreError;

/// Events that may wait for the disk before the follower waits with them.
const WAITING: usize = 1024;

/// What the disk is to do.
enum Work {
    Replace(Vec<Applied>, CopyNumbers),
    Apply(Vec<Applied>, CopyNumbers),
}

/// The copy. Its thread ends when it is dropped.
pub struct Disk {
    store: std::sync::Arc<RedbStore>,
    prefix: String,
    work: mpsc::SyncSender<Work>,
}

impl Disk {
    /// Opens the file, or makes it.
    pub fn open(path: &Path, prefix: &str) -> Result<Self, StoreError> {
        let store = std::sync::Arc::new(RedbStore::open(path)?);
        let (work, orders) = mpsc::sync_channel(WAITING);
        let disk = std::sync::Arc::clone(&store);
        std::thread::Builder::new()
            .name("etcd-copy".to_owned())
            .spawn(move || write(&disk, &orders))
            .map_err(|error| StoreError::Engine(Box::new(error)))?;
        Ok(Self {
            store,
            prefix: prefix.to_owned(),
            work,
        })
    }

    /// What was copied before, if it was copied from under the same prefix.
    pub fn read(&self) -> Result<Option<Mirror>, StoreError> {
        let (numbers, entries) = self.store.read_copy()?;
        if numbers.cluster == 0 || numbers.prefix != prefix_number(&self.prefix) {
            return Ok(None);
        }
        let entries = entries.into_iter().map(|stored| {
            let entry = Entry {
                created: stored.created,
                modified: stored.modified,
                value: stored.value,
            };
            (stored.key, entry)
        });
        Ok(Some(Mirror {
            values: entries.collect(),
            cluster: numbers.cluster,
            seen: i64::try_from(numbers.revision.saturating_sub(numbers.offset)).unwrap_or(0),
            offset: numbers.offset,
            offset_modified: i64::try_from(numbers.offset_modified).unwrap_or(0),
            ..Mirror::default()
        }))
    }

    /// Puts a mirror in place of everything.
    pub fn replace(&self, mirror: &Mirror) {
        let all = mirror
            .values
            .iter()
            .map(|(key, entry)| (key.clone(), Some(entry.clone())));
        self.order(Work::Replace(all.collect(), self.numbers(mirror)));
    }

    /// Writes what has changed on the way to a mirror.
    pub fn apply(&self, applied: Vec<Applied>, mirror: &Mirror) {
        self.order(Work::Apply(applied, self.numbers(mirror)));
    }

    fn order(&self, work: Work) {
        // The thread ends with us alone.
        let _ = self.work.send(work);
    }

    fn numbers(&self, mirror: &Mirror) -> CopyNumbers {
        CopyNumbers {
            revision: mirror.revision(),
            cluster: mirror.cluster,
            offset: mirror.offset,
            offset_modified: u64::try_from(mirror.offset_modified).unwrap_or(0),
            prefix: prefix_number(&self.prefix),
        }
    }
}

/// A number for a prefix (FNV-1a): a copy from under another one is not used.
fn prefix_number(prefix: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    prefix.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

fn write(store: &RedbStore, orders: &mpsc::Receiver<Work>) {
    let mut is_well = true;
    // Whether the copy has missed something: then only a whole one mends it.
    while let Ok(first) = orders.recv() {
        let mut replaces = false;
        let mut changes = Vec::new();
        let mut numbers = CopyNumbers::default();
        // What has come meanwhile is written with it: one sync for all.
        for work in std::iter::once(first).chain(orders.try_iter()) {
            match work {
                Work::Replace(all, of) => {
                    replaces = true;
                    changes = all;
                    numbers = of;
                }
                Work::Apply(some, of) => {
                    changes.extend(some);
                    numbers = of;
                }
            }
        }
        if !is_well && !replaces {
            continue;
        }
        match store.write_copy(replaces, &changes, &numbers) {
            Ok(()) => is_well = true,
            Err(error) => {
                // It stays what it was: an older good state.
                tracing::error!(%error, "the copy of etcd on disk is not kept up to date until the next connection");
                is_well = false;
            }
        }
    }
}
