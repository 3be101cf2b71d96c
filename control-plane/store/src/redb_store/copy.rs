//! Values whose revisions come from elsewhere: the copy of another store, and a backup that is restored.

use super::{engine, latest, under, RedbStore, NUMBERS, REVISION, VALUES};
use crate::etcd::Entry;
use crate::{Revision, StoreError, Stored};
use redb::ReadableDatabase;

/// What is known of the store that was copied. All zero: nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CopyNumbers {
    /// Its revision.
    pub(crate) revision: Revision,
    /// Identity of the cluster.
    pub(crate) cluster: u64,
    /// What was added to its own revisions.
    pub(crate) offset: u64,
    /// Its own revision of the last write of that.
    pub(crate) offset_modified: u64,
    /// A number for the prefix of the keys.
    pub(crate) prefix: u64,
}

impl CopyNumbers {
    fn named(&self) -> [(&'static str, u64); 5] {
        [
            (REVISION, self.revision),
            ("copy.cluster", self.cluster),
            ("copy.offset", self.offset),
            ("copy.offset_modified", self.offset_modified),
            ("copy.prefix", self.prefix),
        ]
    }
}

impl RedbStore {
    /// Writes values with their own revisions, after clearing everything if asked to.
    pub(crate) fn write_copy(
        &self,
        clear: bool,
        changes: &[(String, Option<Entry>)],
        numbers: &CopyNumbers,
    ) -> Result<(), StoreError> {
        let bytes = changes.len() * 256;
        self.room.demand(&self.path, bytes, &self.shortage)?;
        self.write(|write| {
            if clear {
                write.delete_table(VALUES).map_err(engine)?;
            }
            let mut values = write.open_table(VALUES).map_err(engine)?;
            for (key, value) in changes {
                match value {
                    Some(entry) => {
                        let value = (entry.created, entry.modified, entry.value.as_slice());
                        drop(values.insert(key.as_str(), value).map_err(engine)?);
                    }
                    None => drop(values.remove(key.as_str()).map_err(engine)?),
                }
            }
            let mut stored = write.open_table(NUMBERS).map_err(engine)?;
            for (name, number) in numbers.named() {
                stored.insert(name, number).map_err(engine)?;
            }
            Ok(numbers.revision)
        })?;
        Ok(())
    }

    /// Everything that was copied.
    pub(crate) fn read_copy(&self) -> Result<(CopyNumbers, Vec<Stored>), StoreError> {
        self.read(|database| {
            let read = database.begin_read().map_err(engine)?;
            let stored = read.open_table(NUMBERS).map_err(engine)?;
            let number = |name: &str| -> Result<u64, StoreError> {
                Ok(stored.get(name).map_err(engine)?.map_or(0, |value| value.value()))
            };
            let numbers = CopyNumbers {
                revision: latest(&stored)?,
                cluster: number("copy.cluster")?,
                offset: number("copy.offset")?,
                offset_modified: number("copy.offset_modified")?,
                prefix: number("copy.prefix")?,
            };
            let values = read.open_table(VALUES).map_err(engine)?;
            Ok((numbers, under(&values, "", None, usize::MAX)?))
        })
    }

    /// Puts values in place of everything, as of one revision.
    pub(crate) fn replace(&self, values: &[(String, Vec<u8>)], revision: Revision) -> Result<Revision, StoreError> {
        let bytes = values.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.room.demand(&self.path, bytes, &self.shortage)?;
        let made = self.write(|write| {
            write.delete_table(VALUES).map_err(engine)?;
            let mut table = write.open_table(VALUES).map_err(engine)?;
            for (key, value) in values {
                table
                    .insert(key.as_str(), (revision, revision, value.as_slice()))
                    .map_err(engine)?;
            }
            let mut numbers = write.open_table(NUMBERS).map_err(engine)?;
            numbers.insert(REVISION, revision).map_err(engine)?;
            Ok(revision)
        })?;
        self.advance(made);
        Ok(made)
    }
}
