//! A CloudFormation template.

use std::collections::{BTreeSet, HashMap};

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use super::{pretty, respell::respell, File, Written};
use crate::{
    cloudformation::property,
    resource::{spec_shape, Resource},
    spelling::Spelling,
};

/// One template, in JSON. Parents are referred to by `Fn::GetAtt`, whatever else has to be there first by `DependsOn`.
pub fn cloudformation(resources: &[Resource]) -> Written {
    let ids = logical_ids(resources);
    let mut written = Map::new();
    for resource in resources {
        let key = &resource.key;
        let mut properties = Map::new();
        let mut depends: BTreeSet<&String> = BTreeSet::new();
        let mut name = |kind: Kind, target: &Key, name: &str| {
            let value = match ids.get(target) {
                Some(id) if target != key => json!({"Fn::GetAtt": [id, property(kind)]}),
                _ => json!(name),
            };
            properties.insert(property(kind), value);
        };
        if key.kind != Kind::Mesh {
            name(Kind::Mesh, &Key::mesh(key.mesh.clone()), &key.mesh);
        }
        if let (Some(kind), Some(parent), Some(target)) = (key.kind.parent(), &key.parent, key.parent_key()) {
            name(kind, &target, parent);
        }
        name(key.kind, key, &key.name);
        if let (Some(owner), true) = (&resource.mesh_owner, key.kind != Kind::Mesh) {
            properties.insert("MeshOwner".to_owned(), json!(owner));
        }
        properties.insert(
            "Spec".to_owned(),
            respell(Spelling::CloudFormation, spec_shape(key.kind), &resource.spec),
        );
        if let Some(tags) = &resource.tags {
            let tags = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            properties.insert("Tags".to_owned(), tags.collect());
        }
        references(&key.mesh, &resource.spec, &mut |target| {
            depends.extend(ids.get(&target))
        });
        let mut body = json!({
            "Type": format!("AWS::AppMesh::{}", key.kind.shape_name()),
            "Properties": properties,
        });
        // A node and a service may name each other, which no template can say; the node's side is not needed.
        if !depends.is_empty() && key.kind != Kind::VirtualNode {
            body["DependsOn"] = json!(depends);
        }
        if let Some(id) = ids.get(key) {
            written.insert(id.clone(), body);
        }
    }
    let template = json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": written});
    Written {
        files: vec![File {
            name: "template.json".to_owned(),
            text: pretty(&template),
        }],
        findings: Vec::new(),
    }
}

/// Calls `found` with every resource that a spec refers to.
pub fn references(mesh: &str, spec: &Value, found: &mut dyn FnMut(Key)) {
    match spec {
        Value::Array(items) => items.iter().for_each(|item| references(mesh, item, found)),
        Value::Object(members) => {
            for (member, value) in members {
                let kind = match member.as_str() {
                    "virtualNodeName" | "virtualNode" => Kind::VirtualNode,
                    "virtualRouterName" => Kind::VirtualRouter,
                    "virtualServiceName" => Kind::VirtualService,
                    _ => {
                        references(mesh, value, found);
                        continue;
                    }
                };
                match value {
                    Value::String(name) => found(Key::in_mesh(mesh, kind, name.clone())),
                    inner => references(mesh, inner, found),
                }
            }
        }
        _ => {}
    }
}

/// Letters and digits, each only once.
fn logical_ids(resources: &[Resource]) -> HashMap<Key, String> {
    let mut ids = HashMap::new();
    let mut taken = BTreeSet::new();
    for resource in resources {
        let plain = resource.key.name.chars().filter(char::is_ascii_alphanumeric).take(100);
        let base: String = resource.key.kind.shape_name().chars().chain(plain).collect();
        let mut id = base.clone();
        let mut number = 1;
        while !taken.insert(id.clone()) {
            number += 1;
            id = format!("{base}N{number}");
        }
        ids.insert(resource.key.clone(), id);
    }
    ids
}
