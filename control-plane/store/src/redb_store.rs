//! The embedded store: one redb file, every commit on disk before it is acknowledged.

mod copy;
mod space;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::watch;

use crate::{Availability, Change, Compare, Listing, Revision, Store, StoreError, Stored, Transaction};
pub(crate) use copy::CopyNumbers;
use space::{Room, Shortage};
use table::{apply, holds, latest, stored, under};

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
///
/// When the disk is full, writes are refused before the engine runs into it, and reads go on. Should it run into it all the
/// same, the engine takes no more calls: the file is opened anew, which finds the last commit.
pub struct RedbStore {
    engine: RwLock<Engine>,
    path: PathBuf,
    latest: watch::Sender<Revision>,
    room: Room,
    shortage: Shortage,
}

/// The engine on the file, or what became of it.
struct Engine {
    /// `None`: it has failed, and the file could not be opened anew yet.
    database: Option<Database>,
    /// How often the file was opened.
    times: u64,
}

impl RedbStore {
    /// Opens the file, making it and its folder when they are not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open; [`StoreError::Engine`] when it cannot be made, read or is
    /// not a store of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), Room::KEPT)
    }

    fn open_with(path: &Path, room: Room) -> Result<Self, StoreError> {
        let path = path.to_owned();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(engine)?;
        }
        let is_new = !path.exists();
        let database = open_database(&path)?;
        if is_new {
            sync_folder(&path)?;
        }
        let revision = prepare(&database)?;
        tracing::debug!(path = %path.display(), revision, "store opened");
        Ok(Self {
            engine: RwLock::new(Engine {
                database: Some(database),
                times: 1,
            }),
            path,
            latest: watch::Sender::new(revision),
            room,
            shortage: Shortage::default(),
        })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads, and once more from the file opened anew when the engine has failed before.
    fn read<T>(&self, read: impl Fn(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let times = {
            let engine = self.engine();
            if let Some(database) = &engine.database {
                match read(database) {
                    Err(error) if space::is_failed_engine(&error) => {}
                    done => return done,
                }
            }
            engine.times
        };
        self.open_anew(times)?;
        match &self.engine().database {
            Some(database) => read(database),
            None => Err(not_open()),
        }
    }

    fn engine(&self) -> RwLockReadGuard<'_, Engine> {
        // Assignments alone happen under the lock: a panic leaves it whole.
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a newly opened file in place of an engine that has failed, the one of that many openings. Gives its revision.
    fn open_anew(&self, times: u64) -> Result<Revision, StoreError> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = engine.database.as_ref().filter(|_| engine.times != times) {
            // Somebody else was faster.
            return current(database);
        }
        // The file has one owner: first the old one goes.
        engine.database = None;
        engine.times += 1;
        let database = open_database(&self.path)?;
        let revision = current(&database)?;
        tracing::warn!(path = %self.path.display(), revision, "the store's file was opened anew after a failed write");
        engine.database = Some(database);
        Ok(revision)
    }

    /// Does a write. When the engine fails over it, the file opened anew tells what became of it.
    fn write(
        &self,
        work: impl Fn(&redb::WriteTransaction) -> Result<Revision, StoreError>,
    ) -> Result<Revision, StoreError> {
        match self.attempt(&work) {
            // The engine had failed before: this write has not begun.
            Err((StoreError::Unavailable(_), None)) => self.attempt(&work).map_err(|(error, _)| error),
            done => done.map_err(|(error, _)| error),
        }
    }

    /// One attempt. An error comes with the revision that the write would have made, if it came that far.
    fn attempt(
        &self,
        work: &impl Fn(&redb::WriteTransaction) -> Result<Revision, StoreError>,
    ) -> Result<Revision, (StoreError, Option<Revision>)> {
        let mut made = None;
        let (done, times) = {
            let open = self.engine();
            let done = match &open.database {
                None => Err(not_open()),
                Some(database) => (|| {
                    // Durability::Immediate is redb's default: commit() returns after fsync.
                    let write = database.begin_write().map_err(engine)?;
                    let revision = work(&write)?;
                    made = Some(revision);
                    write.commit().map_err(engine)?;
                    Ok(revision)
                })(),
            };
            (done, open.times)
        };
        let error = match done {
            Ok(revision) => {
                self.shortage.ended();
                return Ok(revision);
            }
            Err(error) if space::is_failed_engine(&error) || matches!(error, StoreError::Unavailable(_)) => error,
            Err(error) => return Err((error, made)),
        };
        if space::is_full(&error) {
            self.shortage.began(SystemTime::now(), error.to_string());
        }
        tracing::error!(%error, "a write failed");
        let revision = self.open_anew(times).map_err(|error| (error, made))?;
        match made {
            // It is on disk: only the word of it failed.
            Some(made) if made == revision => Ok(made),
            made => Err((StoreError::Unavailable(error.to_string()), made)),
        }
    }

    fn advance(&self, revision: Revision) {
        self.latest.send_if_modified(|latest| {
            let is_newer = revision > *latest;
            *latest = revision.max(*latest);
            is_newer
        });
    }
}

fn not_open() -> StoreError {
    StoreError::Unavailable("the store's file is not open after a failed write".to_owned())
}

fn open_database(path: &Path) -> Result<Database, StoreError> {
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create(path)
        .map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
                path: path.display().to_string(),
            },
            other => engine(other),
        })
}

/// Makes the tables of a new file and reads the revision of an old one.
fn prepare(database: &Database) -> Result<Revision, StoreError> {
    if let Ok(revision) = current(database) {
        return Ok(revision);
    }
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

/// The revision of a file that is prepared. Writes nothing, so that it goes on a full disk.
fn current(database: &Database) -> Result<Revision, StoreError> {
    let read = database.begin_read().map_err(engine)?;
    read.open_table(VALUES).map_err(engine)?;
    let numbers = read.open_table(NUMBERS).map_err(engine)?;
    let format = numbers.get(FORMAT).map_err(engine)?.map(|value| value.value());
    if format != Some(FORMAT_VERSION) {
        return Err(StoreError::Unreadable {
            key: FORMAT.to_owned(),
            reason: format!("the file has format {format:?}, this version reads {FORMAT_VERSION}"),
        });
    }
    latest(&numbers)
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
        self.read(|database| {
            let read = database.begin_read().map_err(engine)?;
            let values = read.open_table(VALUES).map_err(engine)?;
            let found = values.get(key).map_err(engine)?;
            Ok(found.map(|value| stored(key, value.value())))
        })
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        self.read(|database| {
            let read = database.begin_read().map_err(engine)?;
            let values = read.open_table(VALUES).map_err(engine)?;
            let revision = latest(&read.open_table(NUMBERS).map_err(engine)?)?;
            let entries = under(&values, prefix, after, limit.unwrap_or(usize::MAX))?;
            Ok(Listing { revision, entries })
        })
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        self.read(|database| {
            let read = database.begin_read().map_err(engine)?;
            let values = read.open_table(VALUES).map_err(engine)?;
            let revision = latest(&read.open_table(NUMBERS).map_err(engine)?)?;
            let listed = prefixes
                .iter()
                .map(|prefix| under(&values, prefix, None, usize::MAX))
                .collect::<Result<_, _>>()?;
            Ok((revision, listed))
        })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.read(current)
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        let bytes = transaction.changes.iter().map(|change| match change {
            Change::Put { key, value } => key.len() + value.len(),
            Change::Delete { key } => key.len(),
        });
        let check =
            |values: &dyn Fn(&Compare) -> Result<(), StoreError>| transaction.compares.iter().try_for_each(values);
        if transaction.changes.is_empty() {
            return self.read(|database| {
                let read = database.begin_read().map_err(engine)?;
                let values = read.open_table(VALUES).map_err(engine)?;
                let latest = latest(&read.open_table(NUMBERS).map_err(engine)?)?;
                check(&|compare| holds(&values, latest, compare))?;
                Ok(latest)
            });
        }
        self.room.demand(&self.path, bytes.sum(), &self.shortage)?;
        let revision = self.write(|write| {
            let mut values = write.open_table(VALUES).map_err(engine)?;
            let mut numbers = write.open_table(NUMBERS).map_err(engine)?;
            // Returning drops the write transaction, which undoes it.
            let before = latest(&numbers)?;
            check(&|compare| holds(&values, before, compare))?;
            let revision = before + 1;
            for change in &transaction.changes {
                apply(&mut values, change, revision)?;
            }
            numbers.insert(REVISION, revision).map_err(engine)?;
            Ok(revision)
        })?;
        self.advance(revision);
        Ok(revision)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.latest.subscribe()
    }

    fn availability(&self) -> Availability {
        self.shortage.availability()
    }
}

#[cfg(test)]
mod tests;
