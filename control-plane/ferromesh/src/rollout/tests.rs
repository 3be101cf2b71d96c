//! The whole of it over a source of our own.

mod older;
mod remembered;
mod reports;
mod validated;

use std::sync::Mutex;

use ferromesh_store::RedbStore;
use ferromesh_xds::{
    stream::Rejection, type_url, Applicant, DeliveryObserver, Event, EventKind, NodeInfo, Snapshot, Subscription,
    Update,
};
use tonic::Status;

use super::*;
use crate::identity::Identity;

const STREAMS: u64 = 20;

/// One proxy for each stream, with what we publish.
#[derive(Default)]
struct Source {
    published: Mutex<BTreeMap<ProxyKey, watch::Sender<Option<Arc<Snapshot>>>>>,
    count: watch::Sender<u64>,
}

impl Source {
    /// The same for all proxies: one cluster with these endpoints.
    fn publish(&self, cluster: &'static str, endpoints: &'static str) {
        let resources = [
            (type_url::CLUSTER, "c", cluster.into()),
            (type_url::ENDPOINT, "c", endpoints.into()),
        ];
        let snapshot = Arc::new(Snapshot::seal(resources, []).unwrap());
        for sender in self.published.lock().unwrap().values() {
            sender.send_replace(Some(Arc::clone(&snapshot)));
        }
        self.count.send_modify(|count| *count += 1);
    }
}

impl SnapshotSource for Source {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let key = self.proxy(&applicant.node.id).unwrap();
        let mut published = self.published.lock().unwrap();
        let sender = published.entry(key).or_insert_with(|| watch::Sender::new(None));
        Ok(sender.subscribe().into())
    }
}

impl Published for Source {
    fn publications(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    fn proxy(&self, node_id: &str) -> Option<ProxyKey> {
        Some(Identity::parse(node_id).ok()?.key())
    }

    fn modules(&self, _: &ProxyKey) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// Streams over a source, and the versions of what they hold.
struct Bed {
    source: Arc<Source>,
    store: Arc<dyn Store>,
    events: Arc<events::Events>,
    rollout: Rollout,
    streams: Vec<watch::Receiver<Option<Arc<Snapshot>>>>,
    stop: CancellationToken,
    running: Option<tokio::task::JoinHandle<()>>,
    folder: Arc<tempfile::TempDir>,
}

fn id(stream: u64) -> String {
    format!("mesh/m/virtualNode/n{stream}")
}

impl Bed {
    async fn start() -> Self {
        Self::start_with("old", STREAMS, Settings::default()).await
    }

    /// The streams have `content` as their cluster.
    async fn start_with(content: &'static str, streams: u64, settings: Settings) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(folder.path().join("store.redb")).unwrap());
        let mut bed = Self::over(store, folder, settings);
        for stream in 1..=streams {
            bed.join(stream, false);
        }
        bed.source.publish(content, "1");
        bed.until(|bed| bed.holding(type_url::CLUSTER, content) == bed.streams.len())
            .await;
        bed
    }

    /// One life of a control plane, without streams.
    fn over(store: Arc<dyn Store>, folder: Arc<tempfile::TempDir>, settings: Settings) -> Self {
        let source = Arc::new(Source::default());
        let events = Arc::new(events::Events::new("123456789012"));
        let rollout = Rollout::new(
            Arc::clone(&source) as Arc<_>,
            Arc::clone(&store),
            settings,
            Arc::clone(&events),
        );
        let stop = CancellationToken::new();
        let running = tokio::spawn(rollout.clone().run(stop.clone()));
        Self {
            source,
            store,
            events,
            rollout,
            streams: Vec::new(),
            stop,
            running: Some(running),
            folder,
        }
    }

    /// A proxy with a stream of this number; `comes_empty`: it holds nothing.
    fn join(&mut self, stream: u64, comes_empty: bool) {
        let node = NodeInfo {
            id: id(stream),
            ..NodeInfo::default()
        };
        let applicant = Applicant {
            node: &node,
            peer: None,
            stream,
            comes_empty,
        };
        self.streams.push(self.rollout.subscribe(&applicant).unwrap().snapshots);
    }

    /// Ends this life as a signal does; gives what outlives it.
    async fn end(mut self) -> (Arc<dyn Store>, Arc<tempfile::TempDir>) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
        (Arc::clone(&self.store), Arc::clone(&self.folder))
    }

    /// How many streams hold this content of the one resource of a type.
    fn holding(&self, type_url: &str, content: &'static str) -> usize {
        let wanted = Snapshot::seal([(type_url, "c", content.into())], []).unwrap();
        let wanted = wanted.resources(type_url).version();
        let held = self.streams.iter().filter_map(|stream| stream.borrow().clone());
        held.filter(|snapshot| snapshot.resources(type_url).version() == wanted)
            .count()
    }

    async fn until(&self, is: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if is(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to pass in 30 s");
    }

    fn tell(&self, stream: u64, kind: EventKind<'_>) {
        self.rollout.on(&Event {
            proxy: &id(stream),
            stream,
            at: std::time::SystemTime::now(),
            kind,
        });
    }

    fn tried(&self) -> u64 {
        let state = self.rollout.shared.lock();
        let mesh = &state.meshes["m"].mesh;
        let mut streams = 1..=STREAMS;
        streams
            .find(|stream| mesh.holds(*stream) == Some(wave::Holds::Candidate))
            .unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn endpoints_reach_everybody_whatever_is_on_trial() {
    let bed = Bed::start().await;
    bed.source.publish("new", "1");
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 1).await;
    assert_eq!(bed.holding(type_url::CLUSTER, "old"), 19);
    bed.source.publish("new", "2");
    bed.until(|bed| bed.holding(type_url::ENDPOINT, "2") == 20).await;
    let clusters = ["new", "old"].map(|content| bed.holding(type_url::CLUSTER, content));
    assert_eq!(clusters, [1, 19], "the trial goes on");
}

#[tokio::test]
async fn what_one_rejects_is_remembered_in_the_store() {
    let bed = Bed::start().await;
    let mut verdicts = bed.rollout.verdicts();
    bed.source.publish("new", "1");
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 1).await;
    let stream = bed.tried();
    let update = Update {
        type_url: type_url::CLUSTER,
        version: "v",
        resources: &[],
        removed: &[],
    };
    bed.tell(stream, EventKind::Sent(update));
    let rejection = Rejection {
        code: 3,
        message: "no such thing".into(),
    };
    let nacked = EventKind::Nacked {
        update,
        after: Duration::ZERO,
        rejection: &rejection,
    };
    bed.tell(stream, nacked);
    assert_eq!(
        bed.holding(type_url::CLUSTER, "old"),
        20,
        "it has the old one before anything else happens"
    );
    let verdict = verdicts.recv().await.unwrap();
    assert_eq!((verdict.outcome, verdict.reached), (Outcome::RolledBack, 1));
    assert_eq!(verdict.types, ["Cluster"]);
    assert_eq!(verdict.proxies.len(), 20);
    bed.until(|bed| {
        let record = record::read(bed.store.as_ref(), "m").unwrap();
        record.trial.is_none() && record.rejected.iter().any(|rejected| rejected.id == verdict.id)
    })
    .await;
    bed.source.publish("new", "3");
    bed.until(|bed| bed.holding(type_url::ENDPOINT, "3") == 20).await;
    assert_eq!(bed.holding(type_url::CLUSTER, "new"), 0, "it is not tried again");
}

/// The writer has not come to it yet, and somebody has read the record for another reason.
#[tokio::test]
async fn a_record_that_was_read_before_does_not_undo_a_rejection() {
    let bed = Bed::start().await;
    bed.source.publish("new", "1");
    bed.until(|bed| bed.holding(type_url::CLUSTER, "new") == 1).await;
    let before = record::read_at(bed.store.as_ref(), "m").unwrap();
    let shared = &bed.rollout.shared;
    {
        let mut state = shared.lock();
        let running = state.meshes.get_mut("m").unwrap();
        let effects = running.mesh.reject("it does harm".to_owned());
        shared.apply("m", running, effects);
    }
    let is_rejected = || {
        let state = shared.lock();
        let running = &state.meshes["m"];
        running.record.trial.is_none() && running.record.rejected.len() == 1 && running.mesh.rejected.len() == 20
    };
    shared.note_record("m", before.0.clone(), before.1);
    assert!(is_rejected(), "it is not written yet");
    bed.until(|bed| bed.rollout.shared.lock().meshes["m"].unsettled.is_empty())
        .await;
    assert_eq!(record::read(bed.store.as_ref(), "m").unwrap().rejected.len(), 1);
    // Whoever has read it before may say so after that.
    shared.note_record("m", before.0, before.1);
    assert!(is_rejected(), "it is written");
    assert!(shared.lock().meshes["m"].mesh.proposal().is_none());
}
