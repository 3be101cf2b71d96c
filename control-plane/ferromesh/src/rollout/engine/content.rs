//! What one proxy is given: its accepted snapshot, its candidate, and the newest that was published.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ferromesh_xds::{type_url, Snapshot};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::{
    identity::ProxyKey,
    rollout::{
        record::Record,
        wave::{Candidate, Fingerprint, Mark},
    },
};

/// Fewer lost resources than this are never held back: who has three services may delete two of them.
const LEAST_LOST: usize = 10;
/// A candidate that removes more than this share of a proxy's clusters, listeners and route tables is held back, in percent.
const MOST_LOST_PERCENT: usize = 30;

/// One proxy.
pub(in crate::rollout) struct Content {
    pub published: watch::Receiver<Option<Arc<Snapshot>>>,
    pub newest: Option<Kind>,
    pub accepted: Option<Kind>,
    pub candidate: Option<Kind>,
    /// What the newest would remove, if it is too much.
    pub held_back: Option<HeldBack>,
    /// When there was a stream the last time.
    pub used_at: Duration,
    /// Whether the newest must be looked at again although it is the same.
    pub is_stale: bool,
}

/// A snapshot with what is known of it.
#[derive(Clone)]
pub(in crate::rollout) struct Kind {
    pub snapshot: Arc<Snapshot>,
    pub fingerprint: Fingerprint,
    pub modules: Arc<BTreeMap<String, String>>,
}

/// A configuration that waits for somebody's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rollout) struct HeldBack {
    /// It, as a candidate of its own.
    pub id: String,
    /// Its mark.
    pub mark: Mark,
    /// Why.
    pub reason: String,
    /// Whether that is the store's age, which approval lets pass for the whole mesh.
    pub is_older: bool,
}

impl Content {
    pub fn new(published: watch::Receiver<Option<Arc<Snapshot>>>, now: Duration) -> Self {
        Self {
            published,
            newest: None,
            accepted: None,
            candidate: None,
            held_back: None,
            used_at: now,
            is_stale: true,
        }
    }

    /// The published snapshot, if it has not been looked at.
    pub fn fresh(&mut self) -> Option<Arc<Snapshot>> {
        if !self.is_stale && !self.published.has_changed().unwrap_or(false) {
            return None;
        }
        self.is_stale = false;
        self.published.borrow_and_update().clone()
    }

    /// The newest, held back because it was made of an older store.
    pub fn is_older(&self, key: &ProxyKey, reason: String) -> Option<HeldBack> {
        let newest = self.newest.as_ref()?;
        let is_accepted = |accepted: &Kind| accepted.fingerprint == newest.fingerprint;
        if self.accepted.as_ref().is_some_and(is_accepted) {
            return None;
        }
        Some(HeldBack::new(key, newest.fingerprint, reason, true))
    }

    /// Why the newest is held back for what it would remove, if it is.
    pub fn shrink(&self, key: &ProxyKey, record: &Record) -> Option<HeldBack> {
        let (newest, accepted) = (self.newest.as_ref()?, self.accepted.as_ref()?);
        if newest.fingerprint == accepted.fingerprint {
            return None;
        }
        let (mut before, mut lost) = (0, 0);
        for type_url in [type_url::CLUSTER, type_url::LISTENER, type_url::ROUTE] {
            let now = newest.snapshot.resources(type_url);
            let had = accepted.snapshot.resources(type_url);
            before += had.len();
            lost += had.iter().filter(|resource| now.get(resource.name()).is_none()).count();
        }
        if lost < LEAST_LOST || lost * 100 <= before * MOST_LOST_PERCENT {
            return None;
        }
        let mark = Mark::of(key, newest.fingerprint);
        if record.approved.contains(&format!("{:016x}", mark.0)) {
            return None;
        }
        let reason = format!(
            "{key}: {lost} of {before} clusters, listeners and route tables would be removed, more than {MOST_LOST_PERCENT} %"
        );
        Some(HeldBack::new(key, newest.fingerprint, reason, false))
    }
}

impl HeldBack {
    fn new(key: &ProxyKey, newest: Fingerprint, reason: String, is_older: bool) -> Self {
        Self {
            id: Candidate::new([(key.clone(), newest)].into()).id,
            mark: Mark::of(key, newest),
            reason,
            is_older,
        }
    }
}

/// What tells a snapshot from others of the same proxy, endpoints and secrets left aside.
pub(super) fn fingerprint(snapshot: &Snapshot) -> Fingerprint {
    let mut hash = Sha256::new();
    for type_url in structure(snapshot) {
        hash.update(type_url);
        hash.update(snapshot.resources(type_url).version().to_string());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    Fingerprint(u128::from_be_bytes(first))
}

/// The types that are tried before everybody gets them.
pub(super) fn structure(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    snapshot
        .type_urls()
        .map(|type_url| &**type_url)
        .filter(|type_url| is_tried(type_url))
}

/// Whether changes of this type are tried before everybody gets them.
pub(in crate::rollout) fn is_tried(type_url: &str) -> bool {
    !matches!(type_url, type_url::ENDPOINT | type_url::SECRET)
}

/// Whether two snapshots have other endpoints or secrets.
pub(super) fn leaves_differ(a: &Snapshot, b: &Snapshot) -> bool {
    [type_url::ENDPOINT, type_url::SECRET]
        .iter()
        .any(|type_url| a.resources(type_url).version() != b.resources(type_url).version())
}
