//! From the store to the proxies: whenever resources change, every connected proxy's configuration is made anew and,
//! if it differs, published.
//!
//! assemble → lower → emit → seal, once for each proxy that has ever asked. Whatever fails on the way, the last good
//! snapshot stays, and the reason is kept for people to see. Versions are content hashes, so that an unchanged
//! configuration is the same one, after a restart too.

mod build;
mod problem;
mod report;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use ferromesh_ir::{rollback::Comparison, Lint};
use ferromesh_store::{Revision, Store};
use ferromesh_xds::{NodeInfo, Snapshot, SnapshotSource};
use tokio::{
    sync::{watch, Notify},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub use build::{Build, Settings};
pub use problem::Problem;
pub use report::Report;

use crate::identity::{Identity, ProxyKey};
use build::{Fingerprint, Outcome};

/// How long the publisher waits after a change for others that come with it: a tool that creates twenty resources
/// causes a few publications, not twenty, and nobody notices the wait.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// A proxy that nobody has asked for this long is forgotten, with its last good snapshot.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// After how long a store that could not be read is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How often it is looked whether a certificate should be renewed, or is still to be issued.
const REVIEW_EVERY: Duration = Duration::from_secs(60);

/// Whether a publication has looked at everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Complete {
    Yes,
    /// Something could not be read.
    No,
}

/// Makes and holds the snapshots of all proxies. Clones share them.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    settings: Settings,
    proxies: Mutex<BTreeMap<ProxyKey, Proxy>>,
    /// A proxy has asked for the first time.
    asked: Notify,
}

/// What is known of one proxy.
struct Proxy {
    sender: watch::Sender<Option<Arc<Snapshot>>>,
    /// Of the mesh that the snapshot, or the problem, was made from.
    fingerprint: Option<Fingerprint>,
    /// Revision at which this was last looked at.
    revision: Option<Revision>,
    problem: Option<Problem>,
    lints: Vec<Lint>,
    /// What of the snapshot looks in the registry.
    registered: Option<Arc<ferromesh_ir::Proxy>>,
    /// Comparisons of canaries that the snapshot takes part in; `None`: there is no snapshot yet.
    comparisons: Option<Vec<Comparison>>,
    asked_at: Instant,
}

impl Publisher {
    /// A publisher over a store. Nothing happens until [`Publisher::run`].
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                settings,
                proxies: Mutex::default(),
                asked: Notify::new(),
            }),
        }
    }

    /// Follows the store until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut revisions = self.shared.store.watch();
        let mut complete = Complete::Yes;
        let mut review = tokio::time::interval(REVIEW_EVERY);
        review.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let retry = async {
                match complete {
                    Complete::Yes => std::future::pending().await,
                    Complete::No => tokio::time::sleep(RETRY_AFTER).await,
                }
            };
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() {
                    tracing::error!("the store is gone: nothing is published any more");
                    return;
                },
                () = self.shared.asked.notified() => {}
                () = retry => {}
                _ = review.tick() => self.shared.settings.authority.review(SystemTime::now()),
                () = self.shared.settings.authority.renewal() => {}
                () = shutdown.cancelled() => return,
            }
            tokio::time::sleep(DEBOUNCE).await;
            revisions.borrow_and_update();
            let shared = Arc::clone(&self.shared);
            // Reads the disk and computes: not for a thread that serves connections.
            complete = match tokio::task::spawn_blocking(move || shared.publish()).await {
                Ok(complete) => complete,
                Err(error) => {
                    tracing::error!(error = %error, "publication failed; the last good snapshots stay");
                    Complete::No
                }
            };
        }
    }

    /// What is known of every proxy that has asked.
    pub fn reports(&self) -> Vec<Report> {
        let proxies = self.shared.lock();
        proxies.iter().map(|(key, proxy)| report::report(key, proxy)).collect()
    }

    /// Comparisons of canaries that a proxy's configuration takes part in; `None`: it has none from here yet.
    pub fn comparisons(&self, key: &ProxyKey) -> Option<Vec<Comparison>> {
        let proxies = self.shared.lock();
        proxies.get(key)?.comparisons.clone()
    }
}

impl SnapshotSource for Publisher {
    fn subscribe(&self, node: &NodeInfo) -> Result<watch::Receiver<Option<Arc<Snapshot>>>, Status> {
        let identity = Identity::parse(&node.id).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let account = &self.shared.settings.account;
        if let Some(other) = identity.account.as_ref().filter(|other| *other != account) {
            return Err(Status::permission_denied(format!(
                "{:?} is of account {other}, and this control plane has the meshes of account {account}",
                node.id
            )));
        }
        let mut proxies = self.shared.lock();
        let proxy = proxies.entry(identity.key()).or_insert_with(|| Proxy {
            sender: watch::Sender::new(None),
            fingerprint: None,
            revision: None,
            problem: None,
            lints: Vec::new(),
            registered: None,
            comparisons: None,
            asked_at: Instant::now(),
        });
        proxy.asked_at = Instant::now();
        let receiver = proxy.sender.subscribe();
        if proxy.fingerprint.is_none() {
            self.shared.asked.notify_one();
        }
        Ok(receiver)
    }
}

impl Shared {
    /// A panic while the lock was held leaves whole values: each field is assigned at once.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProxyKey, Proxy>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings every proxy up to date with the store.
    fn publish(&self) -> Complete {
        let mut complete = Complete::Yes;
        for (mesh, known) in self.known_by_mesh() {
            match build::read(self.store.as_ref(), &self.settings.authority, &mesh) {
                Ok(read) => {
                    let changed: Vec<_> = known
                        .into_iter()
                        .filter(|known| known.fingerprint.as_ref() != Some(&read.fingerprint))
                        .collect();
                    if !changed.is_empty() {
                        let outcomes = build::all(&self.settings, &read, changed);
                        self.settle(read.revision, &read.fingerprint, outcomes);
                    }
                }
                Err(error) => {
                    self.settle_unreadable(&mesh, &error.to_string());
                    complete = Complete::No;
                }
            }
        }
        complete
    }

    /// The proxies that have asked, by mesh. Those that nobody has asked for in a long time are forgotten.
    fn known_by_mesh(&self) -> BTreeMap<String, Vec<Build>> {
        let mut by_mesh: BTreeMap<String, Vec<Build>> = BTreeMap::new();
        let mut proxies = self.lock();
        proxies.retain(|_, proxy| {
            let in_use = proxy.sender.receiver_count() > 0;
            if in_use {
                proxy.asked_at = Instant::now();
            }
            in_use || proxy.asked_at.elapsed() < FORGET_AFTER
        });
        for (key, proxy) in proxies.iter() {
            by_mesh.entry(key.mesh.clone()).or_default().push(Build {
                key: key.clone(),
                fingerprint: proxy.fingerprint.clone(),
                previous: proxy.sender.borrow().clone(),
                registered: proxy.registered.clone(),
            });
        }
        by_mesh
    }

    fn settle(&self, revision: Revision, fingerprint: &Fingerprint, outcomes: Vec<(ProxyKey, Outcome)>) {
        let mut proxies = self.lock();
        for (key, outcome) in outcomes {
            let Some(proxy) = proxies.get_mut(&key) else { continue };
            proxy.fingerprint = Some(fingerprint.clone());
            proxy.revision = Some(revision);
            match outcome {
                Ok(made) => {
                    proxy.problem = None;
                    proxy.lints = made.lints;
                    proxy.registered = made.registered;
                    proxy.comparisons = made.comparisons.or_else(|| proxy.comparisons.take());
                    let resources = made.snapshot.len();
                    if build::differs(proxy.sender.borrow().as_deref(), &made.snapshot) {
                        proxy.sender.send_replace(Some(made.snapshot));
                        tracing::info!(proxy = %key, revision, resources, lints = proxy.lints.len(), "published");
                    }
                }
                Err(reason) => {
                    proxy.registered = None;
                    proxy.keep(&key, Some(revision), reason);
                }
            }
        }
    }

    fn settle_unreadable(&self, mesh: &str, reason: &str) {
        let mut proxies = self.lock();
        for (key, proxy) in proxies.iter_mut().filter(|(key, _)| key.mesh == mesh) {
            // So that the next reading counts as a change, and clears the problem.
            proxy.fingerprint = None;
            proxy.keep(key, None, format!("the store cannot be read: {reason}"));
        }
    }
}

impl Proxy {
    /// Keeps the last good snapshot, and says why: once, however often the same thing goes wrong.
    fn keep(&mut self, key: &ProxyKey, revision: Option<Revision>, reason: String) {
        let has_snapshot = self.sender.borrow().is_some();
        if self.problem.as_ref().is_none_or(|known| known.reason != reason) {
            tracing::warn!(proxy = %key, revision, reason, has_snapshot, "not published; the last good snapshot stays");
            self.problem = Some(Problem::now(reason));
        }
    }
}

#[cfg(test)]
mod tests;
