//! Which layout the values of a store have, and how older ones are brought up to it.
//!
//! The number stands in the store under [`KEY`]. A store without one is of before there were numbers: schema 0. Each
//! [`Migration`] leads one number further and is one transaction: a store is of one schema or the other, never of both,
//! whoever dies meanwhile and however many control planes start at once.

use crate::{Change, Compare, Store, StoreError, Stored, Transaction};

/// Key of the number.
pub const KEY: &str = "schema";
/// The schema of this version.
pub const CURRENT: u64 = 1;

/// Attempts at a migration while others write.
const ATTEMPTS: usize = 16;

/// One step from a schema to the next.
#[derive(Clone, Copy)]
pub struct Migration {
    /// The schema that it leads to, from the one before.
    pub to: u64,
    /// What it does, for the log.
    pub what: &'static str,
    /// The changes, given everything in the store.
    pub changes: fn(&[Stored]) -> Result<Vec<Change>, StoreError>,
}

/// All of them, in order. Schema 1 differs from 0 by its number alone.
pub const MIGRATIONS: &[Migration] = &[Migration {
    to: 1,
    what: "the schema's number is written down",
    changes: |_| Ok(Vec::new()),
}];

/// Brings a store up to this version's schema.
///
/// # Errors
/// [`StoreError::TooNew`] when the store is of a later version; the store failed.
pub fn bring_up(store: &dyn Store) -> Result<(), StoreError> {
    bring_up_by(store, MIGRATIONS)
}

/// Brings a store up by given migrations, whose numbers follow each other.
///
/// # Errors
/// As [`bring_up`].
pub fn bring_up_by(store: &dyn Store, migrations: &[Migration]) -> Result<(), StoreError> {
    let known = migrations.last().map_or(0, |last| last.to);
    let mut conflicts = 0;
    loop {
        let number = store.get(KEY)?;
        let found = match &number {
            Some(stored) => read(&stored.value)?,
            None => 0,
        };
        if found > known {
            return Err(StoreError::TooNew { found, known });
        }
        let Some(next) = migrations.iter().find(|migration| migration.to == found + 1) else {
            return Ok(());
        };
        let everything = store.list("", None, None)?;
        let mut changes = (next.changes)(&everything.entries)?;
        changes.push(Change::put(KEY, next.to.to_string().into_bytes()));
        let compares = vec![
            Compare::Unchanged {
                key: KEY.to_owned(),
                modified: number.map(|stored| stored.modified),
            },
            Compare::NothingNewer {
                prefix: String::new(),
                revision: everything.revision,
            },
        ];
        match store.commit(Transaction { compares, changes }) {
            Ok(revision) => tracing::info!(from = found, to = next.to, revision, what = next.what, "store migrated"),
            // Another control plane did it, or wrote something.
            Err(StoreError::Conflict(_)) if conflicts < ATTEMPTS => conflicts += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The schema of values that were read from a store.
///
/// # Errors
/// The number is none.
pub fn of(values: &[(String, Vec<u8>)]) -> Result<u64, StoreError> {
    let number = values.iter().find(|(key, _)| key == KEY);
    number.map_or(Ok(0), |(_, value)| read(value))
}

fn read(value: &[u8]) -> Result<u64, StoreError> {
    let text = String::from_utf8_lossy(value);
    text.parse().map_err(|_| StoreError::Unreadable {
        key: KEY.to_owned(),
        reason: format!("{text:?} is no number"),
    })
}
