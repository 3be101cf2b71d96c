//! Manifests of `appmesh.k8s.aws/v1beta2`.

use std::collections::{BTreeSet, HashMap};

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use super::{finding, respell::respell, yaml, File, Written};
use crate::{
    kubernetes::API_VERSION,
    resource::{spec_shape, Resource},
    spelling::Spelling,
    Finding, Severity,
};

/// The label by which a gateway finds its routes.
const GATEWAY_LABEL: &str = "virtual-gateway";
/// The file.
const FILE: &str = "mesh.yaml";
/// Longest name of an object that is made; a label's value has 63 characters at most.
const MAX_NAME: usize = 50;

/// One file with all objects in `namespace`. Routes stand in their routers, as the definitions have it. Every object
/// has its `awsName`, so that names stay what they are.
pub fn kubernetes(resources: &[Resource], namespace: &str) -> Written {
    let mut writer = Writer {
        namespace,
        names: names(resources),
        findings: Vec::new(),
    };
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})];
    for resource in resources {
        objects.extend(writer.object(resource, resources));
    }
    let text: Vec<String> = objects.iter().map(yaml::document).collect();
    Written {
        files: vec![File {
            name: FILE.to_owned(),
            text: text.join("---\n"),
        }],
        findings: writer.findings,
    }
}

struct Writer<'a> {
    namespace: &'a str,
    names: HashMap<Key, String>,
    findings: Vec<Finding>,
}

impl Writer<'_> {
    fn find(&mut self, severity: Severity, resource: &Resource, path: &str, reason: &str) {
        self.findings.push(finding(severity, FILE, resource, path, reason));
    }

    fn object(&mut self, resource: &Resource, all: &[Resource]) -> Option<Value> {
        let key = &resource.key;
        if resource.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            self.find(
                Severity::Warning,
                resource,
                "tags",
                "the custom resource definitions have no tags: they are left out",
            );
        }
        if key.kind == Kind::Route {
            let has_router = key.parent_key().is_some_and(|router| self.names.contains_key(&router));
            if !has_router {
                self.find(
                    Severity::Error,
                    resource,
                    "",
                    "its router is not among the resources: it is left out",
                );
            }
            return None;
        }
        let mut spec = self.spec(resource);
        spec.insert("awsName".to_owned(), json!(key.name));
        let name = self.names.get(key)?.clone();
        let mut metadata = json!({ "name": name });
        let in_namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace}});
        match key.kind {
            Kind::Mesh => {
                spec.insert("namespaceSelector".to_owned(), in_namespace);
                if let Some(discovery) = spec.remove("serviceDiscovery") {
                    spec.insert("meshServiceDiscovery".to_owned(), discovery);
                }
                if let Some(owner) = &resource.mesh_owner {
                    spec.insert("meshOwner".to_owned(), json!(owner));
                }
            }
            Kind::VirtualGateway => {
                spec.insert("namespaceSelector".to_owned(), in_namespace);
                spec.insert(
                    "gatewayRouteSelector".to_owned(),
                    json!({"matchLabels": {GATEWAY_LABEL: name}}),
                );
            }
            Kind::GatewayRoute => match key.parent_key().and_then(|gateway| self.names.get(&gateway)) {
                Some(gateway) => metadata["labels"] = json!({ GATEWAY_LABEL: gateway }),
                None => {
                    self.find(
                        Severity::Error,
                        resource,
                        "",
                        "its gateway is not among the resources: it is left out",
                    );
                    return None;
                }
            },
            Kind::VirtualRouter => {
                let own = |route: &&Resource| route.key.parent_key().as_ref() == Some(key);
                let mut routes = Vec::new();
                for route in all.iter().filter(own) {
                    let mut body = self.spec(route);
                    body.insert("name".to_owned(), json!(route.key.name));
                    routes.push(Value::Object(body));
                }
                if !routes.is_empty() {
                    spec.insert("routes".to_owned(), Value::Array(routes));
                }
            }
            _ => {}
        }
        if key.kind != Kind::Mesh {
            metadata["namespace"] = json!(self.namespace);
            // The mesh's owner stands in the mesh.
            let mesh = all.iter().find(|mesh| mesh.key == Key::mesh(key.mesh.clone()));
            if mesh.is_none() {
                self.find(
                    Severity::Error,
                    resource,
                    "",
                    "its mesh is not among the resources: nothing selects it",
                );
            }
        }
        Some(json!({
            "apiVersion": API_VERSION,
            "kind": key.kind.shape_name(),
            "metadata": metadata,
            "spec": spec,
        }))
    }

    fn spec(&mut self, resource: &Resource) -> Map<String, Value> {
        let shape = spec_shape(resource.key.kind);
        let mut spec = respell(Spelling::Kubernetes, shape, &resource.spec);
        if resource.key.kind == Kind::VirtualNode {
            for discovery in ["dns", "awsCloudMap"] {
                let pointer = format!("/serviceDiscovery/{discovery}");
                let members = spec.pointer_mut(&pointer).and_then(Value::as_object_mut);
                if members.is_some_and(|members| members.remove("ipPreference").is_some()) {
                    let path = format!("spec.serviceDiscovery.{discovery}.ipPreference");
                    let reason = "the custom resource definitions have no such member: it is left out";
                    self.find(Severity::Error, resource, &path, reason);
                }
            }
        }
        let mut nowhere = Vec::new();
        let spec = self.references(&resource.key.mesh, spec, "", &mut nowhere);
        for name in nowhere {
            let reason = format!("{name:?} is nothing that a reference or an ARN can name: it is left out");
            self.find(Severity::Error, resource, "spec", &reason);
        }
        match spec {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// References in place of names; an ARN where the object is not among the files.
    fn references(&self, mesh: &str, value: Value, list: &str, nowhere: &mut Vec<String>) -> Value {
        match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.references(mesh, item, list, nowhere))
                .collect(),
            Value::Object(members) => {
                let mut referring = Map::new();
                for (member, value) in members {
                    let (kind, word) = match (member.as_str(), list) {
                        ("virtualNodeName", _) | ("virtualNode", "weightedTargets") => {
                            (Kind::VirtualNode, "virtualNode")
                        }
                        ("virtualRouterName", _) => (Kind::VirtualRouter, "virtualRouter"),
                        ("virtualServiceName", _) => (Kind::VirtualService, "virtualService"),
                        _ => {
                            let value = self.references(mesh, value, &member, nowhere);
                            referring.insert(member, value);
                            continue;
                        }
                    };
                    let target = Key::in_mesh(mesh, kind, value.as_str().unwrap_or_default());
                    let (member, value) = match self.names.get(&target) {
                        Some(name) => (format!("{word}Ref"), json!({ "name": name })),
                        None => {
                            let arn = target.arn("us-east-1", "000000000000");
                            if Key::parse(&arn).as_ref() != Some(&target) {
                                nowhere.push(target.name);
                                continue;
                            }
                            (format!("{word}ARN"), json!(arn))
                        }
                    };
                    referring.insert(member, value);
                }
                Value::Object(referring)
            }
            other => other,
        }
    }
}

/// Names of objects: what Kubernetes allows, each only once in a kind.
fn names(resources: &[Resource]) -> HashMap<Key, String> {
    let mut names = HashMap::new();
    let mut taken = BTreeSet::new();
    for resource in resources {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        let letters: String = resource.key.name.chars().map(plain).take(MAX_NAME).collect();
        let base = match letters.trim_matches('-') {
            "" => "unnamed",
            letters => letters,
        };
        let mut name = base.to_owned();
        let mut number = 1;
        while !taken.insert((resource.key.kind, name.clone())) {
            number += 1;
            name = format!("{base}-{number}");
        }
        names.insert(resource.key.clone(), name);
    }
    names
}
