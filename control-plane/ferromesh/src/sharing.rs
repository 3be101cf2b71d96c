//! Who made a virtual node in somebody else's mesh gets its configuration for as long as the mesh is shared with them.
//!
//! As App Mesh did: when sharing ends, what the consumer made stays, and its proxies receive nothing any more. An Envoy
//! that is refused keeps what it has, so its traffic goes on as it was until somebody decides otherwise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferromesh_ir::ProxyKind;
use ferromesh_model::resource::{Key, Kind};
use ferromesh_store::{catalog, key, AccountStore, Store, StoreError};
use ferromesh_xds::{Applicant, SnapshotSource, Subscription};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::identity::{name_and_owner, Identity, ProxyKey};

/// A source of snapshots that gives none to the proxies of former consumers. Clones share the streams.
#[derive(Clone)]
pub struct Sharing {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn SnapshotSource>,
    store: Arc<dyn Store>,
    /// The server's own account.
    account: String,
    streams: Mutex<Streams>,
}

/// What ends the streams that were let in.
#[derive(Default)]
struct Streams {
    open: Vec<(ProxyKey, oneshot::Sender<Status>)>,
    /// Ended ones are swept when there are this many.
    sweep_at: usize,
}

/// Fewest streams that are worth a sweep.
const FEW: usize = 64;

impl Sharing {
    /// In front of `source`, over the store of a server whose own account is `account`. Streams that are let in are only
    /// ended while [`Sharing::run`] runs.
    pub fn new(source: Arc<dyn SnapshotSource>, store: Arc<dyn Store>, account: impl Into<String>) -> Self {
        Self {
            shared: Arc::new(Shared {
                source,
                store,
                account: account.into(),
                streams: Mutex::default(),
            }),
        }
    }

    /// Ends streams when sharing ends, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut revisions = self.shared.store.watch();
        let mut known = None;
        loop {
            revisions.mark_unchanged();
            let shared = Arc::clone(&self.shared);
            // A panic in it has been printed, and is as good as no answer.
            if let Ok(found) = tokio::task::spawn_blocking(move || shared.look(known)).await {
                known = found;
            } else {
                known = None;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = revisions.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Shared {
    /// A panic while the lock was held leaves a list whose entries are whole.
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what is shared, and at every stream if that is not what it was; gives what is shared now, or nothing if the
    /// store does not say.
    fn look(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let listed = self.store.list(key::SHARES, None, None);
        let now: Option<Vec<String>> = match listed {
            Ok(listing) => Some(listing.entries.into_iter().map(|stored| stored.key).collect()),
            Err(error) => {
                tracing::debug!(%error, "who shares what cannot be read");
                None
            }
        };
        if now.is_some() && now != before {
            self.end_of_former_consumers();
        }
        now
    }

    fn end_of_former_consumers(&self) {
        let keys: Vec<ProxyKey> = {
            let mut streams = self.lock();
            streams.open.retain(|(_, end)| !end.is_closed());
            let keys = streams.open.iter().map(|(proxy, _)| proxy.clone());
            keys.collect()
        };
        for proxy in keys {
            // What cannot be read is not held against anybody: the next look reads it again.
            let Ok(Some(refusal)) = self.refusal(&proxy) else {
                continue;
            };
            let ended = {
                let mut streams = self.lock();
                let all = std::mem::take(&mut streams.open);
                let (ended, open) = all.into_iter().partition(|(of, _)| *of == proxy);
                streams.open = open;
                ended
            };
            let ended: Vec<_> = ended;
            for (_, end) in ended {
                tracing::warn!(%proxy, reason = refusal.message(), "stream ended");
                // A stream that has ended by itself meanwhile needs no end.
                let _ = end.send(refusal.clone());
            }
        }
    }

    /// Why a proxy may have nothing; `None`: it may.
    fn refusal(&self, proxy: &ProxyKey) -> Result<Option<Status>, StoreError> {
        let (mesh, owner) = name_and_owner(&proxy.mesh);
        let kind = match proxy.kind {
            ProxyKind::VirtualNode => Kind::VirtualNode,
            // These are the mesh owner's alone.
            ProxyKind::VirtualGateway => return Ok(None),
        };
        let theirs = owner.map(|owner| AccountStore::new(self.store.as_ref(), owner));
        let store: &dyn Store = match &theirs {
            Some(theirs) => theirs,
            None => self.store.as_ref(),
        };
        let owner = owner.unwrap_or(&self.account);
        // What is not there yet belongs to nobody.
        let Some((record, _)) = catalog::record(store, &Key::in_mesh(mesh, kind, &proxy.name))? else {
            return Ok(None);
        };
        let consumer = &record.metadata.resource_owner;
        if consumer == owner || store.get(&key::share(consumer, owner, mesh))?.is_some() {
            return Ok(None);
        }
        Ok(Some(Status::permission_denied(format!(
            "mesh {mesh} of account {owner} is not shared with account {consumer}, whose virtual node {} is: its proxies \
             keep what they have",
            proxy.name
        ))))
    }
}

impl SnapshotSource for Sharing {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let shared = &self.shared;
        let identity =
            Identity::parse(&applicant.node.id).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let proxy = identity.key_at(&shared.account);
        // Known before it is looked at: sharing that ends in between ends the stream.
        let (end, ended) = oneshot::channel();
        {
            let mut streams = shared.lock();
            if streams.open.len() >= streams.sweep_at.max(FEW) {
                streams.open.retain(|(_, end)| !end.is_closed());
                streams.sweep_at = 2 * streams.open.len();
            }
            streams.open.push((proxy.clone(), end));
        }
        match shared.refusal(&proxy) {
            Ok(None) => {}
            Ok(Some(refusal)) => return Err(refusal),
            Err(error) => return Err(Status::unavailable(format!("the store cannot be read: {error}"))),
        }
        let subscription = shared.source.subscribe(applicant)?;
        Ok(Subscription {
            end: Some(first_of(ended, subscription.end)),
            snapshots: subscription.snapshots,
        })
    }
}

/// What ends a stream that two may end.
fn first_of(ours: oneshot::Receiver<Status>, theirs: Option<oneshot::Receiver<Status>>) -> oneshot::Receiver<Status> {
    let Some(theirs) = theirs else { return ours };
    let (mut end, ended) = oneshot::channel();
    tokio::spawn(async move {
        let status = tokio::select! {
            Ok(status) = ours => status,
            Ok(status) = theirs => status,
            () = end.closed() => return,
        };
        // Whoever listened has gone.
        let _ = end.send(status);
    });
    ended
}

#[cfg(test)]
mod tests;
