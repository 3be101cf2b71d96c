//! What chance changes: values of several generated worlds, the registry, and certificates to import.

use std::collections::BTreeMap;

use ferromesh_api::Import;
use ferromesh_generate::{Creation, Draw, Flaws, World};
use ferromesh_model::{policy::Policy, rollback::Rollbacks};
use ferromesh_store::key;

use super::{super::*, MESH};

/// A value that a change may write, under its key.
type Candidate = (String, Vec<u8>);

/// What several worlds of one name are made of, so that a resource has several versions of itself.
pub(super) struct Pool {
    pub(super) candidates: Vec<Candidate>,
    pub(super) proxies: Vec<String>,
}

impl Pool {
    pub(super) fn new(seed: u64) -> Self {
        let mut pool = Self {
            candidates: Vec::new(),
            proxies: Vec::new(),
        };
        let mut created_at = 0.0;
        for world in 0..3 {
            for creation in World::from_seed(seed * 3 + world, Flaws::None).creations {
                created_at += 1.0;
                pool.add(creation, created_at);
            }
        }
        pool.proxies.sort();
        pool.proxies.dedup();
        pool
    }

    fn add(&mut self, creation: Creation, created_at: f64) {
        let change = match creation {
            Creation::Resource { mut key, spec } => {
                key.mesh = MESH.to_owned();
                if key.kind == Kind::Mesh {
                    key.name = MESH.to_owned();
                }
                if matches!(key.kind, Kind::VirtualNode | Kind::VirtualGateway) {
                    self.proxies
                        .push(format!("mesh/{MESH}/{}/{}", key.kind.wire_name(), key.name));
                }
                let mut record = record(key, spec);
                record.metadata.created_at = created_at;
                catalog::put_record(&record).unwrap()
            }
            Creation::Policy { name, target, spec } => {
                let value = json!({"name": name, "mesh": MESH, "target": target, "spec": spec});
                match serde_json::from_value::<Policy>(value) {
                    Ok(policy) => catalog::put_policy(&policy).unwrap(),
                    // Wrong by chance: no API stores it.
                    Err(_) => return,
                }
            }
        };
        if let Change::Put { key, value } = change {
            self.candidates.push((key, value));
        }
    }
}

/// A change of a random kind.
pub(super) fn change(draw: &mut Draw, pool: &Pool, present: &BTreeMap<String, ()>) -> Change {
    match draw.between(0, 9) {
        0..=4 => {
            let (key, value) = draw.of(&pool.candidates).clone();
            Change::put(key, value)
        }
        5 | 6 if !present.is_empty() => {
            let keys: Vec<&String> = present.keys().collect();
            Change::delete((*draw.of(&keys)).clone())
        }
        7 => {
            let known = Rollbacks {
                mesh: MESH.into(),
                policy: format!("p{}", draw.between(0, 2)),
                generation: draw.between(0, 3) as u64,
                verdicts: BTreeMap::new(),
            };
            catalog::put_rollback(&known).unwrap()
        }
        8 => {
            let service = draw.text(&["colour", "a"]);
            let instance = Instance {
                service: service.clone(),
                health: *draw.of(&[Health::Healthy, Health::Unhealthy]),
                ..task(
                    &draw.between(0, 2).to_string(),
                    &format!("10.0.0.{}", draw.between(1, 9)),
                )
            };
            let key = key::instance("apps", &service, &instance.id);
            catalog::put(key, &instance).unwrap()
        }
        _ => {
            let service = service(&draw.text(&["colour", "a"]), draw.chance(50));
            catalog::put(key::service("apps", &service.name), &service).unwrap()
        }
    }
}

fn service(name: &str, custom_health: bool) -> Service {
    Service {
        namespace: "apps".into(),
        namespace_id: "ns-1".into(),
        name: name.into(),
        id: format!("srv-{name}"),
        description: None,
        dns: None,
        custom_health,
        attributes: BTreeMap::new(),
        instances_revision: 1,
        created_at: 1.0,
        creator_request_id: None,
        tags: Vec::new(),
    }
}

/// A node that is found in the registry, and one that calls it: few generated ones are.
pub(super) fn registered(name: &str, service: &str) -> Vec<Change> {
    let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    let discovery = json!({"awsCloudMap": {"namespaceName": "apps", "serviceName": service}});
    let host = format!("{name}.registered");
    let records = [
        record(
            Key::in_mesh(MESH, Kind::VirtualNode, name),
            json!({"listeners": [listener], "serviceDiscovery": discovery}),
        ),
        record(
            Key::in_mesh(MESH, Kind::VirtualService, &host),
            json!({"provider": {"virtualNode": {"virtualNodeName": name}}}),
        ),
        record(
            Key::in_mesh(MESH, Kind::VirtualNode, format!("caller-of-{name}")),
            json!({"backends": [{"virtualService": {"virtualServiceName": host}}]}),
        ),
    ];
    records
        .iter()
        .map(|record| catalog::put_record(record).unwrap())
        .collect()
}

/// Certificates to import: an issuer and two leaves.
pub(super) fn imports() -> [Import; 2] {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    [(), ()].map(|()| {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["a.local".to_owned()]).unwrap();
        Import {
            certificate_chain: Some(leaf.signed_by(&key, &issuer).unwrap().pem()),
            private_key: Some(key.serialize_pem()),
            trust: Some(issuer.pem()),
        }
    })
}
