//! Reads and writes of the table of values.

use redb::ReadableTable;

use super::{engine, Value, REVISION};
use crate::{Change, Compare, Revision, StoreError, Stored};

pub(super) fn stored(key: &str, (created, modified, value): (u64, u64, &[u8])) -> Stored {
    Stored {
        key: key.to_owned(),
        value: value.to_vec(),
        created,
        modified,
    }
}

pub(super) fn latest(numbers: &impl ReadableTable<&'static str, u64>) -> Result<Revision, StoreError> {
    Ok(numbers.get(REVISION).map_err(engine)?.map_or(0, |value| value.value()))
}

pub(super) fn under(
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

/// `latest` is the revision of the state in `values`.
pub(super) fn holds(
    values: &impl ReadableTable<&'static str, Value>,
    latest: Revision,
    compare: &Compare,
) -> Result<(), StoreError> {
    match compare {
        Compare::Unchanged { key, modified } => {
            let is = values.get(key.as_str()).map_err(engine)?.map(|value| value.value().1);
            if is != *modified {
                return Err(StoreError::Conflict(format!(
                    "{key} was written in {is:?}, not {modified:?}"
                )));
            }
        }
        // Nothing at all is newer: most changes are judged by the state that they are committed to.
        Compare::NothingNewer { revision, .. } if latest <= *revision => {}
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

pub(super) fn apply(
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
