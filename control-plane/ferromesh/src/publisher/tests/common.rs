//! What proxies have in common is made once and held once, and changes nothing in what each of them gets.

use ferromesh_emit::{parts::Parts, Secrets};
use ferromesh_ir::{lower::Prepared, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, ROUTE};

use super::*;

/// Compares with a proxy that has nothing in common with others. Called for every snapshot that the tests make.
pub(in crate::publisher) fn is_as_alone(
    (mesh, lowering): (&Mesh, &ferromesh_ir::Options),
    (kind, name): (ProxyKind, &str),
    (settings, modules, secrets): (&Settings, &ferromesh_emit::Modules, &Secrets),
    (proxy, parts): (&Proxy, &Parts),
) {
    let alone = Prepared::new(mesh).proxy(kind, name, lowering).unwrap().proxy;
    assert_eq!(*proxy, alone, "{name}");
    let alone = ferromesh_emit::proxy(&alone, modules, secrets, &settings.emission);
    let mut ours: Vec<_> = parts.resources.clone();
    ours.sort_by(|a, b| (a.type_url, &a.name).cmp(&(b.type_url, &b.name)));
    assert_eq!(ours.len(), alone.resources.len(), "{name}");
    for (ours, alone) in ours.into_iter().zip(&alone.resources) {
        assert_eq!((ours.type_url, &*ours.name), (alone.type_url, alone.name.as_str()));
        assert!(ours.whole() == alone.value, "{name}: {alone:?}");
    }
    let mut references: Vec<_> = parts.references.iter().collect();
    references.sort_by(|a, b| (a.type_url, &a.name, &a.from).cmp(&(b.type_url, &b.name, &b.from)));
    assert_eq!(references.len(), alone.references.len(), "{name}");
    for (ours, alone) in references.into_iter().zip(&alone.references) {
        let ours = (ours.type_url, &*ours.name, &*ours.from);
        assert_eq!(ours, (alone.type_url, alone.name.as_str(), alone.from.as_str()));
    }
}

struct Callers {
    store: Arc<RedbStore>,
    publisher: Publisher,
    receivers: Vec<watch::Receiver<Option<Arc<Snapshot>>>>,
    _folder: tempfile::TempDir,
}

impl Callers {
    /// So many nodes that call so many services, each of which has a router and a node in the registry.
    fn new(callers: usize, services: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let publisher = Publisher::new(store.clone(), settings(folder.path()));
        let mut made = Self {
            store,
            publisher,
            receivers: Vec::new(),
            _folder: folder,
        };
        let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
        let mut records = vec![record(Key::mesh("m"), json!({}))];
        for service in 0..services {
            let discovery = json!({"awsCloudMap": {"namespaceName": "apps", "serviceName": format!("b{service}")}});
            let node = json!({"listeners": [listener], "serviceDiscovery": discovery});
            let key = |kind, name: String| Key::in_mesh("m", kind, name);
            records.push(record(key(Kind::VirtualNode, format!("b{service}")), node));
            let router = json!({"listeners": [listener]});
            records.push(record(key(Kind::VirtualRouter, format!("r{service}")), router));
            records.push(routing(service, "/"));
            let provider = json!({"virtualRouter": {"virtualRouterName": format!("r{service}")}});
            let spec = json!({ "provider": provider });
            records.push(record(key(Kind::VirtualService, format!("s{service}.local")), spec));
        }
        let backend = |service| json!({"virtualService": {"virtualServiceName": format!("s{service}.local")}});
        let backends: Vec<Value> = (0..services).map(backend).collect();
        for caller in 0..callers {
            let spec = json!({"listeners": [listener], "backends": backends});
            let key = Key::in_mesh("m", Kind::VirtualNode, format!("n{caller}"));
            records.push(record(key, spec));
        }
        made.put(&records);
        made.receivers = (0..callers)
            .map(|caller| {
                let node = NodeInfo {
                    id: format!("mesh/m/virtualNode/n{caller}"),
                    ..NodeInfo::default()
                };
                subscribe(&made.publisher, &node).unwrap()
            })
            .collect();
        made.publisher.publish();
        made
    }

    fn put(&self, records: &[Record]) {
        let changes = records.iter().map(|record| catalog::put_record(record).unwrap());
        self.commit(changes.collect());
    }

    fn commit(&self, changes: Vec<Change>) {
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        self.store.commit(transaction).unwrap();
    }

    fn snapshots(&self) -> Vec<Arc<Snapshot>> {
        let newest = self.receivers.iter().map(|receiver| receiver.borrow().clone());
        newest.map(|snapshot| snapshot.expect("a snapshot")).collect()
    }

    /// Services that were lowered, and virtual hosts and clusters that were emitted, by one publication.
    fn made_by(&self, work: impl FnOnce(&Self)) -> (u64, u64) {
        let made = || self.publisher.shared.meshes.lock().unwrap()["m"].common.made();
        let before = made();
        work(self);
        let publication = self.publisher.publish();
        assert!(!publication.is_incomplete);
        (made().0 - before.0, made().1 - before.1)
    }
}

fn routing(service: usize, prefix: &str) -> Record {
    let targets = json!([{"virtualNode": format!("b{service}"), "weight": 1}]);
    let spec = json!({"httpRoute": {"match": {"prefix": prefix}, "action": {"weightedTargets": targets}}});
    record(Key::in_parent("m", Kind::Route, format!("r{service}"), "all"), spec)
}

#[test]
fn what_a_change_costs_depends_on_what_changed_and_not_on_how_many_call_it_or_what_else_they_call() {
    for (callers, services) in [(2, 2), (40, 2), (2, 40), (20, 20)] {
        let rig = Callers::new(callers, services);
        let context = format!("{callers} callers of {services} services");
        let all = rig.publisher.shared.meshes.lock().unwrap()["m"].common.made();
        assert_eq!(all, (services as u64, 2 * services as u64), "{context}");
        assert_eq!(rig.made_by(|_| {}), (0, 0), "{context}");
        assert_eq!(
            rig.made_by(|rig| rig.put(&[routing(1, "/changed")])),
            (1, 2),
            "{context}"
        );
        let unrelated = record(Key::in_mesh("m", Kind::VirtualNode, "other"), json!({}));
        assert_eq!(rig.made_by(|rig| rig.put(&[unrelated])), (0, 0), "{context}");
    }
}

#[test]
fn callers_hold_what_they_have_in_common_once_before_and_after_a_change() {
    let rig = Callers::new(5, 30);
    let is_held_once = |context: &str| {
        let snapshots = rig.snapshots();
        for type_url in [CLUSTER, ENDPOINT, ROUTE] {
            for resource in snapshots[0].resources(type_url).iter() {
                // What stands for the application beside a proxy is its own.
                if resource.name().contains("ingress") {
                    continue;
                }
                for other in &snapshots[1..] {
                    let same = other.resources(type_url).get(resource.name()).expect("the same names");
                    assert!(Arc::ptr_eq(same, resource), "{context}: {resource:?}");
                }
            }
        }
        snapshots
    };
    let first = is_held_once("first");
    assert_eq!(first[0].resources(ENDPOINT).len(), 30);
    rig.put(&[routing(7, "/changed")]);
    rig.publisher.publish();
    let second = is_held_once("after a change of a route");
    let version = |snapshot: &Snapshot, type_url| snapshot.resources(type_url).version();
    assert_ne!(version(&first[0], ROUTE), version(&second[0], ROUTE));
    assert_eq!(version(&first[0], CLUSTER), version(&second[0], CLUSTER));
}

#[test]
fn a_task_that_moves_leaves_the_endpoints_of_other_services_where_they_are() {
    let rig = Callers::new(3, 30);
    let before = rig.snapshots();
    let service = Service {
        namespace: "apps".into(),
        namespace_id: "ns-1".into(),
        name: "b4".into(),
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
    let moved = Instance {
        service: "b4".into(),
        ..task("1", "10.0.0.1")
    };
    let made = rig.made_by(|rig| {
        rig.commit(vec![
            catalog::put(ferromesh_store::key::service("apps", "b4"), &service).unwrap(),
            catalog::put(ferromesh_store::key::instance("apps", "b4", "1"), &moved).unwrap(),
        ]);
    });
    assert_eq!(made, (0, 0));
    let after = rig.snapshots();
    let own = |snapshot: &Snapshot, name: &str| Arc::clone(snapshot.resources(ENDPOINT).get(name).unwrap());
    let mut others = 0;
    for resource in before[0].resources(ENDPOINT).iter() {
        let now = own(&after[0], resource.name());
        let is_other = Arc::ptr_eq(&now, resource);
        assert_eq!(is_other, !resource.name().contains("_b4_"), "{resource:?}");
        others += usize::from(is_other);
        assert!(Arc::ptr_eq(&now, &own(&after[2], resource.name())), "{resource:?}");
    }
    assert_eq!(others, 29);
}
