//! What is written is read back as it was: generated meshes and the example meshes, in every format.

#[path = "../../model/tests/example_files/mod.rs"]
mod example_files;

use ferromesh_generate::{Creation, Flaws, World};
use ferromesh_import::{
    read,
    write::{self, Written},
    Options, Resource, Severity, Source,
};
use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Value};

type Plain = (Key, Value, Vec<(String, String)>);

fn plain(resources: &[Resource]) -> Vec<Plain> {
    let plain = |resource: &Resource| {
        (
            resource.key.clone(),
            resource.spec.clone(),
            resource.tags.clone().unwrap_or_default(),
        )
    };
    let mut plain: Vec<Plain> = resources.iter().map(plain).collect();
    plain.sort_by(|one, other| one.0.cmp(&other.0));
    plain
}

/// Writes, reads, and gives what came back; nothing may be lost that the writer did not say.
fn there_and_back(written: &Written, what: &str) -> Vec<Resource> {
    let sources: Vec<Source> = written
        .files
        .iter()
        .map(|file| Source::new(file.name.clone(), file.text.clone()))
        .collect();
    let imported = read(&sources, &Options::default());
    let lost = written
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    if imported.has_errors() && !lost {
        let files: Vec<&str> = written.files.iter().map(|file| file.text.as_str()).collect();
        panic!("{what}: {:#?}\n{}", imported.findings, files.join("\n"));
    }
    imported.resources
}

/// Holds the identity for all formats. `spec` is in the spelling of the API.
fn holds(resources: &[Resource], what: &str) {
    let expected = plain(resources);
    for (format, written) in [
        ("create inputs", write::create_inputs(resources)),
        ("describe", write::describe(resources)),
        ("cloudformation", write::cloudformation(resources)),
    ] {
        assert!(written.findings.is_empty(), "{what}, {format}: {:?}", written.findings);
        let read = there_and_back(&written, &format!("{what}, {format}"));
        assert_eq!(plain(&read), expected, "{what}, {format}");
    }
    let written = write::kubernetes(resources, "shop");
    let read = plain(&there_and_back(&written, &format!("{what}, kubernetes")));
    assert_eq!(read.len(), expected.len(), "{what}: {:#?}", written.findings);
    for ((key, spec, tags), (read_key, read_spec, read_tags)) in expected.iter().zip(&read) {
        assert_eq!(key, read_key, "{what}");
        let said: Vec<&str> = written
            .findings
            .iter()
            .filter(|finding| finding.subject == key.resource_part())
            .map(|finding| finding.path.as_str())
            .collect();
        // Exactly what was said to be lost is lost.
        let mut spec = spec.clone();
        for discovery in ["dns", "awsCloudMap"] {
            if said.contains(&format!("spec.serviceDiscovery.{discovery}.ipPreference").as_str()) {
                let members = spec.pointer_mut(&format!("/serviceDiscovery/{discovery}"));
                let removed = members
                    .and_then(Value::as_object_mut)
                    .and_then(|members| members.remove("ipPreference"));
                assert!(removed.is_some(), "{what}: {key} had no ipPreference");
            }
        }
        assert_eq!(said.contains(&"tags"), !tags.is_empty(), "{what}: {key}");
        assert!(read_tags.is_empty());
        if !said.contains(&"spec") {
            assert_eq!(&spec, read_spec, "{what}, kubernetes: {key}");
        }
    }
}

#[test]
fn generated_meshes_come_back_as_they_were() {
    let worlds = if std::env::var_os("FERROMESH_FULL").is_some() {
        3000
    } else {
        150
    };
    let mut count = 0;
    for seed in 0..worlds {
        let world = World::from_seed(seed, Flaws::None);
        let refused: Vec<usize> = world.admit().refused.iter().map(|refused| refused.index).collect();
        let mut resources = Vec::new();
        for (index, creation) in world.creations.iter().enumerate() {
            let Creation::Resource { key, spec } = creation else {
                continue;
            };
            if refused.contains(&index) {
                continue;
            }
            let mut resource = Resource::new(key.clone(), spec.clone());
            if index % 3 == 0 {
                let odd = [("a", "1"), ("no", ""), ("aws:x/é", "true ${X} : # 🦀\n")];
                resource.tags = Some(
                    odd[..=index / 3 % 3]
                        .iter()
                        .map(|(k, v)| ((*k).into(), (*v).into()))
                        .collect(),
                );
            }
            resources.push(resource);
        }
        count += resources.len();
        holds(&resources, &format!("seed {seed}"));
    }
    assert!(count > 1000, "{count} resources are too few to say anything");
}

#[test]
fn the_example_meshes_are_read_and_come_back_as_they_were() {
    let Some(folder) = example_files::folder() else {
        return;
    };
    let mut folders = std::collections::BTreeSet::new();
    let mut count = 0;
    for path in example_files::files(&folder) {
        let mut input = example_files::read(&path);
        let kind = example_files::kind(&path, &input);
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let example = path
            .strip_prefix(&folder)
            .expect("inside")
            .components()
            .next()
            .expect("a folder");
        folders.insert(example.as_os_str().to_owned());
        // The names that the walkthroughs give on the command line.
        if kind != Kind::Mesh {
            input["meshName"] = json!("m");
        }
        let (parent, own) = match kind {
            Kind::Mesh => (None, "meshName"),
            Kind::VirtualNode => (None, "virtualNodeName"),
            Kind::VirtualService => (None, "virtualServiceName"),
            Kind::VirtualRouter => (None, "virtualRouterName"),
            Kind::Route => (Some("virtualRouterName"), "routeName"),
            Kind::VirtualGateway => (None, "virtualGatewayName"),
            Kind::GatewayRoute => (Some("virtualGatewayName"), "gatewayRouteName"),
        };
        input[own] = json!(if kind == Kind::Mesh { "m" } else { &name });
        if let Some(parent) = parent {
            input[parent] = json!("parent");
        }
        let imported = read(
            &[Source::new(name.clone() + ".json", input.to_string())],
            &Options::default(),
        );
        assert!(
            imported.findings.is_empty(),
            "{}: {:#?}",
            path.display(),
            imported.findings
        );
        assert_eq!(imported.resources.len(), 1, "{}", path.display());
        let resource = &imported.resources[0];
        assert_eq!(
            (resource.key.kind, &resource.spec),
            (kind, input.get("spec").unwrap_or(&json!({})))
        );
        // With what holds it, because manifests have routes in routers and everything in a mesh.
        let mut all = vec![resource.clone()];
        if kind != Kind::Mesh {
            all.insert(0, Resource::new(Key::mesh("m"), json!({})));
        }
        if let Some(holder) = kind.parent() {
            let listeners = json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]});
            all.insert(1, Resource::new(Key::in_mesh("m", holder, "parent"), listeners));
        }
        for resource in &mut all {
            resource.mesh_owner = None;
        }
        holds(&all, &name);
        count += 1;
    }
    assert_eq!((folders.len(), count > 50), (6, true), "{folders:?}, {count} files");
}
