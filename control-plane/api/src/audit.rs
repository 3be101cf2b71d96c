//! The audit record: who did what to which resource, and what came of it.
//!
//! A change and its record are one transaction: there is neither without the other. What was refused is recorded by a write
//! of its own before the answer; the same refusal of the same caller within a minute is one record with a count, written
//! when the count is 1, 2, 4, 8, …, so that nobody can fill the disk by being refused. Of changes the latest 100,000 of the
//! last 400 days are kept, of refusals the latest 10,000 of the last 30 days. Reads that are allowed are not recorded. No
//! record holds a body, so none holds a secret.

pub(crate) mod page;
mod retention;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ferromesh_model::record::Record;
use ferromesh_store::{catalog, key, Change, Listing, Revision, Store, StoreError, Stored, Transaction};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Caller;
pub use retention::{AuditLimit, AuditLimits};
use retention::{Retention, Sort};

/// Refusals of one kind within this time are one record, in seconds.
const WINDOW: f64 = 60.0;
/// Most characters of a path or message in a record.
const MAX_TEXT: usize = 500;
/// Most paths of one record of refusals.
const MAX_PATHS: usize = 8;
/// Name of callers who showed no key, or none that is good.
const UNKNOWN: &str = "(unknown)";

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// Seconds since 1970-01-01 UTC.
    at: f64,
    /// Time of the latest refusal that this record counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<f64>,
    /// How often it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    principal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mesh: Option<String>,
    /// Paths of the requests.
    paths: Vec<String>,
    /// `200`, or the error's name.
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    request_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Changed>,
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    /// ARN of a resource of App Mesh, the store's key of anything else.
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mesh: Option<String>,
    /// Version before; of what has none, the revision of the store in which it was last written. Nothing where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// Version after; of what has none, the record's own revision is meant and this is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    /// `created`, `updated` or `deleted`.
    what: String,
}

/// Does something without a server, with the record that a server would have made.
pub fn recorded_offline<T>(
    store: &dyn Store,
    operation: &'static str,
    now: f64,
    act: impl FnOnce(&dyn Store) -> T,
) -> T {
    recorded_as("(offline)", store, operation, None, now, act)
}

/// Does something that nobody has asked for over the API, with a record of it under the name of who does it, such as
/// `(control plane)`: no principal has parentheses in its name.
pub fn recorded_as<T>(
    principal: &str,
    store: &dyn Store,
    operation: &'static str,
    mesh: Option<&str>,
    now: f64,
    act: impl FnOnce(&dyn Store) -> T,
) -> T {
    let caller = Caller {
        principal: principal.to_owned(),
        ..Caller::anonymous("")
    };
    let journal = Journal::new(None);
    let meaning = Act {
        at: now,
        operation,
        mesh: mesh.map(str::to_owned),
        path: String::new(),
        request_id: uuid::Uuid::new_v4().to_string(),
        key: None,
    };
    act(&Recorded::new(store, &journal, &caller, &meaning))
}

/// What a request does, for its record.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) at: f64,
    pub(crate) operation: &'static str,
    pub(crate) mesh: Option<String>,
    pub(crate) path: String,
    pub(crate) request_id: String,
    /// Key that the request names, whether it is good or not.
    pub(crate) key: Option<String>,
}

/// The audit record of a server.
#[derive(Debug)]
pub(crate) struct Journal {
    retention: Retention,
    /// Time of the last stamp, in microseconds since 1970.
    last: AtomicU64,
    recent: Mutex<BTreeMap<Refusal, Recent>>,
}

/// What makes two refusals the same: nothing in it can be made up by somebody who has no key.
type Refusal = (String, &'static str, &'static str);

#[derive(Debug)]
struct Recent {
    key: String,
    entry: Entry,
}

impl Journal {
    /// A record of which so much is kept; without limits nothing is ever deleted.
    pub(crate) fn new(limits: Option<AuditLimits>) -> Self {
        Self {
            retention: Retention::new(limits),
            last: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    /// Where a record stands among the others: by its time, and after those that this server wrote before. The clock counts
    /// milliseconds, in one of which several requests can end, and it can be set back.
    fn stamp(&self, act: &Act, number: u32) -> String {
        let at = micros(act.at);
        let next = |last: u64| Some(at.max(last.saturating_add(1)));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let stands = last.ok().and_then(next).unwrap_or(at);
        format!("{stands:016}-{}-{number}", act.request_id)
    }

    /// Records that a request was refused.
    pub(crate) fn refused(
        &self,
        store: &dyn Store,
        caller: Option<&Caller>,
        act: &Act,
        outcome: &'static str,
        message: &str,
    ) {
        let principal = caller.map_or(UNKNOWN, |caller| caller.principal.as_str());
        let refusal = (principal.to_owned(), act.operation, outcome);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, recent| (act.at - recent.entry.at).abs() < WINDOW);
        let known = recent.entry(refusal).or_insert_with(|| Recent {
            key: format!("{}{}", key::AUDIT_REFUSALS, self.stamp(act, 0)),
            entry: Entry {
                count: Some(0),
                message: Some(short(message)),
                ..entry(principal, caller, act, outcome)
            },
        });
        let count = known.entry.count.unwrap_or(0) + 1;
        known.entry.count = Some(count);
        known.entry.until = (count > 1).then_some(act.at);
        let path = short(&act.path);
        if known.entry.paths.len() < MAX_PATHS && !known.entry.paths.contains(&path) {
            known.entry.paths.push(path);
        }
        if !count.is_power_of_two() {
            return;
        }
        let (key, entry) = (known.key.clone(), known.entry.clone());
        // The write blocks on the disk: others must not wait for it here.
        drop(recent);
        let written = catalog::put(key, &entry).and_then(|put| {
            let mut changes = vec![put];
            if count == 1 {
                changes.extend(self.retention.outlived(store, Sort::Refusals, act.at)?);
            }
            store.commit(Transaction {
                compares: Vec::new(),
                changes,
            })
        });
        if let Err(error) = written {
            tracing::error!(operation = act.operation, principal, %error, "a refusal could not be recorded");
        }
    }
}

fn entry(principal: &str, caller: Option<&Caller>, act: &Act, outcome: &str) -> Entry {
    Entry {
        at: act.at,
        until: None,
        count: None,
        principal: principal.to_owned(),
        key: caller.map_or_else(|| act.key.clone(), |caller| caller.key.clone()),
        account: caller.map(|caller| caller.account.clone()),
        operation: act.operation.to_owned(),
        mesh: act.mesh.as_deref().map(short),
        paths: vec![short(&act.path)],
        outcome: outcome.to_owned(),
        message: None,
        request_id: act.request_id.clone(),
        changes: Vec::new(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// A time, in seconds since 1970, as the beginning of a stamp.
fn stamp_of(at: f64) -> String {
    format!("{:016}", micros(at))
}

fn micros(at: f64) -> u64 {
    // Microseconds since 1970 are far below what a cast could lose, and a clock before 1970 is 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let micros = (at * 1e6) as u64;
    micros
}

/// A store that writes, with each change, the record of it.
pub(crate) struct Recorded<'a> {
    store: &'a dyn Store,
    journal: &'a Journal,
    caller: &'a Caller,
    act: &'a Act,
    commits: AtomicU32,
}

impl<'a> Recorded<'a> {
    pub(crate) fn new(store: &'a dyn Store, journal: &'a Journal, caller: &'a Caller, act: &'a Act) -> Self {
        Self {
            store,
            journal,
            caller,
            act,
            commits: AtomicU32::new(0),
        }
    }

    /// Writes the record of something that was done outside the store. What has been done is not undone if that fails.
    pub(crate) fn record_alone(&self) {
        let written = self.write(Transaction::default(), Vec::new());
        if let Err(error) = written {
            tracing::error!(operation = self.act.operation, %error, "a change could not be recorded");
        }
    }

    fn write(&self, mut transaction: Transaction, changes: Vec<Changed>) -> Result<Revision, StoreError> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let key = format!("{}{}", key::AUDIT_CHANGES, self.journal.stamp(self.act, number));
        let entry = Entry {
            changes,
            ..entry(&self.caller.principal, Some(self.caller), self.act, "200")
        };
        transaction.changes.push(catalog::put(key, &entry)?);
        let outlived = self
            .journal
            .retention
            .outlived(self.store, Sort::Changes, self.act.at)?;
        transaction.changes.extend(outlived);
        self.store.commit(transaction)
    }

    fn changed(&self, change: &Change) -> Result<Option<Changed>, StoreError> {
        let (Change::Put { key, .. } | Change::Delete { key }) = change;
        let inner = in_account(key);
        // What follows from a change, or serves to repeat it, is not what was done.
        if [key::TOKENS, key::TOKENS_BY_AGE, key::OPERATIONS, key::REGISTRY_IDS]
            .iter()
            .any(|prefix| inner.starts_with(prefix))
        {
            return Ok(None);
        }
        let stored = self.store.get(key)?;
        let is_resource = [key::MESHES, key::RESOURCES]
            .iter()
            .any(|prefix| inner.starts_with(prefix));
        let record =
            |bytes: &[u8]| -> Option<Record> { is_resource.then(|| serde_json::from_slice(bytes).ok()).flatten() };
        let before = stored.as_ref().and_then(|stored| record(&stored.value));
        let (after, what) = match (change, &stored) {
            (Change::Delete { .. }, None) => return Ok(None),
            (Change::Delete { .. }, Some(_)) => (None, "deleted"),
            (Change::Put { value, .. }, Some(_)) => (record(value), "updated"),
            (Change::Put { value, .. }, None) => (record(value), "created"),
        };
        let named = after.as_ref().or(before.as_ref());
        Ok(Some(Changed {
            resource: named.map_or_else(|| key.clone(), |record| record.metadata.arn.clone()),
            mesh: named.map(|record| record.key.mesh.clone()),
            before: match &before {
                Some(record) => Some(record.metadata.version),
                None => stored.map(|stored| stored.modified),
            },
            after: after.map(|record| record.metadata.version),
            what: what.to_owned(),
        }))
    }
}

/// A key without the account that it stands under.
fn in_account(key: &str) -> &str {
    let inner = key.strip_prefix("account/").and_then(|rest| rest.split_once('/'));
    inner.map_or(key, |(_, inner)| inner)
}

impl Store for Recorded<'_> {
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.store.get(key)
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        self.store.list(prefix, after, limit)
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        self.store.snapshot(prefixes)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision()
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        if transaction.changes.is_empty() {
            return self.store.commit(transaction);
        }
        let mut changes = Vec::new();
        for change in &transaction.changes {
            changes.extend(self.changed(change)?);
        }
        self.write(transaction, changes)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.store.watch()
    }

    fn availability(&self) -> ferromesh_store::Availability {
        self.store.availability()
    }
}

#[cfg(test)]
mod tests;
