//! What a change comes to: lints over the whole mesh, and the difference in what the proxies would be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ferromesh_analyze::analyze;
use ferromesh_api::{differences, Previewer};
use ferromesh_ir::{lower, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_store::{key, AccountStore, Store};
use serde_json::{json, Value};

use crate::certificates::Imports;
use crate::identity::wire_name;
use crate::modules::{Catalogue, Choice, Unusable};

/// Proxies whose differences are told field by field; of more only the names of resources are told.
const TOLD_IN_FULL: usize = 100;

/// Previews with the behaviour that the server gives its proxies.
pub struct Preview {
    store: Arc<dyn Store>,
    lowering: ferromesh_ir::Options,
    modules: ferromesh_emit::Modules,
    emission: ferromesh_emit::Options,
    /// The module sets that meshes choose from, and the server's own account.
    chosen: Option<(Arc<Catalogue>, String)>,
}

/// What tells one module from another is its hash; its megabytes would be a part of the difference.
fn bare(modules: &ferromesh_emit::Modules) -> ferromesh_emit::Modules {
    let bare = |module: &Option<ferromesh_emit::Module>| {
        let module = module.as_ref();
        module.map(|module| ferromesh_emit::Module {
            sha256: module.sha256.clone(),
            bytes: Bytes::new(),
        })
    };
    ferromesh_emit::Modules {
        mesh: bare(&modules.mesh),
        lean: bare(&modules.lean),
    }
}

impl Preview {
    /// With the settings that snapshots are made with.
    pub fn new(
        store: Arc<dyn Store>,
        lowering: ferromesh_ir::Options,
        modules: &ferromesh_emit::Modules,
        emission: ferromesh_emit::Options,
    ) -> Self {
        Self {
            store,
            lowering,
            modules: bare(modules),
            emission,
            chosen: None,
        }
    }

    /// With what meshes choose of a catalogue.
    pub fn choosing_from(self, catalogue: Arc<Catalogue>, account: String) -> Self {
        Self {
            chosen: Some((catalogue, account)),
            ..self
        }
    }

    /// The modules that a mesh's proxies get.
    fn modules(&self, mesh: &Mesh) -> ferromesh_emit::Modules {
        let Some((catalogue, account)) = &self.chosen else {
            return self.modules.clone();
        };
        let theirs = AccountStore::new(self.store.as_ref(), &mesh.owner);
        let store: &dyn Store = if mesh.owner == *account {
            self.store.as_ref()
        } else {
            &theirs
        };
        let chosen = Choice::read(store, &mesh.name).map_err(Unusable::from);
        match chosen.and_then(|choice| catalogue.of_choice(&choice)) {
            Ok(chosen) => bare(&chosen.modules),
            Err(error) => {
                tracing::warn!(mesh = mesh.name, %error, "the preview is made with the built-in modules");
                self.modules.clone()
            }
        }
    }

    fn lowering(&self) -> ferromesh_ir::Options {
        let listed = self.store.list(key::CERTIFICATES, None, None);
        let imports = listed.and_then(|listing| Imports::read(&listing.entries));
        match imports {
            Ok(imports) => ferromesh_ir::Options {
                imported: imports.arns(),
                ..self.lowering.clone()
            },
            Err(error) => {
                tracing::warn!(%error, "imported certificates cannot be read: the preview is made without them");
                self.lowering.clone()
            }
        }
    }

    /// What a proxy would be sent, without secrets: those are not for everybody's eyes.
    fn resources(
        &self,
        mesh: &Mesh,
        (kind, name): (ProxyKind, &str),
        lowering: &ferromesh_ir::Options,
        modules: &ferromesh_emit::Modules,
    ) -> Resources {
        let Ok(proxy) = lower::proxy(mesh, kind, name, lowering) else {
            return Resources::new();
        };
        let secrets = ferromesh_emit::Secrets::default();
        let output = ferromesh_emit::proxy(&proxy, modules, &secrets, &self.emission);
        let resources = output.resources.into_iter();
        let shown = resources.filter(|resource| resource.type_url != ferromesh_emit::SECRET);
        shown
            .map(|resource| ((resource.type_url, resource.name), resource.value))
            .collect()
    }
}

/// Encoded resources by type and name.
type Resources = BTreeMap<(&'static str, String), Bytes>;

impl Previewer for Preview {
    fn findings(&self, mesh: &Mesh) -> Vec<Value> {
        let findings = analyze(mesh, &self.lowering());
        findings.iter().map(|finding| json!(finding)).collect()
    }

    fn configuration(
        &self,
        before: Option<&Mesh>,
        after: Option<&Mesh>,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<Value> {
        let lowering = self.lowering();
        let meshes = [before, after];
        let modules = after.or(before).map(|mesh| self.modules(mesh)).unwrap_or_default();
        let keys: BTreeSet<(ProxyKind, &str)> = meshes.into_iter().flatten().flat_map(proxies).collect();
        let mut changed = Vec::new();
        for key in keys {
            let (kind, name) = key;
            let mesh = after.or(before).map_or("", |mesh| mesh.name.as_str());
            let id = format!("mesh/{mesh}/{}/{name}", wire_name(kind));
            if only.is_some_and(|only| !only.contains(&id)) {
                continue;
            }
            let of = |mesh: Option<&Mesh>| {
                let there = mesh.filter(|mesh| is_in(mesh, key));
                there.map(|mesh| self.resources(mesh, key, &lowering, &modules))
            };
            let (before, after) = (of(before), of(after));
            let state = match (&before, &after) {
                (None, _) => "new",
                (_, None) => "gone",
                (before, after) if before == after => continue,
                _ => "changed",
            };
            let in_full = changed.len() < TOLD_IN_FULL;
            let resources = compared(&before.unwrap_or_default(), &after.unwrap_or_default(), in_full);
            changed.push(json!({ "id": id, "state": state, "resources": resources }));
        }
        changed
    }
}

fn proxies(mesh: &Mesh) -> impl Iterator<Item = (ProxyKind, &str)> {
    let nodes = mesh
        .virtual_nodes
        .keys()
        .map(|name| (ProxyKind::VirtualNode, name.as_str()));
    let gateways = mesh.virtual_gateways.keys();
    nodes.chain(gateways.map(|name| (ProxyKind::VirtualGateway, name.as_str())))
}

fn is_in(mesh: &Mesh, (kind, name): (ProxyKind, &str)) -> bool {
    match kind {
        ProxyKind::VirtualNode => mesh.virtual_nodes.contains_key(name),
        ProxyKind::VirtualGateway => mesh.virtual_gateways.contains_key(name),
    }
}

fn compared(before: &Resources, after: &Resources, in_full: bool) -> Vec<Value> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut compared = Vec::new();
    for key in keys {
        let (type_url, name) = key;
        let (old, new) = (before.get(key), after.get(key));
        let change = match (old, new) {
            (None, _) => "added",
            (_, None) => "removed",
            (old, new) if old == new => continue,
            _ => "changed",
        };
        let mut shown = json!({ "type": short(type_url), "name": name, "change": change });
        let json = |value: Option<&Bytes>| ferromesh_emit::readable(type_url, value?);
        if let (true, Some(old), Some(new)) = (in_full, json(old), json(new)) {
            shown["diff"] = Value::Array(differences(&old, &new));
        }
        compared.push(shown);
    }
    compared
}

/// `type.googleapis.com/envoy.config.cluster.v3.Cluster` as `Cluster`.
fn short(type_url: &str) -> &str {
    type_url.rsplit('.').next().unwrap_or(type_url)
}

#[cfg(test)]
mod tests {
    use ferromesh_model::record::{Metadata, Record};
    use ferromesh_model::resource::Key;
    use ferromesh_store::RedbStore;

    use super::*;

    fn record(place: &str, spec: Value) -> Record {
        let key = Key::parse(&format!("mesh/m{place}")).unwrap();
        Record {
            metadata: Metadata {
                arn: key.arn("us-east-1", "123456789012"),
                created_at: 0.0,
                last_updated_at: 0.0,
                mesh_owner: "123456789012".into(),
                resource_owner: "123456789012".into(),
                uid: String::new(),
                version: 1,
            },
            key,
            spec,
            tags: Vec::new(),
        }
    }

    /// A gateway in front of a node that shows a certificate, with a weight.
    fn mesh(weight: i64) -> Mesh {
        let listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
        let mut secured = listener.clone();
        secured["tls"] =
            json!({"mode": "STRICT", "certificate": {"acm": {"certificateArn": "arn:aws:acm:x:1:certificate/a"}}});
        let node = json!({"listeners": [secured], "serviceDiscovery": {"dns": {"hostname": "n.local"}}});
        let target = |node: &str, weight: i64| json!({"virtualNode": node, "weight": weight});
        let children = [
            record("/virtualNode/a", node.clone()),
            record("/virtualNode/b", node),
            record("/virtualRouter/r", json!({ "listeners": [listener] })),
            record(
                "/virtualRouter/r/route/t",
                json!({"httpRoute": {
                    "match": {"prefix": "/"},
                    "action": {"weightedTargets": [target("a", weight), target("b", 1)]},
                }}),
            ),
            record(
                "/virtualService/s.local",
                json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}}),
            ),
            record("/virtualGateway/g", json!({ "listeners": [listener] })),
            record(
                "/virtualGateway/g/gatewayRoute/t",
                json!({"httpRoute": {
                    "match": {"prefix": "/"},
                    "action": {"target": {"virtualService": {"virtualServiceName": "s.local"}}},
                }}),
            ),
        ];
        Mesh::assemble(&record("", json!({})), &children, []).unwrap()
    }

    fn preview(folder: &std::path::Path) -> Preview {
        let store = Arc::new(RedbStore::open(folder.join("store.redb")).unwrap());
        let module = ferromesh_emit::Module {
            sha256: "0".repeat(64),
            bytes: Bytes::from_static(b"a whole module"),
        };
        let modules = ferromesh_emit::Modules {
            mesh: Some(module),
            lean: None,
        };
        Preview::new(
            store,
            ferromesh_ir::Options::default(),
            &modules,
            ferromesh_emit::Options::default(),
        )
    }

    #[test]
    fn a_new_weight_is_a_difference_in_the_routes_of_those_who_send() {
        let folder = tempfile::tempdir().unwrap();
        let preview = preview(folder.path());
        let (before, after) = (mesh(1), mesh(3));
        let told = preview.configuration(Some(&before), Some(&after), None);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(
            (&told[0]["id"], &told[0]["state"]),
            (&json!("mesh/m/virtualGateway/g"), &json!("changed"))
        );
        let resources = told[0]["resources"].as_array().unwrap();
        assert!(
            resources
                .iter()
                .all(|resource| resource["type"] == "RouteConfiguration"),
            "{resources:#?}"
        );
        let text = resources[0]["diff"].to_string();
        assert!(
            text.contains(r#""before":1"#) && text.contains(r#""after":3"#),
            "{text}"
        );
        assert_eq!(
            preview.configuration(Some(&before), Some(&before), None),
            Vec::<Value>::new()
        );
        let nobody = BTreeSet::from(["mesh/m/virtualNode/a".to_owned()]);
        assert_eq!(
            preview.configuration(Some(&before), Some(&after), Some(&nobody)),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn a_mesh_that_comes_or_goes_is_all_of_its_proxies_without_secrets_and_modules() {
        let folder = tempfile::tempdir().unwrap();
        let preview = preview(folder.path());
        for (before, after, state, change) in [
            (None, Some(mesh(1)), "new", "added"),
            (Some(mesh(1)), None, "gone", "removed"),
        ] {
            let told = preview.configuration(before.as_ref(), after.as_ref(), None);
            assert_eq!(told.len(), 3, "{told:#?}");
            assert!(told.iter().all(|proxy| proxy["state"] == state), "{told:#?}");
            for resource in told.iter().flat_map(|proxy| proxy["resources"].as_array().unwrap()) {
                assert_eq!(resource["change"], change);
                assert_ne!(resource["type"], "Secret");
            }
        }
    }
}
