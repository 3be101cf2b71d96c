//! The objects of a cluster, and what belongs to what.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{report_others, selector, API_VERSION};
use crate::{
    document::{below, Document},
    finding::{Place, Report},
    Options,
};

/// One object.
pub struct Object<'a> {
    pub document: &'a Document,
    /// Where it stands in its document; empty unless it is an item of a list.
    pub path: String,
    pub kind: String,
    pub name: String,
    /// Empty for a mesh, which has none.
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    pub spec: Map<String, Value>,
    /// `VirtualNode shop/cart`.
    pub subject: String,
}

impl Object<'_> {
    pub fn place(&self) -> Place<'_> {
        Place {
            file: &self.document.file,
            lines: &self.document.lines,
            subject: &self.subject,
        }
    }

    pub fn below(&self, path: &str) -> String {
        below(&self.path, path)
    }

    /// A text of the spec that is not empty.
    pub fn text(&self, member: &str) -> Option<String> {
        let text = self.spec.get(member)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The name in App Mesh: `awsName`, or what the controller's webhooks put there.
    pub fn aws_name(&self) -> String {
        self.text("awsName")
            .unwrap_or_else(|| default_name(&self.kind, &self.name, &self.namespace))
    }
}

/// The name that the controller's webhooks give an object without `awsName`.
pub fn default_name(kind: &str, name: &str, namespace: &str) -> String {
    match kind {
        "Mesh" => name.to_owned(),
        "VirtualService" => format!("{name}.{namespace}"),
        _ => format!("{name}_{namespace}"),
    }
}

/// All objects.
pub struct Cluster<'a> {
    pub objects: Vec<Object<'a>>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    default_mesh: Option<&'a str>,
}

const KINDS: [&str; 7] = [
    "Mesh",
    "VirtualNode",
    "VirtualService",
    "VirtualRouter",
    "VirtualGateway",
    "GatewayRoute",
    "BackendGroup",
];

impl<'a> Cluster<'a> {
    pub fn of(documents: &'a [Document], options: &'a Options, report: &mut Report) -> Self {
        let mut cluster = Self {
            objects: Vec::new(),
            namespaces: BTreeMap::new(),
            default_mesh: options.mesh.as_deref(),
        };
        let mut others: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
        for document in documents {
            let others = others.entry(&document.file).or_default();
            cluster.add(document, &document.value, "", others, report);
        }
        for (file, others) in others {
            report_others(file, &others, report);
        }
        // What the user says stands above what the files say.
        for (namespace, labels) in &options.namespace_labels {
            cluster
                .namespaces
                .entry(namespace.clone())
                .or_default()
                .extend(labels.clone());
        }
        for (name, labels) in &mut cluster.namespaces {
            // Kubernetes itself sets this one since 1.21.
            labels
                .entry("kubernetes.io/metadata.name".to_owned())
                .or_insert_with(|| name.clone());
        }
        cluster
    }

    fn add(
        &mut self,
        document: &'a Document,
        value: &Value,
        path: &str,
        others: &mut BTreeMap<String, usize>,
        report: &mut Report,
    ) {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if let Some(Value::Array(items)) = value.get("items").filter(|_| kind.ends_with("List")) {
            for (index, item) in items.iter().enumerate() {
                self.add(document, item, &below(path, &format!("items[{index}]")), others, report);
            }
            return;
        }
        let labels = |value: &Value| {
            let labels = value.pointer("/metadata/labels").and_then(Value::as_object);
            let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            labels
                .into_iter()
                .flatten()
                .filter_map(pair)
                .collect::<BTreeMap<_, _>>()
        };
        let metadata = |name: &str| value.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
        let name = metadata("name").unwrap_or_default().to_owned();
        if version == "v1" && kind == "Namespace" {
            self.namespaces.entry(name).or_default().extend(labels(value));
            return;
        }
        let namespace = match kind {
            "Mesh" => String::new(),
            _ => metadata("namespace").unwrap_or("default").to_owned(),
        };
        let subject = match namespace.as_str() {
            "" => format!("{kind} {name}"),
            namespace => format!("{kind} {namespace}/{name}"),
        };
        let place = Place {
            file: &document.file,
            lines: &document.lines,
            subject: &subject,
        };
        let group = version.split('/').next().unwrap_or_default();
        if group == "appmesh.k8s.aws" && (version != API_VERSION || !KINDS.contains(&kind)) {
            report.error(
                place,
                path,
                format!("{version} {kind} is not read, only {API_VERSION} is"),
            );
            return;
        }
        if version != API_VERSION {
            *others.entry(kind.to_owned()).or_default() += 1;
            return;
        }
        if name.is_empty() {
            report.error(place, &below(path, "metadata"), "it has no name");
            return;
        }
        for member in value.as_object().into_iter().flatten().map(|(member, _)| member) {
            if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&member.as_str()) {
                report.error(place, &below(path, member), "unknown member: it is not carried over");
            }
        }
        let spec = match value.get("spec") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(spec)) => spec.clone(),
            Some(_) => {
                report.error(place, &below(path, "spec"), "expected an object");
                return;
            }
        };
        self.objects.push(Object {
            document,
            path: path.to_owned(),
            kind: kind.to_owned(),
            labels: labels(value),
            spec,
            name,
            namespace,
            subject,
        });
    }

    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object<'a>> {
        let is_it = |object: &&Object<'a>| object.kind == kind && object.namespace == namespace && object.name == name;
        self.objects.iter().find(is_it)
    }

    pub fn of_kind<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Object<'a>> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }

    /// Name in App Mesh and owner of an object's mesh.
    pub fn mesh_of(&self, object: &Object<'_>, report: &mut Report) -> Option<(String, Option<String>)> {
        let found = |mesh: &Object<'_>| (mesh.aws_name(), mesh.text("meshOwner"));
        if let Some(name) = object
            .spec
            .get("meshRef")
            .and_then(|mesh| mesh.get("name"))
            .and_then(Value::as_str)
        {
            if let Some(mesh) = self.find("Mesh", "", name) {
                return Some(found(mesh));
            }
            let reason =
                format!("the Mesh {name} is not among the files: it is taken to be called {name} in App Mesh too");
            report.warning(object.place(), &object.below("spec.meshRef"), reason);
            return Some((name.to_owned(), None));
        }
        let labels = self.namespaces.get(&object.namespace);
        let none = BTreeMap::new();
        let meshes: Vec<_> = self.of_kind("Mesh").collect();
        let selected = |mesh: &&&Object<'_>| {
            let selector = mesh.spec.get("namespaceSelector");
            selector.is_some_and(|selector| selector::matches(selector, labels.unwrap_or(&none)) == Some(true))
        };
        let candidates: Vec<_> = meshes.iter().filter(selected).collect();
        match (candidates.as_slice(), meshes.as_slice(), self.default_mesh) {
            ([mesh], ..) => Some(found(mesh)),
            ([], [], Some(mesh)) => Some((mesh.to_owned(), None)),
            ([], [], None) => {
                let reason = "there is no Mesh among the files: give its name with --mesh";
                report.error(object.place(), &object.path, reason);
                None
            }
            // Nothing says what labels the namespace has, and there is no other mesh to mistake this one for.
            ([], [mesh], _) if labels.is_none() => {
                let namespace = &object.namespace;
                let reason = format!(
                    "the labels of namespace {namespace} are not known: it is taken to be in {}, the only mesh; \
                     --namespace-label {namespace}:NAME=VALUE says",
                    mesh.subject
                );
                report.warning(object.place(), &object.path, reason);
                Some(found(mesh))
            }
            (candidates, ..) => {
                let reason = format!(
                    "the labels of namespace {} have to be selected by exactly one Mesh, they are by {}",
                    object.namespace,
                    candidates.len()
                );
                report.error(object.place(), &object.path, reason);
                None
            }
        }
    }

    /// Name in App Mesh of a gateway route's gateway.
    pub fn gateway_of(&self, route: &Object<'_>, report: &mut Report) -> Option<String> {
        if let Some(reference) = route
            .spec
            .get("virtualGatewayRef")
            .filter(|reference| !reference.is_null())
        {
            return super::reference::resolve(
                self,
                route,
                "VirtualGateway",
                reference,
                "spec.virtualGatewayRef",
                report,
            );
        }
        let labels = self.namespaces.get(&route.namespace);
        let none = BTreeMap::new();
        let routes = |gateway: &&Object<'_>| match gateway.spec.get("gatewayRouteSelector") {
            None | Some(Value::Null) => true,
            Some(selector) => selector::matches(selector, &route.labels) == Some(true),
        };
        let namespaces = |gateway: &&&Object<'_>| match gateway.spec.get("namespaceSelector") {
            None | Some(Value::Null) => false,
            Some(selector) if labels.is_none() && !selector::is_empty(selector) => false,
            Some(selector) => selector::matches(selector, labels.unwrap_or(&none)) == Some(true),
        };
        let possible: Vec<_> = self.of_kind("VirtualGateway").filter(routes).collect();
        let candidates: Vec<_> = possible.iter().filter(namespaces).collect();
        match (candidates.as_slice(), possible.as_slice()) {
            ([gateway], _) => Some(gateway.aws_name()),
            ([], [gateway]) if labels.is_none() => {
                let reason = format!(
                    "the labels of namespace {} are not known: it is taken to belong to {}, the only gateway",
                    route.namespace, gateway.subject
                );
                report.warning(route.place(), &route.path, reason);
                Some(gateway.aws_name())
            }
            (candidates, _) => {
                let reason = format!(
                    "it has to be selected by exactly one VirtualGateway (namespaceSelector and gatewayRouteSelector), \
                     it is by {}",
                    candidates.len()
                );
                report.error(route.place(), &route.path, reason);
                None
            }
        }
    }
}
