//! The embedded store: one redb file, every commit on disk before it is acknowledged.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::watch;

use crate::{Change, Compare, Listing, Revision, Store, StoreError, Stored, Transaction};

/// Revision of creation, revision of the last write, bytes.
type Value = (u64, u64, &'static [u8]);
const VALUES: TableDefinition<&str, Value> = TableDefinition::new("values");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const REVISION: &str = "revision";
/// Layout of the tables; a file with another one is refused instead of misread.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;
/// redb's own default is 1 GiB; a mesh of a thousand resources takes a few MiB.
const CACHE_BYTES: usize = 32 << 20;

/// A store in one file.
///
/// Only one process can have the file open. A commit is on disk (fsync) when it returns; a process or machine that dies
/// leaves the state of the last commit that returned or of one that was about to.
pub struct RedbStore {
    database: Database,
    path: PathBuf,
    latest: watch::Sender<Revision>,
}

impl RedbStore {
    /// Opens the file, making it and its folder when they are not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open; [`StoreError::Engine`] when it cannot be made, read or is
    /// not a store of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(engine)?;
        }
        let is_new = !path.exists();
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
                    path: path.display().to_string(),
                },
                other => engine(other),
            })?;
        if is_new {
            sync_folder(&path)?;
        }
        let revision = prepare(&database)?;
        tracing::debug!(path = %path.display(), revision, "store opened");
        Ok(Self {
            database,
            path,
            latest: watch::Sender::new(revision),
        })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the tables of a new file and reads the revision of an old one.
fn prepare(database: &Database) -> Result<Revision, StoreError> {
    let write = database.begin_write().map_err(engine)?;
    let revision = {
        write.open_table(VALUES).map_err(engine)?;
        let mut numbers = write.open_table(NUMBERS).map_err(engine)?;
        let format = numbers.get(FORMAT).map_err(engine)?.map(|value| value.value());
        match format {
            Some(FORMAT_VERSION) => {}
            Some(other) => {
                return Err(StoreError::Unreadable {
                    key: FORMAT.to_owned(),
                    reason: format!("the file has format {other}, this version reads {FORMAT_VERSION}"),
                })
            }
            None => {
                numbers.insert(FORMAT, FORMAT_VERSION).map_err(engine)?;
            }
        }
        let revision = numbers.get(REVISION).map_err(engine)?.map_or(0, |value| value.value());
        revision
    };
    write.commit().map_err(engine)?;
    Ok(revision)
}

/// Puts a new file's name on disk; syncing the file alone does not.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(engine)
}

fn engine(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Engine(Box::new(error))
}

impl Store for RedbStore {
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let read = self.database.begin_read().map_err(engine)?;
        let values = read.open_table(VALUES).map_err(engine)?;
        let found = values.get(key).map_err(engine)?;
        Ok(found.map(|value| stored(key, value.value())))
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        let read = self.database.begin_read().map_err(engine)?;
        let values = read.open_table(VALUES).map_err(engine)?;
        let revision = latest(&read.open_table(NUMBERS).map_err(engine)?)?;
        let entries = under(&values, prefix, after, limit.unwrap_or(usize::MAX))?;
        Ok(Listing { revision, entries })
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        let read = self.database.begin_read().map_err(engine)?;
        let values = read.open_table(VALUES).map_err(engine)?;
        let revision = latest(&read.open_table(NUMBERS).map_err(engine)?)?;
        let listed = prefixes
            .iter()
            .map(|prefix| under(&values, prefix, None, usize::MAX))
            .collect::<Result<_, _>>()?;
        Ok((revision, listed))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        let read = self.database.begin_read().map_err(engine)?;
        let numbers = read.open_table(NUMBERS).map_err(engine)?;
        latest(&numbers)
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        // Durability::Immediate is redb's default: commit() returns after fsync.
        let write = self.database.begin_write().map_err(engine)?;
        let revision = {
            let mut values = write.open_table(VALUES).map_err(engine)?;
            let mut numbers = write.open_table(NUMBERS).map_err(engine)?;
            let before = latest(&numbers)?;
            for compare in &transaction.compares {
                // Returning drops the write transaction, which undoes it.
                holds(&values, compare)?;
            }
            if transaction.changes.is_empty() {
                return Ok(before);
            }
            let revision = before + 1;
            for change in &transaction.changes {
                apply(&mut values, change, revision)?;
            }
            numbers.insert(REVISION, revision).map_err(engine)?;
            revision
        };
        write.commit().map_err(engine)?;
        self.latest.send_if_modified(|latest| {
            let is_newer = revision > *latest;
            if is_newer {
                *latest = revision;
            }
            is_newer
        });
        Ok(revision)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.latest.subscribe()
    }
}

fn stored(key: &str, (created, modified, value): (u64, u64, &[u8])) -> Stored {
    Stored {
        key: key.to_owned(),
        value: value.to_vec(),
        created,
        modified,
    }
}

fn latest(numbers: &impl ReadableTable<&'static str, u64>) -> Result<Revision, StoreError> {
    Ok(numbers.get(REVISION).map_err(engine)?.map_or(0, |value| value.value()))
}

fn under(
    values: &impl ReadableTable<&'static str, Value>,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let from = after.filter(|after| *after > prefix).unwrap_or(prefix);
    let mut entries = Vec::new();
    for entry in values.range(from..).map_err(engine)? {
        let (key, value) = entry.map_err(engine)?;
        let key = key.value();
        if after.is_some_and(|after| key <= after) {
            continue;
        }
        if entries.len() == limit || !key.starts_with(prefix) {
            break;
        }
        entries.push(stored(key, value.value()));
    }
    Ok(entries)
}

fn holds(values: &impl ReadableTable<&'static str, Value>, compare: &Compare) -> Result<(), StoreError> {
    match compare {
        Compare::Unchanged { key, modified } => {
            let is = values.get(key.as_str()).map_err(engine)?.map(|value| value.value().1);
            if is != *modified {
                return Err(StoreError::Conflict(format!(
                    "{key} was written in {is:?}, not {modified:?}"
                )));
            }
        }
        Compare::NothingNewer { prefix, revision } => {
            for entry in values.range(prefix.as_str()..).map_err(engine)? {
                let (key, value) = entry.map_err(engine)?;
                let (key, modified) = (key.value(), value.value().1);
                if !key.starts_with(prefix) {
                    break;
                }
                if modified > *revision {
                    return Err(StoreError::Conflict(format!(
                        "{key} was written in {modified}, after {revision}"
                    )));
                }
            }
        }
    }
    Ok(())
}

fn apply(
    values: &mut redb::Table<'_, &'static str, Value>,
    change: &Change,
    revision: Revision,
) -> Result<(), StoreError> {
    match change {
        Change::Put { key, value } => {
            let created = values
                .get(key.as_str())
                .map_err(engine)?
                .map_or(revision, |old| old.value().0);
            values
                .insert(key.as_str(), (created, revision, value.as_slice()))
                .map_err(engine)?;
        }
        Change::Delete { key } => {
            values.remove(key.as_str()).map_err(engine)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
