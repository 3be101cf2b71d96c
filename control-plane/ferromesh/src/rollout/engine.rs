//! Puts the decisions to work: takes what is published, gives each stream what it is to hold, and keeps the records.

mod content;
mod deliver;
mod judge;
mod records;
mod remembered;
mod start;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
    accepted,
    events::Events,
    evidence::Reports,
    older::Older,
    record::{self, Record},
    validate::Validator,
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

pub(super) struct Shared {
    pub inner: Arc<dyn Published>,
    pub store: Arc<dyn Store>,
    pub settings: Settings,
    pub events: Arc<Events>,
    pub validator: Option<Validator>,
    pub older: Older,
    /// A random name of this life of the control plane.
    pub me: String,
    pub wake: Notify,
    state: Mutex<State>,
    verdicts: broadcast::Sender<Verdict>,
    writes: mpsc::UnboundedSender<records::Write>,
    to_write: Mutex<Option<mpsc::UnboundedReceiver<records::Write>>>,
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
    /// Streams of who has said that it has nothing yet.
    pub empty: BTreeSet<u64>,
    pub unwritten: remembered::Unwritten,
    pub unsettled: records::Unsettled,
    /// Whether a candidate is being claimed.
    pub is_starting: bool,
    /// The candidate that was judged last, and may be begun.
    pub judged: Option<String>,
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
            validator: settings.validation.clone().map(Validator::new),
            older: Older::over(store.as_ref(), settings.served.clone()),
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
        // What was published before is looked at too.
        publications.mark_changed();
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
            self.note_revision(*revisions.borrow());
        }
        self.write_all_accepted().await;
        self.older.advance(self.now(), *revisions.borrow());
        self.older.keep();
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
            // What was reported is weighed before time passes: the report that a stage waits for may be the one that tells.
            if let Some(reason) = reports.harm(now, &running.mesh.tried()) {
                let effects = running.mesh.reject(reason);
                self.apply(name, running, effects);
            }
            let effects = running.mesh.tick(now, &reports.seen(now));
            self.apply(name, running, effects);
            running.sweep(now);
            self.write_accepted(name, running, now);
            self.propose(name, running, &worth);
            is_busy |= running.mesh.trial().is_some() || running.mesh.proposal().is_some();
            running.forget(now);
        }
        meshes.retain(|_, running| !running.contents.is_empty());
        is_busy
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
            match record::read_at(self.store.as_ref(), mesh) {
                Ok((record, modified)) => running.note_record(record, modified, &self.me),
                Err(error) => tracing::warn!(%error, mesh, "what is remembered of rollouts cannot be read"),
            }
            match accepted::read(self.store.as_ref(), mesh, None) {
                Ok(read) => running.note_accepted(read.unwrap_or_default()),
                Err(error) => tracing::warn!(%error, mesh, "what proxies have accepted cannot be read"),
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
            empty: BTreeSet::new(),
            unwritten: remembered::Unwritten::default(),
            unsettled: records::Unsettled::default(),
            is_starting: false,
            judged: None,
            wait_until: Duration::ZERO,
        }
    }

    /// Lets go of streams of which nobody told that they have ended: of who was refused after it had subscribed here.
    fn sweep(&mut self, now: Duration) {
        let (mesh, empty) = (&mut self.mesh, &mut self.empty);
        self.senders.retain(|stream, sender| {
            let is_open = sender.receiver_count() > 0;
            if !is_open {
                empty.remove(stream);
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

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
