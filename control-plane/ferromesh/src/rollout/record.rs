//! What outlives this process, and what other control planes over the same store are told: which candidates were rejected,
//! which one is on trial, and what operators have said.
//!
//! One small value for each mesh. Configurations stand in it as marks only: equal resources make equal configurations, so
//! that nothing has to be tried twice, here or elsewhere.

use std::collections::BTreeSet;

use ferromesh_store::{catalog, key, Compare, Revision, Store, StoreError, Transaction};
use serde::{Deserialize, Serialize};

use super::wave::Mark;

/// Rejected candidates that are remembered for each mesh; then the oldest is forgotten, and may be tried again.
const MAX_REJECTED: usize = 32;
/// Approvals that are remembered for each mesh: one for each proxy that loses much.
const MAX_APPROVED: usize = 2000;
/// Attempts at a write that another control plane is in the way of.
const ATTEMPTS: usize = 8;

/// What is remembered of one mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// What one of the control planes is trying.
    pub trial: Option<Trial>,
    /// What is not tried again by itself, the oldest first.
    pub rejected: Vec<Rejected>,
    /// Configurations that remove much, and that an operator wants nevertheless.
    pub approved: BTreeSet<String>,
    /// Whether nothing is tried, and nothing goes on.
    pub is_paused: bool,
}

/// A candidate that has not proven itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The candidate.
    pub id: String,
    /// The control plane that tries it: a random name of this life of it.
    pub owner: String,
    /// Until when the others leave the mesh to it, in milliseconds since 1970.
    pub until_unix_millis: u64,
    /// The configurations.
    pub marks: BTreeSet<String>,
}

/// A candidate that was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The candidate.
    pub id: String,
    /// Why.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at_seconds: f64,
    /// The proxies.
    pub proxies: Vec<String>,
    /// The configurations.
    pub marks: BTreeSet<String>,
}

impl Record {
    /// Takes note of a rejection.
    pub fn reject(&mut self, rejected: Rejected) {
        self.rejected.retain(|known| known.id != rejected.id);
        self.rejected.push(rejected);
        if self.rejected.len() > MAX_REJECTED {
            self.rejected.remove(0);
        }
    }

    /// Takes note of an approval.
    pub fn approve(&mut self, marks: impl Iterator<Item = Mark>) {
        self.approved.extend(written(marks));
        while self.approved.len() > MAX_APPROVED {
            self.approved.pop_first();
        }
    }

    /// The marks of everything rejected.
    pub fn rejected_marks(&self) -> BTreeSet<Mark> {
        self.rejected
            .iter()
            .flat_map(|rejected| parsed(&rejected.marks))
            .collect()
    }

    /// The marks of what is on trial, here or elsewhere.
    pub fn trial_marks(&self) -> BTreeSet<Mark> {
        self.trial.iter().flat_map(|trial| parsed(&trial.marks)).collect()
    }

    /// Whether a control plane other than `me` is trying something.
    pub fn is_claimed_by_another(&self, me: &str, now_unix_millis: u64) -> bool {
        let trial = self.trial.as_ref();
        trial.is_some_and(|trial| trial.owner != me && trial.until_unix_millis > now_unix_millis)
    }
}

/// Marks as they are stored.
pub fn written(marks: impl Iterator<Item = Mark>) -> BTreeSet<String> {
    marks.map(|mark| format!("{:016x}", mark.0)).collect()
}

/// Marks as they were stored.
pub fn parsed(marks: &BTreeSet<String>) -> impl Iterator<Item = Mark> + '_ {
    marks
        .iter()
        .filter_map(|mark| u64::from_str_radix(mark, 16).ok().map(Mark))
}

/// Where a mesh's record is.
fn place(mesh: &str) -> String {
    key::rollout(mesh)
}

/// What is remembered of a mesh.
///
/// # Errors
/// The store cannot be read, or has something else there.
pub fn read(store: &dyn Store, mesh: &str) -> Result<Record, StoreError> {
    Ok(read_at(store, mesh)?.0)
}

/// The same with the revision in which it was written; `None`: it never was.
///
/// # Errors
/// As for [`read`].
pub fn read_at(store: &dyn Store, mesh: &str) -> Result<(Record, Option<Revision>), StoreError> {
    match store.get(&place(mesh))? {
        Some(stored) => Ok((catalog::read(&stored)?, Some(stored.modified))),
        None => Ok((Record::default(), None)),
    }
}

/// Changes what is remembered of a mesh; gives what it is then, and the revision in which it was written. Nothing is written when `change` changes nothing.
///
/// # Errors
/// The store cannot be read or written.
pub fn change(
    store: &dyn Store,
    mesh: &str,
    mut change: impl FnMut(&mut Record),
) -> Result<(Record, Option<Revision>), StoreError> {
    let key = place(mesh);
    for attempt in 1.. {
        let (before, modified) = read_at(store, mesh)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok((after, modified));
        }
        let transaction = Transaction {
            compares: vec![Compare::Unchanged {
                key: key.clone(),
                modified,
            }],
            changes: vec![catalog::put(key.clone(), &after)?],
        };
        match store.commit(transaction) {
            Ok(revision) => return Ok((after, Some(revision))),
            Err(StoreError::Conflict(_)) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
    Ok((Record::default(), None))
}

#[cfg(test)]
mod tests {
    use ferromesh_store::RedbStore;

    use super::*;

    #[test]
    fn what_was_rejected_is_still_so_after_a_restart_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("store.redb")).unwrap();
        assert_eq!(read(&store, "m").unwrap(), Record::default());
        for number in 0..40u64 {
            change(&store, "m", |record| {
                record.reject(Rejected {
                    id: number.to_string(),
                    reason: "no".into(),
                    at_seconds: 1.0,
                    proxies: vec![],
                    marks: written([Mark(number)].into_iter()),
                });
            })
            .unwrap();
        }
        drop(store);
        let store = RedbStore::open(folder.path().join("store.redb")).unwrap();
        let marks = read(&store, "m").unwrap().rejected_marks();
        assert_eq!(marks, (8..40).map(Mark).collect::<BTreeSet<_>>());
        assert_eq!(read(&store, "other").unwrap(), Record::default());
    }

    #[test]
    fn a_claim_ends_with_its_time() {
        let trial = Trial {
            id: "x".into(),
            owner: "a".into(),
            until_unix_millis: 10,
            marks: BTreeSet::new(),
        };
        let record = Record {
            trial: Some(trial),
            ..Record::default()
        };
        assert!(record.is_claimed_by_another("b", 9));
        assert!(!record.is_claimed_by_another("b", 10), "it has run out");
        assert!(!record.is_claimed_by_another("a", 9), "it is ours");
    }
}
