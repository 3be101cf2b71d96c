//! What is made from changes alone is what is made from everything.

mod pool;

use std::collections::BTreeMap;

use ferromesh_api::Certificates;
use ferromesh_generate::Draw;
use ferromesh_model::policy::Policy;
use ferromesh_store::key;

use super::*;
use crate::certificates::Vault;
use pool::{change, imports, registered, Pool};

const MESH: &str = "m";
const ARNS: [&str; 3] = [
    "arn:aws:acm:us-east-1:123456789012:certificate/one",
    "arn:aws:acm:eu-west-1:123456789012:certificate/two",
    "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/a",
];

struct Twins {
    store: Arc<RedbStore>,
    settings: Settings,
    vault: Vault,
    incremental: Publisher,
    receivers: Vec<watch::Receiver<Option<Arc<Snapshot>>>>,
    proxies: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Twins {
    fn new(proxies: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let mut settings = settings(folder.path());
        settings.lowering.reports_to = Some("ferromesh".into());
        let vault = Vault::new(store.clone(), settings.keyring.clone(), settings.authority.clone());
        let incremental = Publisher::new(store.clone(), settings.clone());
        let receivers = subscribe(&incremental, &proxies);
        Self {
            store,
            settings,
            vault,
            incremental,
            receivers,
            proxies,
            _folder: folder,
        }
    }

    fn commit(&self, changes: Vec<Change>) {
        let transaction = Transaction {
            changes,
            ..Transaction::default()
        };
        self.store.commit(transaction).unwrap();
    }

    /// Compares with a publisher that has seen nothing before; gives how many proxies were made anew.
    fn compare(&self, context: &str) -> usize {
        let publication = self.incremental.publish();
        assert!(!publication.is_incomplete);
        let anew = Publisher::new(self.store.clone(), self.settings.clone());
        let receivers = subscribe(&anew, &self.proxies);
        anew.publish();
        let (ours, theirs) = (self.incremental.reports(), anew.reports());
        let both = ours.iter().zip(&theirs).zip(self.receivers.iter().zip(&receivers));
        for ((ours, theirs), (our_snapshot, snapshot)) in both {
            let context = format!("{context}, {}", ours.id);
            let reason = |report: &Report| report.problem.as_ref().map(|problem| problem.reason.clone());
            let (our_snapshot, snapshot) = (our_snapshot.borrow().clone(), snapshot.borrow().clone());
            let emptied = reason(ours).is_some_and(|reason| reason.starts_with("the new configuration is empty"));
            if emptied && snapshot.as_ref().is_some_and(|snapshot| snapshot.is_empty()) {
                continue;
            }
            assert_eq!(reason(ours), reason(theirs), "{context}");
            assert_eq!(ours.revision, theirs.revision, "{context}");
            if reason(theirs).is_some() {
                continue;
            }
            assert_eq!(ours.lints, theirs.lints, "{context}");
            assert_eq!(ours.published, theirs.published, "{context}");
            assert!(
                !build::differs(our_snapshot.as_deref(), &snapshot.expect("a snapshot")),
                "{context}"
            );
            let key = Identity::parse(&ours.id).unwrap().key();
            assert_eq!(self.incremental.comparisons(&key), anew.comparisons(&key), "{context}");
        }
        publication.made.len()
    }
}

fn subscribe(publisher: &Publisher, proxies: &[String]) -> Vec<watch::Receiver<Option<Arc<Snapshot>>>> {
    let mut ordered: Vec<(ProxyKey, &String)> = proxies
        .iter()
        .map(|id| (Identity::parse(id).unwrap().key(), id))
        .collect();
    // As reports are ordered.
    ordered.sort_by(|a, b| a.0.cmp(&b.0));
    let nodes = ordered.into_iter().map(|(_, id)| NodeInfo {
        id: id.clone(),
        ..NodeInfo::default()
    });
    nodes.map(|node| super::subscribe(publisher, &node).unwrap()).collect()
}

fn seeds() -> u64 {
    match std::env::var_os("FERROMESH_FULL").is_some_and(|value| value == "1") {
        true => 300,
        false => 8,
    }
}

#[test]
fn after_any_changes_every_proxy_has_what_it_would_have_from_scratch() {
    let imports = imports();
    let (mut made, mut all) = (0, 0);
    for seed in 0..seeds() {
        let mut draw = Draw::new(seed);
        let pool = Pool::new(seed);
        let mut proxies = pool.proxies.clone();
        proxies.retain(|id| Identity::parse(id).is_ok());
        proxies.extend(["t", "caller-of-t", "u", "caller-of-u"].map(|name| format!("mesh/{MESH}/virtualNode/{name}")));
        proxies.sort();
        proxies.dedup();
        let twins = Twins::new(proxies);
        twins.compare(&format!("seed {seed}, nothing"));
        // Most of one world at once, so that what comes then changes something that works.
        let mut first: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (key, value) in pool.candidates.iter().filter(|_| draw.chance(80)) {
            first.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let mut changes: Vec<Change> = first.into_iter().map(|(key, value)| Change::put(key, value)).collect();
        changes.extend(registered("t", "colour").into_iter().chain(registered("u", "a")));
        let mut present = BTreeMap::new();
        apply(&twins, changes, &mut present);
        twins.compare(&format!("seed {seed}, first"));
        for step in 0..25 {
            match draw.between(0, 11) {
                0 => {
                    let arn = draw.text(&ARNS);
                    twins.vault.put(&arn, draw.of(&imports)).unwrap();
                }
                1 => {
                    twins.vault.delete(&draw.text(&ARNS)).unwrap();
                }
                2 => {
                    twins.vault.renew(&draw.text(&ARNS)).unwrap();
                }
                _ => {
                    let changes = (0..draw.between(1, 3)).map(|_| change(&mut draw, &pool, &present));
                    let changes = changes.collect();
                    apply(&twins, changes, &mut present);
                }
            }
            made += twins.compare(&format!("seed {seed}, step {step}"));
            all += twins.proxies.len();
        }
    }
    assert!(made > 0 && made < all * 3 / 4, "{made} of {all} were made anew");
}

fn apply(twins: &Twins, changes: Vec<Change>, present: &mut BTreeMap<String, ()>) {
    for change in &changes {
        match change {
            Change::Put { key, .. } => present.insert(key.clone(), ()),
            Change::Delete { key } => present.remove(key),
        };
    }
    twins.commit(changes);
}

fn put(key: Key, spec: Value) -> Change {
    catalog::put_record(&record(key, spec)).unwrap()
}

/// 20 nodes, each with a service of its own behind a router with routes to it, each calling the next two; and a gateway
/// that leads to the first service.
fn ring(routes_of_each: usize) -> Twins {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let mut changes = vec![put(Key::mesh(MESH), json!({}))];
    for number in 0..20 {
        let backends: Vec<Value> = [1, 2]
            .map(|step| json!({"virtualService": {"virtualServiceName": format!("s{}.local", (number + step) % 20)}}))
            .into();
        let node = json!({
            "listeners": [listener], "backends": backends,
            "serviceDiscovery": {"dns": {"hostname": format!("n{number}.local")}},
        });
        changes.push(put(Key::in_mesh(MESH, Kind::VirtualNode, format!("n{number}")), node));
        changes.push(put(
            Key::in_mesh(MESH, Kind::VirtualRouter, format!("r{number}")),
            json!({"listeners": [listener]}),
        ));
        let provider = json!({"virtualRouter": {"virtualRouterName": format!("r{number}")}});
        changes.push(put(
            Key::in_mesh(MESH, Kind::VirtualService, format!("s{number}.local")),
            json!({ "provider": provider }),
        ));
        changes.extend((0..routes_of_each).map(|index| route(number, index, &format!("/{index}"))));
    }
    changes.push(put(
        Key::in_mesh(MESH, Kind::VirtualGateway, "g"),
        json!({ "listeners": [listener] }),
    ));
    let target = json!({"virtualService": {"virtualServiceName": "s0.local"}});
    changes.push(put(
        Key::in_parent(MESH, Kind::GatewayRoute, "g", "all"),
        json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}}),
    ));
    let nodes = (0..20).map(|number| format!("mesh/{MESH}/virtualNode/n{number}"));
    let proxies = nodes.chain([format!("mesh/{MESH}/virtualGateway/g")]).collect();
    let twins = Twins::new(proxies);
    twins.commit(changes);
    twins
}

fn route(router: usize, index: usize, prefix: &str) -> Change {
    let targets = json!([{"virtualNode": format!("n{router}"), "weight": 1}]);
    put(
        Key::in_parent(MESH, Kind::Route, format!("r{router}"), format!("t{index}")),
        json!({"httpRoute": {"match": {"prefix": prefix}, "action": {"weightedTargets": targets}}}),
    )
}

#[test]
fn one_changed_route_of_ten_thousand_touches_only_those_who_call_its_service_and_one_resource_of_each() {
    let twins = ring(500);
    let names =
        |publication: Publication| -> Vec<String> { publication.made.into_iter().map(|key| key.name).collect() };
    assert_eq!(twins.incremental.publish().made.len(), 21);
    let snapshots = || -> Vec<Arc<Snapshot>> {
        let receivers = twins.receivers.iter();
        receivers.map(|receiver| receiver.borrow().clone().unwrap()).collect()
    };
    let before = snapshots();
    twins.commit(vec![route(0, 7, "/changed")]);
    let mut touched = names(twins.incremental.publish());
    touched.sort();
    assert_eq!(touched, ["g", "n18", "n19"]);
    let mut others = 0;
    for (before, after) in before.iter().zip(&snapshots()) {
        if Arc::ptr_eq(before, after) {
            others += 1;
            continue;
        }
        let resources = |snapshot: &Snapshot| -> BTreeMap<String, String> {
            let types = snapshot.type_urls();
            let resources = types.flat_map(|type_url| snapshot.resources(type_url).iter());
            resources
                .map(|resource| (resource.name().to_string(), resource.version().to_string()))
                .collect()
        };
        let (before, after) = (resources(before), resources(after));
        let changed = after
            .iter()
            .filter(|(name, version)| before.get(*name) != Some(version));
        assert_eq!(changed.count(), 1, "a route configuration and nothing else");
        assert_eq!(before.len(), after.len());
    }
    assert_eq!(others, 18);

    // A policy for one route touches the same, one for a node that node, one for the mesh all.
    let policy = |name: &str, target: Value| {
        let spec = json!({"retry": {"enabled": false}});
        let value = json!({"name": name, "mesh": MESH, "target": target, "spec": spec});
        catalog::put_policy(&serde_json::from_value::<Policy>(value).unwrap()).unwrap()
    };
    let touched_by = |change: Change| {
        twins.commit(vec![change]);
        twins.incremental.publish().made.len()
    };
    assert_eq!(
        touched_by(policy("a", json!({"route": {"router": "r0", "name": "t1"}}))),
        3
    );
    assert_eq!(touched_by(policy("b", json!({"virtualNode": "n3"}))), 1);
    assert_eq!(touched_by(policy("c", json!({"virtualGateway": "g"}))), 1);
    assert_eq!(touched_by(policy("d", json!({"mesh": {}}))), 21);
    assert_eq!(touched_by(Change::delete(key::policy(MESH, "b"))), 1);
    // A node nobody knows of, and a value of another mesh.
    let node = |mesh: &str| put(Key::in_mesh(mesh, Kind::VirtualNode, "new"), json!({}));
    assert_eq!(touched_by(node(MESH)), 0);
    assert_eq!(touched_by(node("other")), 0);
    twins.compare("in the end");
}
