mod accounts;
pub(super) mod common;
mod incremental;
mod modules;

use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::registry::{Health, Instance, Service};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_store::{catalog, Change, RedbStore, Transaction};
use ferromesh_xds::{type_url, NodeInfo};
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

fn subscribe(publisher: &Publisher, node: &NodeInfo) -> Result<watch::Receiver<Option<Arc<Snapshot>>>, Status> {
    let subscription = publisher.subscribe(&Applicant::local(node))?;
    Ok(subscription.snapshots)
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
        subscribe(&self.publisher, &node)
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
    let keyring = crate::certificates::keyring::Keyring::open_file(&folder.join("secret.key"), true).unwrap();
    Settings {
        authority: Arc::new(authority),
        keyring: Arc::new(keyring),
        pool: Arc::default(),
        account: ACCOUNT.into(),
        lowering: ferromesh_ir::Options::default(),
        modules: ferromesh_emit::Modules::default(),
        catalogue: None,
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

fn task(id: &str, address: &str) -> Instance {
    Instance {
        namespace: "apps".into(),
        service: "colour".into(),
        id: id.into(),
        attributes: [("AWS_INSTANCE_IPV4".to_owned(), address.to_owned())].into(),
        health: Health::Healthy,
        registered_at: 1.0,
        creator_request_id: None,
        operation: None,
    }
}

#[tokio::test]
async fn a_task_that_comes_or_goes_changes_the_endpoints_and_nothing_else() {
    let rig = Rig::new();
    rig.put(Key::mesh("m"), json!({}));
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let discovery = json!({"awsCloudMap": {"namespaceName": "apps", "serviceName": "colour"}});
    rig.put(
        Key::in_mesh("m", Kind::VirtualNode, "t"),
        json!({ "listeners": [listener], "serviceDiscovery": discovery }),
    );
    rig.put(
        Key::in_mesh("m", Kind::VirtualService, "t.local"),
        json!({"provider": {"virtualNode": {"virtualNodeName": "t"}}}),
    );
    rig.put(
        Key::in_mesh("m", Kind::VirtualNode, "n"),
        json!({"backends": [{"virtualService": {"virtualServiceName": "t.local"}}]}),
    );
    let mut receiver = rig.subscribe("mesh/m/virtualNode/n").unwrap();
    let unregistered = next(&mut receiver).await;
    let endpoints = |snapshot: &Snapshot| snapshot.resources(type_url::ENDPOINT).version();
    let lints = || rig.publisher.reports()[0].lints.len();
    assert_eq!((unregistered.resources(type_url::ENDPOINT).len(), lints()), (1, 1));

    let service = Service {
        namespace: "apps".into(),
        namespace_id: "ns-1".into(),
        name: "colour".into(),
        id: "srv-1".into(),
        description: None,
        dns: None,
        custom_health: true,
        attributes: BTreeMap::new(),
        instances_revision: 1,
        created_at: 1.0,
        creator_request_id: None,
        tags: Vec::new(),
    };
    let key = ferromesh_store::key::service("apps", "colour");
    rig.commit(catalog::put(key, &service).unwrap());
    let instance = ferromesh_store::key::instance("apps", "colour", "1");
    rig.commit(catalog::put(instance.clone(), &task("1", "10.0.0.1")).unwrap());
    let registered = changed(&mut receiver).await;
    assert_ne!(endpoints(&registered), endpoints(&unregistered));
    for type_url in [type_url::CLUSTER, type_url::LISTENER, type_url::ROUTE] {
        let version = |snapshot: &Snapshot| snapshot.resources(type_url).version();
        assert_eq!(version(&registered), version(&unregistered), "{type_url}");
    }
    assert_eq!(lints(), 0);
    // What is made anew from the whole mesh is the same as what was made from the endpoints alone.
    let again = Publisher::new(rig.store.clone(), settings(rig._folder.path()));
    tokio::spawn(again.clone().run(rig.shutdown.clone()));
    let node = NodeInfo {
        id: "mesh/m/virtualNode/n".into(),
        ..NodeInfo::default()
    };
    let whole = next(&mut subscribe(&again, &node).unwrap()).await;
    assert!(!build::differs(Some(&registered), &whole));

    // A task of another service is nobody's business here.
    let other = ferromesh_store::key::instance("apps", "colours", "1");
    rig.commit(catalog::put(other, &task("1", "10.0.0.9")).unwrap());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!receiver.has_changed().unwrap());

    rig.commit(Change::delete(instance));
    let gone = changed(&mut receiver).await;
    assert_eq!(endpoints(&gone), endpoints(&unregistered));
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
    let mut receiver = subscribe(&again, &node).unwrap();
    let second = next(&mut receiver).await;
    assert!(!build::differs(Some(&first), &second));
}

#[test]
fn a_secret_of_a_server_that_a_proxy_does_not_have_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
    let tls = json!({"mode": "STRICT", "certificate": {"sds": {"secretName": "own"}}});
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}, "tls": tls});
    let changes = [
        record(Key::mesh("m"), json!({})),
        record(
            Key::in_mesh("m", Kind::VirtualNode, "n"),
            json!({"listeners": [listener]}),
        ),
    ];
    store
        .commit(Transaction {
            changes: changes
                .iter()
                .map(|record| catalog::put_record(record).unwrap())
                .collect(),
            ..Transaction::default()
        })
        .unwrap();
    let publisher = Publisher::new(store, settings(folder.path()));
    let lints = |metadata: Value| {
        let node = NodeInfo {
            id: "mesh/m/virtualNode/n".into(),
            metadata: metadata.as_object().unwrap().clone(),
            ..NodeInfo::default()
        };
        let _receiver = subscribe(&publisher, &node).unwrap();
        publisher.publish();
        let lints = publisher.reports().remove(0).lints;
        lints
            .into_iter()
            .map(|lint| (lint.code, lint.resource))
            .collect::<Vec<_>>()
    };
    let told = [("FM140", "virtualNode/n".to_owned())];
    assert_eq!(lints(json!({"ferromesh": {"hasSecretServer": false}})), told);
    assert_eq!(lints(json!({"ferromesh": {"hasSecretServer": true}})), []);
    // An Envoy that says nothing of it may have one.
    assert_eq!(lints(json!({})), []);
}

#[tokio::test]
async fn strangers_are_refused() {
    let rig = Rig::new();
    let code = |id: &str| rig.subscribe(id).unwrap_err().code();
    assert_eq!(code("somebody"), tonic::Code::InvalidArgument);
    assert_eq!(code("mesh/m@000000000000/virtualNode/n"), tonic::Code::PermissionDenied);
    assert!(rig.publisher.reports().is_empty());
}
