//! Puts the decisions to work: takes what is published, gives each stream what it is to hold, and keeps the records.

mod content;
mod deliver;
mod start;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ferromesh_store::Store;
use ferromesh_xds::Snapshot;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{broadcast, mpsc, watch, Notify};
use tokio_util::sync::CancellationToken;

use super::{
    events::Events,
    evidence::Reports,
    record::{self, Record},
    wave::{Mesh, Rules},
    Outcome, Published, Settings, Verdict,
};
use crate::identity::ProxyKey;
pub(super) use content::{is_tried, Content};

/// How long an answer is waited for: then the proxy is silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);
/// How often time passes while something is on trial.
const TICK: Duration = Duration::from_millis(100);
/// How often it does otherwise.
const IDLE_TICK: Duration = Duration::from_secs(5);
/// A proxy without streams is forgotten after this time, as the publisher does.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// Verdicts that are shown for each mesh.
const HISTORY: usize = 50;
/// Verdicts that a slow listener can be behind.
const BACKLOG: usize = 256;

/// A change of a mesh's record that is to be written.
pub(super) type Write = (String, Box<dyn Fn(&mut Record) + Send>);

pub(super) struct Shared {
    pub inner: Arc<dyn Published>,
    pub store: Arc<dyn Store>,
    pub settings: Settings,
    pub events: Arc<Events>,
    /// A random name of this life of the control plane.
    pub me: String,
    pub wake: Notify,
    state: Mutex<State>,
    verdicts: broadcast::Sender<Verdict>,
    writes: mpsc::UnboundedSender<Write>,
    to_write: Mutex<Option<mpsc::UnboundedReceiver<Write>>>,
    began: Instant,
    ended: [AtomicU64; 4],
}

/// Everything that is known.
#[derive(Default)]
pub(super) struct State {
    pub meshes: BTreeMap<String, Running>,
    /// The proxies of the streams.
    pub streams: BTreeMap<u64, (ProxyKey, String)>,
    pub reports: Reports,
}

/// One mesh, with what its proxies are given.
pub(super) struct Running {
    pub mesh: Mesh,
    pub contents: BTreeMap<ProxyKey, Content>,
    pub senders: BTreeMap<u64, watch::Sender<Option<Arc<Snapshot>>>>,
    pub record: Record,
    pub history: VecDeque<Verdict>,
    /// Whether a candidate is being claimed.
    pub is_starting: bool,
    /// When another control plane is asked again whether it is done.
    pub wait_until: Duration,
}

impl Shared {
    pub fn new(inner: Arc<dyn Published>, store: Arc<dyn Store>, settings: Settings, events: Arc<Events>) -> Self {
        let (writes, to_write) = mpsc::unbounded_channel();
        let mut name = [0u8; 8];
        // Without chance the time tells two lives apart.
        if SystemRandom::new().fill(&mut name).is_err() {
            name = unix().as_nanos().to_le_bytes()[..8].try_into().unwrap_or_default();
        }
        Self {
            inner,
            store,
            settings,
            events,
            me: name.iter().map(|byte| format!("{byte:02x}")).collect(),
            wake: Notify::new(),
            state: Mutex::default(),
            verdicts: broadcast::Sender::new(BACKLOG),
            writes,
            to_write: Mutex::new(Some(to_write)),
            began: Instant::now(),
            ended: Default::default(),
        }
    }

    pub fn verdicts(&self) -> broadcast::Receiver<Verdict> {
        self.verdicts.subscribe()
    }

    /// A panic while the lock was held leaves a wave that is looked at again at the next tick.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the decisions.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub async fn run(self: &Arc<Self>, shutdown: CancellationToken) {
        let taken = self.to_write.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(to_write) = taken else {
            tracing::error!("the rollout runs already");
            return;
        };
        let writer = tokio::spawn(Arc::clone(self).write(to_write));
        let mut publications = self.inner.publications();
        let mut revisions = self.store.watch();
        let mut is_busy = false;
        loop {
            let tick = if is_busy { TICK } else { IDLE_TICK };
            tokio::select! {
                changed = publications.changed() => if changed.is_err() { break },
                changed = revisions.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.read_records().await;
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep(tick) => {}
                () = shutdown.cancelled() => break,
            }
            is_busy = self.step();
        }
        writer.abort();
    }

    /// Takes in what was published and what time brings; whether something is on trial.
    fn step(self: &Arc<Self>) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let State { meshes, reports, .. } = &mut *state;
        reports.forget_sometimes(now);
        let mut is_busy = false;
        for (name, running) in meshes.iter_mut() {
            self.take_published(name, running, now);
            let worth = |key: &ProxyKey, instance: &str| reports.worth(now, key, instance);
            let mut effects = running.mesh.tick(now, &worth);
            self.apply(name, running, effects);
            let tried = running.mesh.tried();
            if let Some(reason) = reports.harm(now, &tried).filter(|_| !tried.is_empty()) {
                effects = running.mesh.reject(reason);
                self.apply(name, running, effects);
            }
            running.sweep(now);
            self.propose(name, running, &worth);
            is_busy |= running.mesh.trial().is_some() || running.mesh.proposal().is_some();
            running.forget(now);
        }
        meshes.retain(|_, running| !running.contents.is_empty());
        is_busy
    }

    /// Records that are to be written, one after the other.
    async fn write(self: Arc<Self>, mut to_write: mpsc::UnboundedReceiver<Write>) {
        while let Some((mesh, change)) = to_write.recv().await {
            let shared = Arc::clone(&self);
            let written = tokio::task::spawn_blocking(move || {
                let record = record::change(shared.store.as_ref(), &mesh, change)?;
                shared.note_record(&mesh, record);
                Ok::<_, ferromesh_store::StoreError>(())
            });
            match written.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "what was decided on a rollout cannot be stored"),
                Err(error) => tracing::error!(%error, "storing what was decided on a rollout was interrupted"),
            }
        }
    }

    pub fn write_later(&self, mesh: &str, change: impl Fn(&mut Record) + Send + 'static) {
        // Nobody receives after the end, when nothing is decided either.
        let _ = self.writes.send((mesh.to_owned(), Box::new(change)));
    }

    /// What other control planes have written.
    async fn read_records(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let names: Vec<String> = shared.lock().meshes.keys().cloned().collect();
            for mesh in names {
                match record::read(shared.store.as_ref(), &mesh) {
                    Ok(record) => shared.note_record(&mesh, record),
                    Err(error) => tracing::warn!(%error, mesh, "what is remembered of rollouts cannot be read"),
                }
            }
        });
        if let Err(error) = read.await {
            tracing::error!(%error, "reading what is remembered of rollouts was interrupted");
        }
    }

    fn note_record(&self, mesh: &str, record: Record) {
        let mut state = self.lock();
        if let Some(running) = state.meshes.get_mut(mesh) {
            if running.record != record {
                running.note_record(record, &self.me);
                self.wake.notify_one();
            }
        }
    }

    /// The mesh of a proxy that asks, with what is remembered of it.
    pub fn running<'a>(&self, state: &'a mut State, mesh: &str) -> &'a mut Running {
        state.meshes.entry(mesh.to_owned()).or_insert_with(|| {
            let mut running = Running::new(Rules {
                is_staged: self.settings.is_staged,
                observe: self.settings.observe,
                share_percent: self.settings.share_percent,
                silence: SILENCE,
            });
            match record::read(self.store.as_ref(), mesh) {
                Ok(record) => running.note_record(record, &self.me),
                Err(error) => tracing::warn!(%error, mesh, "what is remembered of rollouts cannot be read"),
            }
            running
        })
    }

    /// Tells everybody of a verdict.
    pub fn tell(&self, running: &mut Running, verdict: Verdict) {
        let place = match verdict.outcome {
            Outcome::Accepted => 0,
            Outcome::RolledBack => 1,
            Outcome::Withdrawn => 2,
            Outcome::HeldBack => 3,
        };
        if let Some(count) = self.ended.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        match verdict.outcome {
            Outcome::RolledBack | Outcome::HeldBack => tracing::warn!(
                mesh = verdict.mesh,
                candidate = verdict.id,
                outcome = verdict.outcome.as_str(),
                reason = verdict.reason,
                reached = verdict.reached,
                proxies = verdict.proxies.len(),
                "rollout"
            ),
            Outcome::Accepted | Outcome::Withdrawn => tracing::info!(
                mesh = verdict.mesh,
                candidate = verdict.id,
                outcome = verdict.outcome.as_str(),
                reached = verdict.reached,
                proxies = verdict.proxies.len(),
                "rollout"
            ),
        }
        self.events.verdict(&verdict);
        running.history.push_back(verdict.clone());
        if running.history.len() > HISTORY {
            running.history.pop_front();
        }
        // Nobody listens: nobody is told.
        let _ = self.verdicts.send(verdict);
    }

    /// How many rollouts have ended how, since the start.
    pub fn ended(&self) -> [(Outcome, u64); 4] {
        let outcomes = [
            Outcome::Accepted,
            Outcome::RolledBack,
            Outcome::Withdrawn,
            Outcome::HeldBack,
        ];
        std::array::from_fn(|place| (outcomes[place], self.ended[place].load(Ordering::Relaxed)))
    }
}

impl Running {
    fn new(rules: Rules) -> Self {
        Self {
            mesh: Mesh::new(rules),
            contents: BTreeMap::new(),
            senders: BTreeMap::new(),
            record: Record::default(),
            history: VecDeque::new(),
            is_starting: false,
            wait_until: Duration::ZERO,
        }
    }

    /// What is remembered has become something else.
    pub fn note_record(&mut self, record: Record, me: &str) {
        let before = self.record.trial.as_ref().filter(|trial| trial.owner != me);
        let was_on_trial = before.map(|_| self.record.trial_marks()).unwrap_or_default();
        self.mesh.rejected = record.rejected_marks();
        self.mesh.on_trial = record.trial_marks();
        self.mesh.is_paused = record.is_paused;
        // Another control plane is done with it, and has not rejected it.
        let is_over =
            |mark: &&super::wave::Mark| !self.mesh.on_trial.contains(mark) && !self.mesh.rejected.contains(mark);
        let accepted: Vec<_> = was_on_trial.iter().filter(is_over).copied().collect();
        self.mesh.forced.extend(accepted);
        self.record = record;
        // What is held back, or was never accepted, is looked at again.
        for content in self.contents.values_mut() {
            content.is_stale = true;
        }
    }

    /// Lets go of streams of which nobody told that they have ended: of who was refused after it had subscribed here.
    fn sweep(&mut self, now: Duration) {
        let mesh = &mut self.mesh;
        self.senders.retain(|stream, sender| {
            let is_open = sender.receiver_count() > 0;
            if !is_open {
                mesh.disconnect(now, *stream, true);
            }
            is_open
        });
    }

    fn forget(&mut self, now: Duration) {
        let mesh = &mut self.mesh;
        self.contents.retain(|key, content| {
            if mesh.has_streams(key) {
                content.used_at = now;
                return true;
            }
            let is_kept = now.saturating_sub(content.used_at) < FORGET_AFTER;
            if !is_kept {
                mesh.forget(key);
            }
            is_kept
        });
    }
}

/// The time since 1970-01-01 UTC.
pub(super) fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
