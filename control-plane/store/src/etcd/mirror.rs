//! The copy of the store that a control plane keeps in memory, brought up to date by etcd's watch.
//!
//! Keys in etcd, below the prefix:
//!
//! | key | value |
//! |---|---|
//! | `v/KEY` | a value of the store |
//! | `m/last` | name of the last transaction; written by every one |
//! | `m/offset` | what is added to etcd's revisions, after a restore into a new cluster |
//! | `m/restore` | there while a restore is under way |

use std::collections::{BTreeMap, VecDeque};

use super::wire;
use crate::{Compare, Revision, StoreError, Stored};

/// Below the prefix: the values.
pub const VALUES: &str = "v/";
/// Below the prefix: name of the last transaction.
pub const LAST: &str = "m/last";
/// Below the prefix: what is added to etcd's revisions.
pub const OFFSET: &str = "m/offset";
/// Below the prefix: mark of a restore.
pub const RESTORE: &str = "m/restore";

/// Transactions whose names are remembered, to learn what became of one whose answer was lost.
const REMEMBERED: usize = 4096;

/// A value with its revisions, as the store numbers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub created: Revision,
    pub modified: Revision,
    pub value: Vec<u8>,
}

/// What an event did to a value: for the copy on disk.
pub type Applied = (String, Option<Entry>);

/// Values of one revision.
#[derive(Default)]
pub struct Mirror {
    pub values: BTreeMap<String, Entry>,
    /// Identity of the cluster that they come from; 0: none yet.
    pub cluster: u64,
    /// etcd's revision up to which everything has been seen.
    pub seen: i64,
    /// Added to etcd's revisions.
    pub offset: u64,
    /// etcd's revision of the last write of the offset, 0 when there is none.
    pub offset_modified: i64,
    /// etcd's revision of the last transaction's mark.
    pub last_modified: i64,
    /// Whether a restore is under way.
    pub restoring: bool,
    /// Names of transactions and the revisions that they made.
    pub transactions: VecDeque<(Vec<u8>, Revision)>,
}

impl Mirror {
    /// The revision of the values.
    pub fn revision(&self) -> Revision {
        self.ours(self.seen)
    }

    /// etcd's revision as the store numbers it.
    pub fn ours(&self, revision: i64) -> Revision {
        u64::try_from(revision).unwrap_or(0) + self.offset
    }

    /// The store's revision as etcd numbers it: 0 or less for one of before a restore.
    pub fn theirs(&self, revision: Revision) -> i64 {
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        revision.saturating_sub(i64::try_from(self.offset).unwrap_or(i64::MAX))
    }

    /// Everything under the prefix of one revision, in place of what was there.
    pub fn load(prefix: &str, header: &wire::Header, values: Vec<wire::KeyValue>) -> Result<Self, String> {
        let mut mirror = Self {
            cluster: header.cluster,
            seen: header.revision,
            ..Self::default()
        };
        // The offset counts for all: it goes first.
        let mut rest = Vec::with_capacity(values.len());
        for pair in values {
            if strip(prefix, &pair.key) == Some(OFFSET) {
                mirror.set_offset(&pair)?;
            } else {
                rest.push(pair);
            }
        }
        for pair in rest {
            match strip(prefix, &pair.key) {
                Some(LAST) => mirror.last_modified = pair.modified,
                Some(RESTORE) => mirror.restoring = true,
                Some(key) => {
                    if let Some(key) = key.strip_prefix(VALUES) {
                        let entry = mirror.entry(&pair);
                        mirror.values.insert(
                            key.to_owned(),
                            Entry {
                                value: pair.value,
                                ..entry
                            },
                        );
                    }
                }
                None => return Err(format!("a key under {prefix} is no text")),
            }
        }
        Ok(mirror)
    }

    fn set_offset(&mut self, pair: &wire::KeyValue) -> Result<(), String> {
        let text = std::str::from_utf8(&pair.value).ok();
        let offset = text.and_then(|text| text.parse().ok());
        self.offset = offset.ok_or("m/offset is no number: something else writes under the prefix")?;
        self.offset_modified = pair.modified;
        Ok(())
    }

    fn entry(&self, pair: &wire::KeyValue) -> Entry {
        Entry {
            created: self.ours(pair.created),
            modified: self.ours(pair.modified),
            value: Vec::new(),
        }
    }

    /// Takes over the events of whole revisions. Gives what they did to values; `None`: a restore has begun or ended, and
    /// everything must be read anew.
    pub fn apply(&mut self, prefix: &str, revision: i64, events: Vec<wire::Event>) -> Option<Vec<Applied>> {
        let marks = |event: &wire::Event| {
            let pair = event.value.as_ref();
            let key = pair.and_then(|pair| strip(prefix, &pair.key));
            matches!(key, Some(RESTORE | OFFSET))
        };
        if events.iter().any(marks) {
            return None;
        }
        let mut applied = Vec::new();
        for event in events {
            let Some(pair) = event.value else { continue };
            self.seen = self.seen.max(pair.modified);
            let Some(key) = strip(prefix, &pair.key) else { continue };
            if key == LAST {
                self.last_modified = pair.modified;
                self.remember(pair.value, pair.modified);
            } else if let Some(key) = key.strip_prefix(VALUES) {
                if event.kind == wire::REMOVED {
                    self.values.remove(key);
                    applied.push((key.to_owned(), None));
                } else {
                    let entry = Entry {
                        value: pair.value.clone(),
                        ..self.entry(&pair)
                    };
                    self.values.insert(key.to_owned(), entry.clone());
                    applied.push((key.to_owned(), Some(entry)));
                }
            }
        }
        self.seen = self.seen.max(revision);
        Some(applied)
    }

    fn remember(&mut self, name: Vec<u8>, modified: i64) {
        if self.transactions.len() == REMEMBERED {
            self.transactions.pop_front();
        }
        let revision = self.ours(modified);
        self.transactions.push_back((name, revision));
    }

    /// The revision that a transaction made, if its event has come.
    pub fn made_by(&self, name: &[u8]) -> Option<Revision> {
        let found = self.transactions.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, revision)| *revision)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Stored> {
        self.values.get(key).map(|entry| stored(key, entry))
    }

    /// Values under a prefix in the order of their keys, after a key, at most so many.
    pub fn under(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Stored> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        self.values
            .range::<str, _>((from, Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, entry)| stored(key, entry))
            .collect()
    }

    /// Whether something compared holds.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] says what does not.
    pub fn holds(&self, compare: &Compare) -> Result<(), StoreError> {
        match compare {
            Compare::Unchanged { key, modified } => {
                let is = self.values.get(key).map(|entry| entry.modified);
                if is != *modified {
                    return Err(StoreError::Conflict(format!(
                        "{key} was written in {is:?}, not {modified:?}"
                    )));
                }
            }
            Compare::NothingNewer { prefix, revision } => {
                let from = (std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded);
                let entries = self.values.range::<str, _>(from);
                let mut entries = entries.take_while(|(key, _)| key.starts_with(prefix));
                if let Some((key, entry)) = entries.find(|(_, entry)| entry.modified > *revision) {
                    let modified = entry.modified;
                    return Err(StoreError::Conflict(format!(
                        "{key} was written in {modified}, after {revision}"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn stored(key: &str, entry: &Entry) -> Stored {
    Stored {
        key: key.to_owned(),
        value: entry.value.clone(),
        created: entry.created,
        modified: entry.modified,
    }
}

/// What stands below the prefix.
fn strip<'a>(prefix: &str, key: &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(key).ok()?.strip_prefix(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str, modified: i64) -> wire::KeyValue {
        wire::KeyValue {
            key: key.into(),
            created: modified,
            modified,
            value: value.into(),
        }
    }

    fn header(revision: i64) -> wire::Header {
        wire::Header { cluster: 7, revision }
    }

    #[test]
    fn an_offset_is_added_to_every_revision_and_taken_from_those_that_are_compared() {
        let values = vec![pair("/p/v/a", "1", 4), pair("/p/m/offset", "100", 5)];
        let mirror = Mirror::load("/p/", &header(9), values).unwrap();
        assert_eq!(mirror.revision(), 109);
        assert_eq!(mirror.get("a").unwrap().modified, 104);
        assert_eq!((mirror.theirs(104), mirror.theirs(100)), (4, 0));
    }

    #[test]
    fn events_change_values_and_name_the_transaction() {
        let mut mirror = Mirror::load("/p/", &header(4), vec![pair("/p/v/a", "1", 4)]).unwrap();
        let event = |pair, kind| wire::Event {
            kind,
            value: Some(pair),
        };
        let events = vec![
            event(pair("/p/v/b", "2", 5), 0),
            event(pair("/p/v/a", "", 5), wire::REMOVED),
            event(pair("/p/m/last", "name", 5), 0),
        ];
        let applied = mirror.apply("/p/", 5, events).unwrap();
        assert_eq!(applied.len(), 2);
        assert_eq!(mirror.get("a"), None);
        assert_eq!((mirror.made_by(b"name"), mirror.made_by(b"other")), (Some(5), None));
        let restore = vec![event(pair("/p/m/restore", "x", 6), 0)];
        assert_eq!(mirror.apply("/p/", 6, restore), None);
    }
}
