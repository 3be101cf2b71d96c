//! A guard around sources of which every proxy has one, with a clock and authorities that tests set.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicI64, Ordering},
        Mutex,
    },
};

use ferromesh_store::RedbStore;
use ferromesh_xds::{NodeInfo, Snapshot};
use tokio::sync::oneshot;

use super::*;

pub const ACCOUNT: &str = "111111111111";
pub const NODE: &str = "mesh/m/virtualNode/n";
pub const NODE_ID: &str = "spiffe://ferromesh.local/mesh/m/virtualNode/n";
const START: i64 = 1_700_000_000;

/// A certificate of these authorities, good for an hour from the start.
pub fn certificate(uri: &str, by: Authority) -> Arc<Certificate> {
    let chain = match by {
        Authority::BuiltIn => b"built-in".to_vec(),
        Authority::Named => b"named".to_vec(),
    };
    Arc::new(Certificate {
        uris: vec![uri.to_owned()],
        serial: "0a".to_owned(),
        not_after_seconds: START + 3600,
        not_before_seconds: START - 60,
        is_for_servers: false,
        chain: vec![chain],
    })
}

/// Believes by the first bytes of a chain.
pub struct Believed(pub &'static [Authority]);

impl Vouch for Believed {
    fn vouch(&self, certificate: &Certificate, _: i64) -> Option<Authority> {
        let by = match certificate.chain.first()?.as_slice() {
            b"built-in" => Authority::BuiltIn,
            b"named" => Authority::Named,
            _ => return None,
        };
        self.0.contains(&by).then_some(by)
    }
}

pub struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

/// Whoever comes this far gets something.
#[derive(Default)]
pub struct Source {
    pub snapshots: Mutex<BTreeMap<ProxyKey, watch::Sender<Option<Arc<Snapshot>>>>>,
    /// Ends for streams to come.
    pub end: Mutex<Option<oneshot::Receiver<Status>>>,
}

impl SnapshotSource for Source {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let key = Identity::parse(&applicant.node.id).unwrap().key_at(ACCOUNT);
        let mut all = self.snapshots.lock().unwrap();
        let sender = all.entry(key).or_insert_with(|| watch::Sender::new(None));
        let mut subscription = Subscription::from(sender.subscribe());
        subscription.end = self.end.lock().unwrap().take();
        Ok(subscription)
    }
}

pub struct Bench {
    pub guard: Guard,
    pub source: Arc<Source>,
    pub store: Arc<dyn Store>,
    pub believed: watch::Sender<Arc<dyn Vouch>>,
    clock: Arc<Hands>,
    streams: std::sync::atomic::AtomicU64,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(requirement: Requirement) -> Self {
        Self::with(requirement, MostEnvoys::default(), Vec::new())
    }

    pub fn with(requirement: Requirement, most: MostEnvoys, templates: Vec<naming::Template>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let source = Arc::new(Source::default());
        let believed: Arc<dyn Vouch> = Arc::new(Believed(&[Authority::BuiltIn, Authority::Named]));
        let believed = watch::Sender::new(believed);
        let clock = Arc::new(Hands(AtomicI64::new(START)));
        let settings = Settings {
            requirement,
            naming: Naming::new(ACCOUNT, "ferromesh.local", templates).unwrap(),
            most,
            vouch: believed.subscribe(),
            clock: Arc::clone(&clock) as Arc<_>,
            counts: Arc::default(),
        };
        let guard = Guard::new(Arc::clone(&source) as Arc<_>, Arc::clone(&store), settings).unwrap();
        Self {
            guard,
            source,
            store,
            believed,
            clock,
            streams: Default::default(),
            _folder: folder,
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.0.load(Ordering::Relaxed)
    }

    pub fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn ask(&self, node: &str, shown: &Arc<Certificate>) -> Result<Subscription, Status> {
        self.ask_as(node, Some(&Peer::Certificate(Arc::clone(shown))))
    }

    pub fn ask_as(&self, node: &str, peer: Option<&Peer>) -> Result<Subscription, Status> {
        let node = NodeInfo {
            id: node.to_owned(),
            ..NodeInfo::default()
        };
        self.ask_with(&node, peer)
    }

    pub fn ask_with(&self, node: &NodeInfo, peer: Option<&Peer>) -> Result<Subscription, Status> {
        self.guard.subscribe(&Applicant {
            comes_empty: false,
            node,
            peer,
            stream: self.streams.fetch_add(1, Ordering::Relaxed),
        })
    }

    pub fn revoke(&self, serial: Option<&str>, proxy: Option<&str>) {
        let revocation = Revocation {
            serial: serial.map(str::to_owned),
            proxy: proxy.map(str::to_owned),
            created_at: self.clock.now(),
        };
        let id = serial.or(proxy).unwrap();
        self.change(catalog::put(key::revocation(id), &revocation).unwrap());
    }

    pub fn restore(&self, id: &str) {
        self.change(Change::delete(key::revocation(id)));
    }

    fn change(&self, change: Change) {
        let transaction = Transaction {
            compares: Vec::new(),
            changes: vec![change],
        };
        self.store.commit(transaction).unwrap();
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        self.guard.write(&mut text);
        text
    }
}
