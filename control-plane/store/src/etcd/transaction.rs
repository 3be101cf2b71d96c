//! A transaction of the store as one of etcd.
//!
//! etcd takes 128 compares and 128 steps in a transaction unless it is configured otherwise. More changes travel in nested
//! transactions, which etcd carries out as one. More compares are checked here, against a state of which the transaction
//! then demands that it is still the latest.

use std::collections::BTreeMap;

use super::mirror::{Mirror, LAST, OFFSET, RESTORE, VALUES};
use super::wire::{self, Request, RequestOp, TxnRequest};
use crate::{Change, Compare, StoreError, Transaction};

/// Compares and changes that a plain transaction may have: etcd's limit less those that every transaction has.
const PLAIN: usize = 120;
/// Changes in a nested transaction, and nested transactions in one.
const NESTED: usize = 60;

/// Whether the transaction's compares must be checked here.
pub fn is_large(transaction: &Transaction) -> bool {
    transaction.compares.len() > PLAIN || transaction.changes.len() > PLAIN
}

/// The transaction for etcd, under a name of its own. With `large`, the compares have been checked against the mirror, and
/// the mirror must be what etcd has.
///
/// # Errors
/// [`StoreError::Conflict`] when a compare cannot hold any more, [`StoreError::Engine`] when there are too many changes.
pub fn request(
    prefix: &str,
    mirror: &Mirror,
    transaction: &Transaction,
    name: &[u8],
    large: bool,
) -> Result<TxnRequest, StoreError> {
    let mut compares = vec![
        unchanged(format!("{prefix}{RESTORE}"), 0),
        unchanged(format!("{prefix}{OFFSET}"), mirror.offset_modified),
    ];
    if large {
        compares.push(unchanged(format!("{prefix}{LAST}"), mirror.last_modified));
    } else {
        for one in &transaction.compares {
            compares.push(compare(prefix, mirror, one)?);
        }
    }
    let mut steps = steps(prefix, &transaction.changes);
    if steps.len() > PLAIN {
        if steps.len() > NESTED * NESTED {
            let (most, are) = (NESTED * NESTED, steps.len());
            return Err(StoreError::Engine(
                format!("a transaction has {are} changes: etcd takes {most} at most").into(),
            ));
        }
        steps = steps
            .chunks(NESTED)
            .map(|some| RequestOp {
                request: Some(Request::Txn(TxnRequest {
                    compares: Vec::new(),
                    success: some.to_vec(),
                })),
            })
            .collect();
    }
    steps.push(put(format!("{prefix}{LAST}"), name.to_vec()));
    Ok(TxnRequest {
        compares,
        success: steps,
    })
}

/// One step for each key: etcd refuses two for one, and the last decides anyway.
fn steps(prefix: &str, changes: &[Change]) -> Vec<RequestOp> {
    let mut last = BTreeMap::new();
    for change in changes {
        match change {
            Change::Put { key, value } => last.insert(key, Some(value)),
            Change::Delete { key } => last.insert(key, None),
        };
    }
    let steps = last.into_iter().map(|(key, value)| {
        let key = format!("{prefix}{VALUES}{key}");
        match value {
            Some(value) => put(key, value.clone()),
            None => RequestOp {
                request: Some(Request::Delete(wire::DeleteRangeRequest {
                    key: key.into_bytes(),
                    end: Vec::new(),
                })),
            },
        }
    });
    steps.collect()
}

/// A step that writes a key of etcd.
pub fn put(key: String, value: Vec<u8>) -> RequestOp {
    RequestOp {
        request: Some(Request::Put(wire::PutRequest {
            key: key.into_bytes(),
            value,
        })),
    }
}

/// A key of etcd was last written in this revision of etcd; 0: it is not there.
pub fn unchanged(key: String, modified: i64) -> wire::Compare {
    wire::Compare {
        result: wire::EQUAL,
        target: wire::MODIFIED,
        key: key.into_bytes(),
        modified: Some(modified),
        end: Vec::new(),
    }
}

fn compare(prefix: &str, mirror: &Mirror, compare: &Compare) -> Result<wire::Compare, StoreError> {
    Ok(match compare {
        Compare::Unchanged { key, modified } => {
            let theirs = modified.map(|revision| mirror.theirs(revision));
            if theirs.is_some_and(|theirs| theirs <= 0) {
                return Err(StoreError::Conflict(format!(
                    "{key} was written in {modified:?}, before the store was restored"
                )));
            }
            unchanged(format!("{prefix}{VALUES}{key}"), theirs.unwrap_or(0))
        }
        Compare::NothingNewer { prefix: keys, revision } => {
            let from = format!("{prefix}{VALUES}{keys}").into_bytes();
            wire::Compare {
                result: wire::LESS,
                target: wire::MODIFIED,
                end: wire::end_of(&from),
                key: from,
                modified: Some(mirror.theirs(*revision).saturating_add(1).max(1)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(changes: Vec<Change>) -> Transaction {
        Transaction {
            compares: Vec::new(),
            changes,
        }
    }

    #[test]
    fn the_last_of_several_changes_of_a_key_decides() {
        let changes = [
            Change::put("a", b"1".to_vec()),
            Change::put("b", b"1".to_vec()),
            Change::put("a", b"2".to_vec()),
            Change::delete("b"),
        ];
        let steps = steps("/p/", &changes);
        assert_eq!(steps[0], put("/p/v/a".into(), b"2".to_vec()));
        assert!(matches!(steps[1].request, Some(Request::Delete(_))));
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn many_changes_are_nested_and_too_many_refused() {
        let many = |count: usize| of((0..count).map(|n| Change::put(n.to_string(), vec![])).collect());
        let made = request("/p/", &Mirror::default(), &many(500), b"n", true).unwrap();
        // Nine nested ones and the mark.
        assert_eq!((made.success.len(), made.compares.len()), (10, 3));
        let error = request("/p/", &Mirror::default(), &many(3601), b"n", true).unwrap_err();
        assert!(error.to_string().contains("3600"), "{error}");
        assert!(is_large(&many(121)) && !is_large(&many(120)));
    }
}
