//! The store in etcd, for several control planes over the same resources.
//!
//! Every control plane holds a copy of the store in memory, fed by a watch. A read asks etcd which transaction was the last
//! (a read through the leader, so that nothing acknowledged before is missed), waits until the copy has it, and takes the
//! values from the copy: any control plane reads what any other has written. A write is one transaction of etcd.
//!
//! When etcd cannot be reached, reads go on from the copy, and writes are refused. The copy is on disk too, so that a
//! control plane that starts while etcd is away serves the last good state.

mod connection;
mod disk;
mod follower;
mod mirror;
mod restore;
mod target;
mod transaction;
mod wire;

use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{watch, Notify};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Availability, Listing, Revision, Store, StoreError, Stored, Transaction};
use connection::{CallError, Connection, Credentials};
pub(crate) use mirror::Entry;
use mirror::{Mirror, LAST};
pub use target::{EtcdOptions, Member, User, DEFAULT_PREFIX};

/// How long a call waits for etcd to come back, from the beginning of an outage on: a restart of a member or the election
/// of a leader takes this long, and nobody has to hear of it.
const GRACE: Duration = Duration::from_secs(3);
/// How long a store without a copy waits for etcd when it is opened.
const OPENING: Duration = Duration::from_secs(5);
/// How long the events of a revision that etcd has may take to come.
const EVENTS_LIMIT: Duration = Duration::from_secs(3);
/// Attempts at a large transaction, which any other one interrupts.
const ATTEMPTS: usize = 16;

/// A store in etcd.
pub struct EtcdStore {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    /// Ends the follower, and with it the runtime.
    _follower: DropGuard,
}

/// What callers and the follower share.
struct Shared {
    options: EtcdOptions,
    credentials: Credentials,
    latest: watch::Sender<Revision>,
    state: Mutex<State>,
    /// The state has changed.
    changed: Condvar,
    /// A caller has met an error: the connection should be looked at.
    suspicion: Notify,
}

/// What is known of etcd.
#[derive(Default)]
struct State {
    mirror: Mirror,
    /// The connection in use; `None`: etcd is lost.
    connection: Option<Connection>,
    lost: Option<Lost>,
    /// Rounds over all members that have failed since the last success.
    failures: u64,
}

/// Since when etcd is lost, and why.
#[derive(Clone)]
struct Lost {
    began: Instant,
    since: SystemTime,
    reason: String,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment: a panic leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout(state, left);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn unavailable(lost: Option<&Lost>) -> StoreError {
        StoreError::Unavailable(match lost {
            Some(lost) => format!("etcd is unreachable since {}: {}", utc(lost.since), lost.reason),
            None => "etcd is unreachable".to_owned(),
        })
    }
}

/// A name that no other transaction has: 128 bits by chance.
fn random_name() -> Vec<u8> {
    uuid::Uuid::new_v4().to_string().into_bytes()
}

/// A time as `2026-11-23T01:02:03Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    crate::availability::utc(seconds)
}

impl EtcdStore {
    /// Opens the store, with its copy in a file when one is named.
    ///
    /// # Errors
    /// The options' files cannot be read; or etcd cannot be reached, or refuses us, and there is no copy yet.
    pub fn open(options: EtcdOptions, copy: Option<&Path>) -> Result<Self, StoreError> {
        Self::open_as(options, copy, follower::Restoring::Refused)
    }

    fn open_as(options: EtcdOptions, copy: Option<&Path>, restoring: follower::Restoring) -> Result<Self, StoreError> {
        let credentials = Credentials::read(&options).map_err(|error| StoreError::Engine(error.into()))?;
        let disk = copy.map(|path| disk::Disk::open(path, &options.prefix)).transpose()?;
        let mut mirror = Mirror::default();
        if let Some(found) = disk.as_ref().map(disk::Disk::read).transpose()?.flatten() {
            mirror = found;
        }
        let has_copy = mirror.cluster != 0;
        let revision = mirror.revision();
        let shared = Arc::new(Shared {
            latest: watch::Sender::new(revision),
            state: Mutex::new(State {
                mirror,
                lost: Some(Lost {
                    began: Instant::now(),
                    since: SystemTime::now(),
                    reason: "not connected yet".to_owned(),
                }),
                ..State::default()
            }),
            changed: Condvar::new(),
            suspicion: Notify::new(),
            options,
            credentials,
        });
        let end = CancellationToken::new();
        let runtime = follower::start(Arc::clone(&shared), disk, restoring, end.clone())?;
        let store = Self {
            shared,
            runtime,
            _follower: end.drop_guard(),
        };
        store.opened(has_copy)?;
        Ok(store)
    }

    /// Waits for etcd; with a copy, for one round over the members only.
    fn opened(&self, has_copy: bool) -> Result<(), StoreError> {
        let until = Instant::now() + OPENING;
        let mut state = self.shared.lock();
        while state.connection.is_none() {
            if has_copy && state.failures > 0 {
                let reason = state.lost.as_ref().map(|lost| lost.reason.clone());
                tracing::error!(
                    reason,
                    revision = state.mirror.revision(),
                    "etcd cannot be used: the last good state is served, read-only"
                );
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Shared::unavailable(state.lost.as_ref()));
            }
            state = self.shared.wait(state, until);
        }
        Ok(())
    }

    /// Does something on the follower's runtime and waits for it. Callers may be on any thread.
    fn call<T, F>(&self, work: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: std::future::Future<Output = Result<T, CallError>> + Send + 'static,
    {
        let (sender, answer) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            let _ = sender.send(work.await);
        });
        let gone = |_| Err(CallError::Unknown("the store is being closed".to_owned()));
        answer.recv().unwrap_or_else(gone)
    }

    /// The connection; waits for one as long as the outage is young.
    fn connection(&self) -> Result<Connection, StoreError> {
        let mut state = self.shared.lock();
        loop {
            if let Some(connection) = &state.connection {
                return Ok(connection.clone());
            }
            let until = state.lost.as_ref().map(|lost| lost.began + GRACE);
            match until.filter(|until| Instant::now() < *until) {
                Some(until) => state = self.shared.wait(state, until),
                None => return Err(Shared::unavailable(state.lost.as_ref())),
            }
        }
    }

    /// Brings the copy to what etcd has now. When no member can be reached, the copy stays what it is.
    fn catch_up(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let began = Instant::now();
        loop {
            let connection = {
                let mut state = self.shared.lock();
                loop {
                    if let Some(connection) = &state.connection {
                        break connection.clone();
                    }
                    let until = state.lost.as_ref().map_or(began, |lost| lost.began) + GRACE;
                    // A member is gone: perhaps another answers.
                    if state.failures == 0 && Instant::now() < until {
                        state = self.shared.wait(state, until);
                    } else if state.mirror.cluster == 0 {
                        return Err(Shared::unavailable(state.lost.as_ref()));
                    } else {
                        return Ok(state);
                    }
                }
            };
            let key = format!("{}{LAST}", self.shared.options.prefix).into_bytes();
            let request = wire::RangeRequest {
                key,
                ..wire::RangeRequest::default()
            };
            let reason = match self.call(async move { connection.range(request).await }) {
                Ok(answer) => {
                    let newest = answer.values.first().map_or(0, |pair| pair.modified);
                    let state = self.seen(newest);
                    if state.mirror.seen >= newest || state.connection.is_none() {
                        return Ok(state);
                    }
                    "its events are late".to_owned()
                }
                Err(error) => error.text().to_owned(),
            };
            self.shared.suspicion.notify_one();
            let state = self.shared.lock();
            if began.elapsed() > 2 * GRACE {
                return Err(StoreError::Unavailable(format!("etcd does not answer: {reason}")));
            }
            // Until the follower has found out what is wrong, or has another member.
            drop(self.shared.wait(state, Instant::now() + Duration::from_millis(50)));
        }
    }

    /// Waits until the copy has an etcd revision, etcd is lost, or it takes too long.
    fn seen(&self, revision: i64) -> MutexGuard<'_, State> {
        let until = Instant::now() + EVENTS_LIMIT;
        let mut state = self.shared.lock();
        while state.mirror.seen < revision && state.connection.is_some() && Instant::now() < until {
            state = self.shared.wait(state, until);
        }
        state
    }

    fn write(&self, transaction: &Transaction) -> Result<Revision, StoreError> {
        let large = transaction::is_large(transaction);
        for _ in 0..ATTEMPTS {
            let connection = self.connection()?;
            let name = random_name();
            let request = {
                let state = if large { self.catch_up()? } else { self.shared.lock() };
                if large {
                    for compare in &transaction.compares {
                        state.mirror.holds(compare)?;
                    }
                }
                let prefix = &self.shared.options.prefix;
                transaction::request(prefix, &state.mirror, transaction, &name, large)?
            };
            match self.call(async move { connection.txn(request).await }) {
                Ok(answer) if answer.succeeded => {
                    let made = answer.header.unwrap_or_default().revision;
                    return Ok(self.seen(made).mirror.ours(made));
                }
                Ok(_) => {
                    self.conflict(transaction)?;
                    if !large {
                        return Err(StoreError::Conflict("another control plane wrote meanwhile".to_owned()));
                    }
                }
                Err(CallError::Refused(reason)) => {
                    return Err(StoreError::Engine(format!("etcd refuses the write: {reason}").into()));
                }
                Err(CallError::NotDone(reason)) => {
                    tracing::debug!(reason, "the write did not reach etcd");
                    self.shared.suspicion.notify_one();
                    let state = self.shared.lock();
                    drop(self.shared.wait(state, Instant::now() + Duration::from_millis(50)));
                }
                Err(CallError::Unknown(reason)) => return self.settle(&name, &reason),
            }
        }
        Err(StoreError::Conflict(
            "other control planes wrote at every attempt".to_owned(),
        ))
    }

    /// Says what of a refused transaction does not hold. Fine when everything does: it held again by the time of looking.
    fn conflict(&self, transaction: &Transaction) -> Result<(), StoreError> {
        let state = self.catch_up()?;
        if state.mirror.restoring {
            return Err(StoreError::Unavailable("the store is being restored".to_owned()));
        }
        transaction
            .compares
            .iter()
            .try_for_each(|compare| state.mirror.holds(compare))
    }

    /// The answer to a write was lost. Its event says that it happened; without one it stays open.
    fn settle(&self, name: &[u8], reason: &str) -> Result<Revision, StoreError> {
        self.shared.suspicion.notify_one();
        let until = Instant::now() + GRACE;
        let mut state = self.shared.lock();
        loop {
            if let Some(revision) = state.mirror.made_by(name) {
                return Ok(revision);
            }
            if Instant::now() >= until {
                return Err(StoreError::Unsettled(reason.to_owned()));
            }
            state = self.shared.wait(state, until);
        }
    }
}

impl Store for EtcdStore {
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.catch_up()?.mirror.get(key))
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError> {
        let state = self.catch_up()?;
        Ok(Listing {
            revision: state.mirror.revision(),
            entries: state.mirror.under(prefix, after, limit.unwrap_or(usize::MAX)),
        })
    }

    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError> {
        let state = self.catch_up()?;
        let all = |prefix: &&str| state.mirror.under(prefix, None, usize::MAX);
        Ok((state.mirror.revision(), prefixes.iter().map(all).collect()))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.catch_up()?.mirror.revision())
    }

    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        if transaction.changes.is_empty() {
            let state = self.catch_up()?;
            for compare in &transaction.compares {
                state.mirror.holds(compare)?;
            }
            return Ok(state.mirror.revision());
        }
        self.write(&transaction)
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.shared.latest.subscribe()
    }

    fn availability(&self) -> Availability {
        let state = self.shared.lock();
        match (&state.connection, &state.lost) {
            (None, Some(lost)) => Availability::ReadOnly {
                since: lost.since,
                reason: format!("etcd ({}) is unreachable: {}", self.shared.options.named(), lost.reason),
            },
            _ => Availability::Full,
        }
    }
}
