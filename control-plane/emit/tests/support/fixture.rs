//! Meshes written as YAML.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::{GatewayRoute, Mesh, Route, VirtualGateway, VirtualRouter};
use ferromesh_model::policy::Policy;
use ferromesh_model::registry::{Directory, Health, Instance, Service};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::Value;

/// One case: whose configuration is asked for, and the resources of the mesh `m`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence on what is shown.
    pub description: String,
    /// `virtualGateway/<name>` or `virtualNode/<name>`.
    pub of: String,
    /// In the order of creation.
    pub resources: Vec<Resource>,
    /// Services with tasks.
    #[serde(default)]
    pub registry: Vec<Registered>,
}

/// A service of the registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registered {
    pub namespace: String,
    pub service: String,
    pub custom_health: bool,
    pub instances: Vec<Task>,
}

/// A task of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub id: String,
    pub health: Option<Health>,
    pub attributes: BTreeMap<String, String>,
}

/// One resource, or one policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub kind: String,
    pub name: String,
    /// Virtual router or virtual gateway.
    pub parent: Option<String>,
    /// What a policy applies to.
    pub target: Option<Value>,
    pub spec: Value,
}

impl Case {
    /// What is registered.
    pub fn directory(&self) -> Directory {
        let services = self.registry.iter().map(|registered| Service {
            namespace: registered.namespace.clone(),
            namespace_id: "ns-1".into(),
            name: registered.service.clone(),
            id: "srv-1".into(),
            description: None,
            dns: None,
            custom_health: registered.custom_health,
            attributes: BTreeMap::new(),
            instances_revision: 1,
            created_at: 0.0,
            creator_request_id: None,
            tags: Vec::new(),
        });
        let instances = self.registry.iter().flat_map(|registered| {
            registered.instances.iter().map(|task| Instance {
                namespace: registered.namespace.clone(),
                service: registered.service.clone(),
                id: task.id.clone(),
                attributes: task.attributes.clone(),
                health: task.health.unwrap_or(Health::Healthy),
                registered_at: 0.0,
                creator_request_id: None,
                operation: None,
            })
        });
        Directory::new(services, instances)
    }

    /// Lowers the proxy that the case asks for.
    pub fn lower(&self) -> Proxy {
        let (kind, name) = match self.of.split_once('/') {
            Some(("virtualGateway", name)) => (ProxyKind::VirtualGateway, name),
            Some(("virtualNode", name)) => (ProxyKind::VirtualNode, name),
            _ => panic!(
                "of: {} is neither virtualGateway/<name> nor virtualNode/<name>",
                self.of
            ),
        };
        lower::proxy(&mesh(&self.resources), kind, name, &Options::default())
            .unwrap_or_else(|violations| panic!("{}: {violations:?}", self.of))
    }
}

/// The cases of `testdata/`, by name.
pub fn cases() -> Vec<(String, PathBuf, Case)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut cases: Vec<_> = std::fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| {
            let folder = entry.expect("a folder of testdata").path();
            let file = folder.join("in.yaml");
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let case: Case =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            (name, folder, case)
        })
        .collect();
    assert!(!cases.is_empty(), "{} holds no cases", root.display());
    cases.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    cases
}

/// The mesh `m` of some resources.
pub fn mesh(resources: &[Resource]) -> Mesh {
    let mut mesh = Mesh {
        name: "m".into(),
        owner: "123456789012".into(),
        spec: Default::default(),
        virtual_nodes: BTreeMap::new(),
        virtual_services: BTreeMap::new(),
        virtual_routers: BTreeMap::new(),
        virtual_gateways: BTreeMap::new(),
        policies: Vec::new(),
        rollbacks: BTreeMap::new(),
    };
    for (index, resource) in resources.iter().enumerate() {
        add(&mut mesh, resource, index as f64);
    }
    mesh
}

fn add(mesh: &mut Mesh, resource: &Resource, created_at: f64) {
    let name = resource.name.clone();
    match resource.kind.as_str() {
        "mesh" => mesh.spec = read(resource),
        "virtualNode" => drop(mesh.virtual_nodes.insert(name, read(resource))),
        "virtualService" => drop(mesh.virtual_services.insert(name, read(resource))),
        "virtualRouter" => {
            let routes = Vec::new();
            let spec = read(resource);
            mesh.virtual_routers.insert(name, VirtualRouter { spec, routes });
        }
        "virtualGateway" => {
            let routes = Vec::new();
            let spec = read(resource);
            mesh.virtual_gateways.insert(name, VirtualGateway { spec, routes });
        }
        "route" => {
            let parent = parent(resource);
            let router = mesh
                .virtual_routers
                .get_mut(parent)
                .unwrap_or_else(|| panic!("no router {parent}"));
            let spec = read(resource);
            router.routes.push(Route { name, spec, created_at });
        }
        "gatewayRoute" => {
            let parent = parent(resource);
            let gateway = mesh
                .virtual_gateways
                .get_mut(parent)
                .unwrap_or_else(|| panic!("no gateway {parent}"));
            let spec = read(resource);
            gateway.routes.push(GatewayRoute { name, spec, created_at });
        }
        "policy" => mesh.policies.push(Policy {
            name,
            mesh: mesh.name.clone(),
            target: serde_json::from_value(resource.target.clone().expect("a policy has a target")).expect("a target"),
            spec: read(resource),
        }),
        other => panic!("unknown kind {other}"),
    }
}

fn parent(resource: &Resource) -> &str {
    let missing = || panic!("{} {} has no parent", resource.kind, resource.name);
    resource.parent.as_deref().unwrap_or_else(missing)
}

fn read<T: DeserializeOwned>(resource: &Resource) -> T {
    serde_json::from_value(resource.spec.clone())
        .unwrap_or_else(|error| panic!("{} {}: {error}", resource.kind, resource.name))
}
