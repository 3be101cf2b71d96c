//! From the store to the proxies: whenever resources change, every connected proxy's configuration is made anew and,
//! if it differs, published.
//!
//! assemble → lower → emit → seal, for each proxy that has ever asked and whose lowering looked at something that has
//! changed. Whatever fails on the way, the last good snapshot stays, and the reason is kept for people to see. Versions are
//! content hashes, so that an unchanged configuration is the same one, after a restart too.

mod build;
mod common;
mod endpoints;
mod followed;
mod patch;
mod problem;
mod report;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use ferromesh_ir::{rollback::Comparison, Lint};
use ferromesh_store::{key, AccountStore, Revision, Store, StoreError};
use ferromesh_xds::{Applicant, Snapshot, SnapshotSource, Subscription};
use serde_json::Value;
use tokio::{
    sync::{watch, Notify},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub use build::Settings;
pub use problem::Problem;
pub use report::Report;

use crate::{
    identity::{name_and_owner, Identity, ProxyKey},
    proxy::bootstrap::HAS_SECRET_SERVER,
};
use build::{Build, Extent, MadeFrom, Outcome};
use state::{Delta, State};

/// How long the publisher waits after a change for others that come with it: a tool that creates twenty resources
/// causes a few publications, not twenty, and nobody notices the wait.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// A proxy that nobody has asked for this long is forgotten, with its last good snapshot.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// After how long a store that could not be read is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How often it is looked whether a certificate should be renewed, or is still to be issued.
const REVIEW_EVERY: Duration = Duration::from_secs(60);

/// What one publication did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// Proxies whose configuration was made anew, wholly or in its endpoints, whether or not it has become another one.
    pub made: Vec<ProxyKey>,
    /// Whether something could not be read, and must be tried again.
    pub is_incomplete: bool,
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
    /// The meshes of these proxies, as the snapshots were made from them.
    meshes: Mutex<BTreeMap<String, State>>,
    /// A proxy has asked for the first time.
    asked: Notify,
    /// Counts publications, so that what changed together can be seen together.
    publications: watch::Sender<u64>,
}

/// What is known of one proxy.
struct Proxy {
    sender: watch::Sender<Option<Arc<Snapshot>>>,
    /// What the snapshot was made from; `None` until there is one, and while the newest resources don't make one.
    made_from: Option<Arc<MadeFrom>>,
    /// Revision at which this was last looked at.
    revision: Option<Revision>,
    problem: Option<Problem>,
    lints: Vec<Lint>,
    /// Comparisons of canaries that the snapshot takes part in; `None`: there is no snapshot yet.
    comparisons: Option<Vec<Comparison>>,
    /// Whether the Envoy that asked last says that there is no SDS server beside it.
    lacks_secret_server: bool,
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
                meshes: Mutex::default(),
                asked: Notify::new(),
                publications: watch::Sender::new(0),
            }),
        }
    }

    /// Follows the store until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut revisions = self.shared.store.watch();
        let mut is_incomplete = false;
        let mut review = tokio::time::interval(REVIEW_EVERY);
        review.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let retry = async {
                match is_incomplete {
                    false => std::future::pending().await,
                    true => tokio::time::sleep(RETRY_AFTER).await,
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
            let publisher = self.clone();
            // Reads the disk and computes: not for a thread that serves connections.
            is_incomplete = match tokio::task::spawn_blocking(move || publisher.publish()).await {
                Ok(publication) => publication.is_incomplete,
                Err(error) => {
                    tracing::error!(error = %error, "publication failed; the last good snapshots stay");
                    true
                }
            };
        }
    }

    /// Brings every proxy that has asked up to date with the store, once. [`Publisher::run`] does so whenever it is needed.
    ///
    /// Blocks on the disk, and computes.
    pub fn publish(&self) -> Publication {
        self.shared.publish()
    }

    /// The proxy that an identity means here.
    pub fn key(&self, identity: &Identity) -> ProxyKey {
        identity.key_at(&self.shared.settings.account)
    }

    /// Counts up after every publication, once all snapshots of it can be seen.
    pub fn publications(&self) -> watch::Receiver<u64> {
        self.shared.publications.subscribe()
    }

    /// Names of the modules that a proxy's newest snapshot has, with the SHA-256 of each.
    pub fn modules(&self, key: &ProxyKey) -> BTreeMap<String, String> {
        let proxies = self.shared.lock();
        let made_from = proxies.get(key).and_then(|proxy| proxy.made_from.as_ref());
        let Some(modules) = made_from.map(|from| &from.modules.modules) else {
            return BTreeMap::new();
        };
        let named = [("mesh", &modules.mesh), ("mesh-lean", &modules.lean)];
        let present = named
            .into_iter()
            .filter_map(|(name, module)| Some((name, module.as_ref()?)));
        present
            .map(|(name, module)| (name.to_owned(), module.sha256.clone()))
            .collect()
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
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let node = applicant.node;
        let identity = Identity::parse(&node.id).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let key = self.key(&identity);
        if let (_, Some(owner)) = name_and_owner(&key.mesh) {
            self.shared.has_meshes(owner)?;
        }
        let mut proxies = self.shared.lock();
        let proxy = proxies.entry(key).or_insert_with(|| Proxy {
            sender: watch::Sender::new(None),
            made_from: None,
            revision: None,
            problem: None,
            lints: Vec::new(),
            comparisons: None,
            lacks_secret_server: false,
            asked_at: Instant::now(),
        });
        proxy.asked_at = Instant::now();
        let said = node
            .metadata
            .get("ferromesh")
            .and_then(|said| said.get(HAS_SECRET_SERVER));
        proxy.lacks_secret_server = said.and_then(Value::as_bool) == Some(false);
        let receiver = proxy.sender.subscribe();
        if proxy.made_from.is_none() {
            self.shared.asked.notify_one();
        }
        Ok(receiver.into())
    }
}

impl Shared {
    /// A panic while the lock was held leaves whole values: each field is assigned at once.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProxyKey, Proxy>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses the proxies of an account that has no mesh here.
    fn has_meshes(&self, owner: &str) -> Result<(), Status> {
        let theirs = AccountStore::new(self.store.as_ref(), owner);
        match theirs.list(key::MESHES, None, Some(1)) {
            Ok(meshes) if meshes.entries.is_empty() => {
                let account = &self.settings.account;
                Err(Status::permission_denied(format!(
                    "account {owner} has no mesh at this control plane, whose own account is {account}"
                )))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(Status::unavailable(format!("the store cannot be read: {error}"))),
        }
    }

    /// Brings every proxy up to date with the store.
    fn publish(&self) -> Publication {
        let mut publication = Publication::default();
        if let Err(error) = self.settings.authority.follow() {
            tracing::warn!(%error, "certificates of other control planes cannot be read; those before stay");
        }
        let known = self.known_by_mesh();
        let mut meshes = self.meshes.lock().unwrap_or_else(PoisonError::into_inner);
        meshes.retain(|mesh, _| known.contains_key(mesh));
        for (mesh, builds) in known {
            // Gone while it is worked with: after a failure everything is read and made anew.
            let before = meshes.remove(&mesh);
            match self.publish_mesh(&mesh, before, builds, &mut publication.made) {
                Ok(state) => {
                    meshes.insert(mesh, state);
                }
                Err(error) => {
                    self.settle_unreadable(&mesh, &error.to_string());
                    publication.is_incomplete = true;
                }
            }
        }
        publication
    }

    fn publish_mesh(
        &self,
        mesh: &str,
        before: Option<State>,
        builds: Vec<Build>,
        made: &mut Vec<ProxyKey>,
    ) -> Result<State, StoreError> {
        let authority = &self.settings.authority;
        let (mesh, owner) = name_and_owner(mesh);
        let theirs = owner.map(|owner| AccountStore::new(self.store.as_ref(), owner));
        let store: &dyn Store = match &theirs {
            Some(theirs) => theirs,
            None => self.store.as_ref(),
        };
        let (mut state, mut delta) = match before {
            Some(before) => before.renewed(store, authority)?,
            None => {
                let mut delta = Delta::default();
                delta.mesh.note_everything();
                (State::read(store, authority, mesh)?, delta)
            }
        };
        state.follow_modules(&self.settings, &mut delta.mesh)?;
        let untouched = self.make(&state, &delta, builds, made);
        // What was just issued in the place of another may be shown by those that were left alone, too.
        let mut delta = Delta::default();
        state.follow_issued(authority, &mut delta.mesh);
        let untouched = self.make(&state, &delta, untouched, made);
        self.settle_untouched(state.revision, &untouched);
        Ok(state)
    }

    /// Makes and publishes what some changes touch; gives what they don't.
    fn make(&self, state: &State, delta: &Delta, builds: Vec<Build>, made: &mut Vec<ProxyKey>) -> Vec<Build> {
        state.common.forget(&delta.mesh);
        let with_extent = builds.into_iter().map(|build| (build.extent(delta), build));
        let (untouched, touched): (Vec<_>, Vec<_>) = with_extent.partition(|(extent, _)| *extent == Extent::Nothing);
        made.extend(touched.iter().map(|(_, build)| build.key.clone()));
        if !touched.is_empty() {
            self.settle(state.revision, build::all(&self.settings, state, delta, touched));
        }
        untouched.into_iter().map(|(_, build)| build).collect()
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
                previous: proxy.sender.borrow().clone(),
                made_from: proxy.made_from.clone(),
            });
        }
        by_mesh
    }

    fn settle(&self, revision: Revision, outcomes: Vec<(ProxyKey, Outcome)>) {
        let mut proxies = self.lock();
        for (key, outcome) in outcomes {
            let Some(proxy) = proxies.get_mut(&key) else { continue };
            proxy.revision = Some(revision);
            match outcome {
                Ok(made) => {
                    proxy.problem = None;
                    proxy.lints = made.lints;
                    proxy.made_from = Some(made.from);
                    proxy.comparisons = made.comparisons.or_else(|| proxy.comparisons.take());
                    let resources = made.snapshot.len();
                    if build::differs(proxy.sender.borrow().as_deref(), &made.snapshot) {
                        proxy.sender.send_replace(Some(made.snapshot));
                        tracing::info!(proxy = %key, revision, resources, lints = proxy.lints.len(), "published");
                    }
                }
                Err(reason) => {
                    proxy.made_from = None;
                    proxy.keep(&key, Some(revision), reason);
                }
            }
        }
        drop(proxies);
        self.publications.send_modify(|count| *count += 1);
    }

    /// What nothing has touched is what it would become now.
    fn settle_untouched(&self, revision: Revision, untouched: &[Build]) {
        let mut proxies = self.lock();
        for build in untouched {
            if let Some(proxy) = proxies.get_mut(&build.key) {
                proxy.revision = Some(revision);
            }
        }
    }

    fn settle_unreadable(&self, mesh: &str, reason: &str) {
        let mut proxies = self.lock();
        for (key, proxy) in proxies.iter_mut().filter(|(key, _)| key.mesh == mesh) {
            // So that the next reading makes it anew, and clears the problem.
            proxy.made_from = None;
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
