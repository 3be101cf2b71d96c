//! Proxies of consumers, while a mesh is shared with them and after.

use std::time::Duration;

use ferromesh_model::record::{Metadata, Record, Share};
use ferromesh_store::{Change, RedbStore, Transaction};
use ferromesh_xds::{NodeInfo, Snapshot};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;
use tonic::Code;

use super::*;

const OWN: &str = "123456789012";
const CONSUMER: &str = "222222222222";
const OTHER: &str = "333333333333";

/// Gives nothing to everybody, and can end every stream itself.
#[derive(Default)]
struct Everybody {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    ends: Mutex<Vec<oneshot::Sender<Status>>>,
}

impl SnapshotSource for Everybody {
    fn subscribe(&self, _: &Applicant<'_>) -> Result<Subscription, Status> {
        let (end, ended) = oneshot::channel();
        self.ends.lock().unwrap().push(end);
        Ok(Subscription {
            snapshots: self.snapshots.subscribe(),
            end: Some(ended),
        })
    }
}

struct Bench {
    _folder: TempDir,
    store: Arc<dyn Store>,
    everybody: Arc<Everybody>,
    sharing: Sharing,
    shutdown: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Bench {
    /// Mesh `m` of the server's own account and mesh `m` of another one. In each, node `own` is the mesh owner's and node
    /// `theirs` the consumer's.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let everybody = Arc::new(Everybody::default());
        let sharing = Sharing::new(Arc::clone(&everybody) as Arc<_>, Arc::clone(&store), OWN);
        let shutdown = CancellationToken::new();
        tokio::spawn(sharing.clone().run(shutdown.clone()));
        let bench = Self {
            _folder: folder,
            store,
            everybody,
            sharing,
            shutdown,
        };
        for owner in [OWN, OTHER] {
            for (name, made_by) in [("own", owner), ("theirs", CONSUMER)] {
                let key = Key::in_mesh("m", Kind::VirtualNode, name);
                let record = Record {
                    metadata: Metadata {
                        arn: key.arn("us-east-1", made_by),
                        created_at: 0.0,
                        last_updated_at: 0.0,
                        mesh_owner: owner.into(),
                        resource_owner: made_by.into(),
                        uid: String::new(),
                        version: 1,
                    },
                    key,
                    spec: json!({}),
                    tags: Vec::new(),
                };
                bench.commit(owner, catalog::put_record(&record).unwrap());
            }
        }
        bench
    }

    fn commit(&self, account: &str, change: Change) {
        let theirs = AccountStore::new(self.store.as_ref(), account);
        let store: &dyn Store = if account == OWN { self.store.as_ref() } else { &theirs };
        let changes = vec![change];
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        store.commit(transaction).unwrap();
    }

    fn share(&self, owner: &str) {
        let share = Share {
            mesh: "m".into(),
            mesh_owner: owner.into(),
            account: CONSUMER.into(),
            shared_at: 0.0,
        };
        self.commit(OWN, catalog::put(key::share(CONSUMER, owner, "m"), &share).unwrap());
    }

    fn unshare(&self, owner: &str) {
        self.commit(OWN, Change::delete(key::share(CONSUMER, owner, "m")));
    }

    fn subscribe(&self, id: &str) -> Result<Subscription, Status> {
        let node = NodeInfo {
            id: id.into(),
            ..NodeInfo::default()
        };
        self.sharing.subscribe(&Applicant::local(&node))
    }

    fn is_refused(&self, id: &str) -> bool {
        match self.subscribe(id) {
            Ok(_) => false,
            Err(status) => {
                assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
                assert!(status.message().contains(CONSUMER), "{status:?}");
                true
            }
        }
    }
}

async fn end(subscription: Subscription) -> Status {
    let end = subscription.end.expect("something that ends the stream");
    let ended = tokio::time::timeout(Duration::from_secs(30), end).await;
    ended.expect("an end").expect("a status")
}

#[tokio::test]
async fn a_consumers_proxy_is_served_while_the_mesh_is_shared_however_it_is_named() {
    let bench = Bench::new();
    let names = [
        "mesh/m/virtualNode/theirs".to_owned(),
        format!("mesh/m@{OWN}/virtualNode/theirs"),
        format!("arn:aws:appmesh:us-east-1:{CONSUMER}:mesh/m@{OWN}/virtualNode/theirs"),
    ];
    assert!(names.iter().all(|name| bench.is_refused(name)));
    bench.share(OWN);
    assert!(names.iter().all(|name| !bench.is_refused(name)));
    let other = format!("mesh/m@{OTHER}/virtualNode/theirs");
    assert!(bench.is_refused(&other), "that mesh of the same name is not shared");
    bench.share(OTHER);
    assert!(!bench.is_refused(&other));
    bench.unshare(OWN);
    assert!(names.iter().all(|name| bench.is_refused(name)));
    assert!(!bench.is_refused(&other));
}

#[tokio::test]
async fn when_sharing_ends_the_streams_of_the_former_consumer_end_and_no_others() {
    let bench = Bench::new();
    bench.share(OWN);
    bench.share(OTHER);
    let subscribe = |id: &str| bench.subscribe(id).unwrap();
    let (first, second) = (
        subscribe("mesh/m/virtualNode/theirs"),
        subscribe("mesh/m/virtualNode/theirs"),
    );
    let others = [
        subscribe("mesh/m/virtualNode/own"),
        subscribe("mesh/m/virtualGateway/g"),
        subscribe("mesh/m/virtualNode/unknown"),
        subscribe(&format!("mesh/m@{OTHER}/virtualNode/theirs")),
    ];
    bench.unshare(OWN);
    for subscription in [first, second] {
        let status = end(subscription).await;
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    for subscription in others {
        let mut left = subscription.end.expect("something that ends the stream");
        assert!(left.try_recv().is_err());
    }
}

#[tokio::test]
async fn the_mesh_owners_proxies_need_no_sharing() {
    let bench = Bench::new();
    for id in [
        "mesh/m/virtualNode/own",
        "mesh/m/virtualGateway/g",
        "mesh/m/virtualNode/not-yet",
    ] {
        assert!(!bench.is_refused(id), "{id}");
    }
    assert!(!bench.is_refused(&format!("mesh/m@{OTHER}/virtualNode/own")));
}

#[tokio::test]
async fn what_the_source_behind_it_ends_is_ended() {
    let bench = Bench::new();
    let subscription = bench.subscribe("mesh/m/virtualNode/own").unwrap();
    let end_of_theirs = bench.everybody.ends.lock().unwrap().pop().unwrap();
    end_of_theirs.send(Status::unauthenticated("expired")).unwrap();
    assert_eq!(end(subscription).await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn streams_that_have_ended_are_forgotten() {
    let bench = Bench::new();
    for _ in 0..10 * FEW {
        drop(bench.subscribe("mesh/m/virtualNode/own"));
        // The ends of dropped streams are noticed by a task.
        tokio::task::yield_now().await;
    }
    let open = bench.sharing.shared.lock().open.len();
    assert!(open <= 4 * FEW, "{open}");
}
