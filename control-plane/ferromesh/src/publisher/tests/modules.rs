//! A mesh chooses other modules: its proxies get them, and nobody else gets anything.

use ferromesh_api::{Author, ModuleSets, NewModule, NewModuleSet};

use super::*;
use crate::{
    modules::{Catalogue, TrustedKeys, BUILT_IN},
    serve::modules::Found,
};

const TINY: &[u8] = include_bytes!("../../modules/tests/tiny.wasm");
const EXTENSION_CONFIG: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

struct Meshes {
    store: Arc<RedbStore>,
    catalogue: Arc<Catalogue>,
    settings: Settings,
    publisher: Publisher,
    receivers: Vec<watch::Receiver<Option<Arc<Snapshot>>>>,
    _folder: tempfile::TempDir,
}

const PROXIES: [&str; 3] = [
    "mesh/m/virtualGateway/g",
    "mesh/m/virtualGateway/h",
    "mesh/other/virtualGateway/g",
];

impl Meshes {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        let catalogue = Catalogue::new(store.clone(), &Found::default(), TrustedKeys::default());
        let catalogue = Arc::new(catalogue);
        let mut settings = settings(folder.path());
        settings.catalogue = Some(catalogue.clone());
        let publisher = Publisher::new(store.clone(), settings.clone());
        let meshes = Self {
            store,
            catalogue,
            settings,
            receivers: PROXIES.map(|id| subscribe_to(&publisher, id)).into(),
            publisher,
            _folder: folder,
        };
        for (mesh, gateways) in [("m", &["g", "h"][..]), ("other", &["g"])] {
            meshes.put(Key::mesh(mesh), json!({}));
            for gateway in gateways {
                let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
                let key = Key::in_mesh(mesh, Kind::VirtualGateway, *gateway);
                meshes.put(key, json!({ "listeners": [listener] }));
            }
            let provider = json!({"virtualNode": {"virtualNodeName": "n"}});
            let listener = json!({"portMapping": {"port": 80, "protocol": "http"}});
            let discovery = json!({"dns": {"hostname": "n"}});
            let node = json!({"listeners": [listener], "serviceDiscovery": discovery});
            meshes.put(Key::in_mesh(mesh, Kind::VirtualNode, "n"), node);
            meshes.put(
                Key::in_mesh(mesh, Kind::VirtualService, "s"),
                json!({ "provider": provider }),
            );
            for gateway in gateways {
                let target = json!({"virtualService": {"virtualServiceName": "s"}});
                let route = json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}});
                meshes.put(Key::in_parent(mesh, Kind::GatewayRoute, *gateway, "all"), route);
            }
        }
        meshes
    }

    fn put(&self, key: Key, spec: Value) {
        self.commit(catalog::put_record(&record(key, spec)).unwrap());
    }

    fn commit(&self, change: Change) {
        let transaction = Transaction {
            changes: vec![change],
            ..Transaction::default()
        };
        self.store.commit(transaction).unwrap();
    }

    fn add(&self, version: &str) {
        let mut bytes = TINY.to_vec();
        bytes.extend([0, 3, 1, b'n', version.as_bytes()[0]]);
        let module = NewModule {
            name: "mesh".to_owned(),
            bytes: bytes.into(),
            sha256: None,
            signature: None,
        };
        let set = NewModuleSet {
            version: version.to_owned(),
            modules: vec![module],
        };
        self.catalogue.add(self.store.as_ref(), &author(), &set).unwrap();
    }

    fn choose(&self, mesh: &str, version: &str) {
        let store = self.store.as_ref();
        let chosen = self.catalogue.choose(store, &author(), mesh, version, None);
        chosen.unwrap().unwrap();
    }

    /// Publishes, compares with a publisher that has seen nothing before, and gives who was made anew.
    fn publish(&self) -> Vec<String> {
        let publication = self.publisher.publish();
        assert!(!publication.is_incomplete);
        let anew = Publisher::new(self.store.clone(), self.settings.clone());
        for (id, ours) in PROXIES.iter().zip(&self.receivers) {
            let theirs = subscribe_to(&anew, id);
            anew.publish();
            let theirs = theirs.borrow().clone();
            if let Some(theirs) = theirs.as_deref() {
                assert!(!build::differs(ours.borrow().as_deref(), theirs), "{id}");
            }
        }
        publication.made.iter().map(ToString::to_string).collect()
    }

    /// Whether the filters of each proxy are made of the module of a set.
    fn have(&self, version: &str) -> Vec<bool> {
        let loaded = self.catalogue.set(version).unwrap();
        let Some(module) = &loaded.modules.mesh else {
            let filters = |snapshot: &Snapshot| snapshot.resources(EXTENSION_CONFIG).iter().count();
            let now = self.receivers.iter().map(|receiver| receiver.borrow().clone().unwrap());
            return now.map(|snapshot| filters(&snapshot) == 0).collect();
        };
        let has = |id: &&str| {
            let key = Identity::parse(id).unwrap().key();
            self.publisher.modules(&key).get("mesh") == Some(&module.sha256)
        };
        PROXIES.iter().map(has).collect()
    }
}

fn subscribe_to(publisher: &Publisher, id: &str) -> watch::Receiver<Option<Arc<Snapshot>>> {
    let node = NodeInfo {
        id: id.to_owned(),
        ..NodeInfo::default()
    };
    subscribe(publisher, &node).unwrap()
}

fn author() -> Author {
    Author {
        principal: "ann".to_owned(),
        at: 1.0,
    }
}

#[test]
fn another_choice_touches_the_proxies_of_its_mesh_and_nobody_else() {
    let meshes = Meshes::new();
    assert_eq!(meshes.publish().len(), 3);
    assert_eq!(meshes.have(BUILT_IN), [true; 3]);
    meshes.add("1");
    meshes.add("2");
    assert_eq!(
        meshes.publish(),
        [] as [&str; 0],
        "a set that nobody has chosen is nobody's"
    );
    let before = meshes.receivers[2].borrow().clone().unwrap();

    meshes.choose("m", "1");
    assert_eq!(meshes.publish(), PROXIES[..2]);
    assert_eq!(meshes.have("1"), [true, true, false]);
    meshes.choose("m", "2");
    assert_eq!(meshes.publish(), PROXIES[..2]);
    assert_eq!(meshes.have("2"), [true, true, false]);
    meshes
        .catalogue
        .roll_back(meshes.store.as_ref(), &author(), "m", None)
        .unwrap()
        .unwrap();
    assert_eq!(meshes.publish(), PROXIES[..2]);
    assert_eq!(meshes.have("1"), [true, true, false]);
    let after = meshes.receivers[2].borrow().clone().unwrap();
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(meshes.publish(), [] as [&str; 0]);
}

#[test]
fn a_damaged_module_keeps_the_last_good_configuration_and_says_so() {
    let meshes = Meshes::new();
    meshes.add("1");
    meshes.add("2");
    meshes.choose("m", "1");
    meshes.publish();
    let good = meshes.receivers[0].borrow().clone().unwrap();
    let whole = meshes.store.list("module/bytes/", None, None).unwrap().entries;
    for part in &whole {
        let mut bytes = part.value.clone();
        bytes[100] ^= 1;
        meshes.commit(Change::put(&part.key, bytes));
    }
    // As if somebody who can write to the store had chosen it.
    let choice = json!({"mesh": "m", "version": "2", "previous": "1", "history": []});
    meshes.commit(Change::put("module-choice/m", choice.to_string().into_bytes()));
    meshes.publisher.publish();
    let reports = meshes.publisher.reports();
    let problem = reports[0].problem.as_ref().expect("a problem");
    assert!(
        problem
            .reason
            .contains("module set 2: module mesh cannot be used: sha256: must be that of the module"),
        "{}",
        problem.reason
    );
    assert!(reports[2].problem.is_none(), "other meshes go on");
    assert!(Arc::ptr_eq(&good, meshes.receivers[0].borrow().as_ref().unwrap()));

    for part in whole {
        meshes.commit(Change::put(part.key, part.value));
    }
    assert_eq!(meshes.publish(), PROXIES[..2]);
    assert_eq!(meshes.have("2"), [true, true, false]);
}
