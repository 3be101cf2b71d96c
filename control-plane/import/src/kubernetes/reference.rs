//! Names in place of references.

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use super::object::{default_name, Cluster, Object};
use crate::{document::below, finding::Report};

/// What can be referred to: the member's beginning, and the kind.
const REFERENCES: [(&str, &str, Kind); 3] = [
    ("virtualNode", "VirtualNode", Kind::VirtualNode),
    ("virtualRouter", "VirtualRouter", Kind::VirtualRouter),
    ("virtualService", "VirtualService", Kind::VirtualService),
];

/// The value with names in place of `…Ref` and `…ARN`. `list` is the list in which the value stands.
pub fn names(
    cluster: &Cluster<'_>,
    object: &Object<'_>,
    value: Value,
    path: &str,
    list: &str,
    report: &mut Report,
) -> Value {
    match value {
        Value::Array(items) => {
            let item = |(index, item)| names(cluster, object, item, &format!("{path}[{index}]"), list, report);
            Value::Array(items.into_iter().enumerate().map(item).collect())
        }
        Value::Object(members) => {
            let mut named = Map::new();
            for (member, value) in members {
                let path = below(path, &member);
                if value.is_null() {
                    continue;
                }
                let of = |suffix: &str| REFERENCES.iter().find(|(name, ..)| member == format!("{name}{suffix}"));
                let (reference, name) = if let Some(reference) = of("Ref") {
                    (reference, resolve(cluster, object, reference.1, &value, &path, report))
                } else if let Some(reference) = of("ARN") {
                    (reference, from_arn(object, reference.2, &value, &path, report))
                } else {
                    let value = names(cluster, object, value, &path, &member, report);
                    named.insert(member, value);
                    continue;
                };
                let Some(name) = name else { continue };
                let target = match (reference.0, list) {
                    ("virtualNode", "weightedTargets") => "virtualNode".to_owned(),
                    (name, _) => format!("{name}Name"),
                };
                if named.insert(target, json!(name)).is_some() {
                    report.error(object.place(), &path, "a reference and an ARN exclude each other");
                }
            }
            Value::Object(named)
        }
        other => other,
    }
}

/// The name in App Mesh of what a reference means.
pub fn resolve(
    cluster: &Cluster<'_>,
    object: &Object<'_>,
    kind: &str,
    reference: &Value,
    path: &str,
    report: &mut Report,
) -> Option<String> {
    let Some(name) = reference.get("name").and_then(Value::as_str) else {
        report.error(object.place(), path, "the reference has no name");
        return None;
    };
    let namespace = reference
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or(&object.namespace);
    if let Some(found) = cluster.find(kind, namespace, name) {
        return Some(found.aws_name());
    }
    let assumed = default_name(kind, name, namespace);
    let reason = format!("{kind} {namespace}/{name} is not among the files: its default name {assumed} is taken");
    report.warning(object.place(), path, reason);
    Some(assumed)
}

fn from_arn(object: &Object<'_>, kind: Kind, value: &Value, path: &str, report: &mut Report) -> Option<String> {
    let key = value.as_str().and_then(Key::parse).filter(|key| key.kind == kind);
    if key.is_none() {
        report.error(
            object.place(),
            path,
            format!("expected the ARN of a {kind}, found {value}"),
        );
    }
    key.map(|key| key.name)
}

/// Adds the virtual services of a node's backend groups to its backends.
pub fn backend_groups(cluster: &Cluster<'_>, object: &Object<'_>, spec: &mut Value, report: &mut Report) {
    let groups = object.spec.get("backendGroups").and_then(Value::as_array);
    let mut services = Vec::new();
    for (index, group) in groups.into_iter().flatten().enumerate() {
        let path = object.below(&format!("spec.backendGroups[{index}]"));
        let name = group.get("name").and_then(Value::as_str).unwrap_or_default();
        let namespace = group
            .get("namespace")
            .and_then(Value::as_str)
            .unwrap_or(&object.namespace);
        if name == "*" {
            let all = cluster
                .of_kind("VirtualService")
                .filter(|service| service.namespace == namespace);
            services.extend(all.map(Object::aws_name));
            continue;
        }
        let Some(group) = cluster.find("BackendGroup", namespace, name) else {
            let reason = format!("BackendGroup {namespace}/{name} is not among the files: its backends are not known");
            report.error(object.place(), &path, reason);
            continue;
        };
        let listed = group.spec.get("virtualservices").and_then(Value::as_array);
        for reference in listed.into_iter().flatten() {
            services.extend(resolve(cluster, object, "VirtualService", reference, &path, report));
        }
    }
    let Some(spec) = spec.as_object_mut() else { return };
    let backends = spec.entry("backends").or_insert_with(|| json!([]));
    let Some(backends) = backends.as_array_mut() else {
        return;
    };
    for service in services {
        let is_it = |backend: &Value| backend.pointer("/virtualService/virtualServiceName") == Some(&json!(service));
        if !backends.iter().any(is_it) {
            backends.push(json!({"virtualService": {"virtualServiceName": service}}));
        }
    }
}
