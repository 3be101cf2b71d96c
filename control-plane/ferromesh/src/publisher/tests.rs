use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_store::{catalog, Change, RedbStore, Transaction};
use ferromesh_xds::type_url;
use serde_json::{json, Value};

use super::*;
use crate::authority::Authority;

const ACCOUNT: &str = "123456789012";

struct Rig {
    store: Arc<RedbStore>,
    publisher: Publisher,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let publisher = Publisher::new(store.clone(), settings(folder.path()));
        let shutdown = CancellationToken::new();
        tokio::spawn(publisher.clone().run(shutdown.clone()));
        Self {
            store,
            publisher,
            shutdown,
            _folder: folder,
        }
    }

    fn put(&self, key: Key, spec: Value) {
        self.commit(catalog::put_record(&record(key, spec)).unwrap());
    }

    fn delete(&self, key: &Key) {
        self.commit(Change::delete(ferromesh_store::key::record(key)));
    }

    fn commit(&self, change: Change) {
        let changes = vec![change];
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        self.store.commit(transaction).unwrap();
    }

    fn gateway(&self, port: u16) {
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
        let key = Key::in_mesh("m", Kind::VirtualGateway, "g");
        self.put(key, json!({ "listeners": [listener] }));
    }

    fn subscribe(&self, id: &str) -> Result<watch::Receiver<Option<Arc<Snapshot>>>, Status> {
        let node = NodeInfo {
            id: id.to_owned(),
            ..NodeInfo::default()
        };
        self.publisher.subscribe(&node)
    }

    async fn problem(&self) -> String {
        for _ in 0..500 {
            if let Some(problem) = self.publisher.reports().into_iter().find_map(|report| report.problem) {
                return problem.reason;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no problem was found");
    }
}

fn settings(folder: &std::path::Path) -> Settings {
    let authority = Authority::open(&folder.join("certificates"), SystemTime::now()).unwrap();
    Settings {
        authority: Arc::new(authority),
        account: ACCOUNT.into(),
        lowering: ferromesh_ir::Options::default(),
        modules: ferromesh_emit::Modules::default(),
        emission: ferromesh_emit::Options::default(),
    }
}

fn record(key: Key, spec: Value) -> Record {
    let metadata = Metadata {
        arn: key.arn("us-east-1", ACCOUNT),
        created_at: 1.0,
        last_updated_at: 1.0,
        mesh_owner: ACCOUNT.into(),
        resource_owner: ACCOUNT.into(),
        uid: "u".into(),
        version: 1,
    };
    Record {
        key,
        spec,
        metadata,
        tags: Vec::new(),
    }
}

async fn next(receiver: &mut watch::Receiver<Option<Arc<Snapshot>>>) -> Arc<Snapshot> {
    let arrived = async {
        loop {
            if let Some(snapshot) = receiver.borrow_and_update().clone() {
                return snapshot;
            }
            receiver.changed().await.unwrap();
        }
    };
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, arrived)
        .await
        .expect("a snapshot within 5 s")
}

async fn changed(receiver: &mut watch::Receiver<Option<Arc<Snapshot>>>) -> Arc<Snapshot> {
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, receiver.changed())
        .await
        .expect("a change within 5 s")
        .unwrap();
    receiver
        .borrow_and_update()
        .clone()
        .expect("a snapshot stays a snapshot")
}

fn listeners(snapshot: &Snapshot) -> Vec<String> {
    let set = snapshot.resources(type_url::LISTENER);
    set.iter().map(|resource| resource.name().to_string()).collect()
}

#[tokio::test]
async fn a_proxy_gets_its_snapshot_and_then_every_change() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    rig.gateway(8080);
    let mut receiver = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    let first = next(&mut receiver).await;
    assert_eq!(listeners(&first), ["lds_ingress_0.0.0.0_8080"]);
    rig.gateway(8081);
    let second = changed(&mut receiver).await;
    assert_eq!(listeners(&second), ["lds_ingress_0.0.0.0_8081"]);
    // The ARN names the same proxy, and it is not made anew.
    let arn = format!("arn:aws:appmesh:us-east-1:{ACCOUNT}:mesh/m/virtualGateway/g");
    let mut same = rig.subscribe(&arn).unwrap();
    assert!(Arc::ptr_eq(&next(&mut same).await, &second));
}

#[tokio::test]
async fn nothing_is_published_before_the_resource_exists() {
    let rig = Rig::new();
    let mut receiver = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    assert!(rig.problem().await.contains("mesh m does not exist"));
    assert!(receiver.borrow_and_update().is_none());
    rig.put(Key::mesh("m"), json!({}));
    rig.gateway(8080);
    next(&mut receiver).await;
    assert_eq!(rig.publisher.reports()[0].problem, None);
}

#[tokio::test]
async fn the_last_good_snapshot_stays_when_the_mesh_is_gone_or_broken() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    rig.gateway(8080);
    let mut receiver = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    let good = next(&mut receiver).await;

    // A spec that no API lets through.
    rig.put(Key::in_mesh("m", Kind::VirtualGateway, "g"), json!({"listeners": 7}));
    assert!(rig.problem().await.contains("virtualGateway/g"));
    assert!(!receiver.has_changed().unwrap());

    rig.delete(&Key::in_mesh("m", Kind::VirtualGateway, "g"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!receiver.has_changed().unwrap());
    assert!(Arc::ptr_eq(&next(&mut receiver).await, &good));

    rig.gateway(9090);
    let third = changed(&mut receiver).await;
    assert_eq!(listeners(&third), ["lds_ingress_0.0.0.0_9090"]);
    assert_eq!(rig.publisher.reports()[0].problem, None);
}

#[tokio::test]
async fn what_does_not_change_a_proxy_is_not_published_to_it() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    rig.put(Key::mesh("other"), json!({}));
    rig.gateway(8080);
    let mut receiver = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    next(&mut receiver).await;
    let before = rig.publisher.reports()[0].published.clone();
    let node = |mesh: &str, name: &str| Key::in_mesh(mesh, Kind::VirtualNode, name);
    rig.put(node("other", "n"), json!({}));
    rig.put(node("m", "n"), json!({}));
    // The publisher has looked at the new state of the mesh when the revision is there.
    let revision = rig.store.revision().unwrap();
    for _ in 0..500 {
        if rig.publisher.reports()[0].revision == Some(revision) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rig.publisher.reports()[0].revision, Some(revision));
    assert!(!receiver.has_changed().unwrap());
    assert_eq!(rig.publisher.reports()[0].published, before);
}

#[tokio::test]
async fn a_restart_makes_the_same_versions() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    rig.gateway(8080);
    let mut receiver = rig.subscribe("mesh/m/virtualGateway/g").unwrap();
    let first = next(&mut receiver).await;
    let again = Publisher::new(rig.store.clone(), settings(rig._folder.path()));
    tokio::spawn(again.clone().run(rig.shutdown.clone()));
    let node = NodeInfo {
        id: "mesh/m/virtualGateway/g".into(),
        ..NodeInfo::default()
    };
    let mut receiver = again.subscribe(&node).unwrap();
    let second = next(&mut receiver).await;
    assert!(!build::differs(Some(&first), &second));
}

#[tokio::test]
async fn strangers_are_refused() {
    let rig = Rig::new();
    let code = |id: &str| rig.subscribe(id).unwrap_err().code();
    assert_eq!(code("somebody"), tonic::Code::InvalidArgument);
    assert_eq!(code("mesh/m@000000000000/virtualNode/n"), tonic::Code::PermissionDenied);
    assert!(rig.publisher.reports().is_empty());
}
