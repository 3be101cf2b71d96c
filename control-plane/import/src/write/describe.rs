//! A dump, as the dump script takes it: what `describe-…` and `list-tags-for-resource` print.

use serde_json::json;

use super::{pretty, File, Names, Written};
use crate::resource::Resource;

/// One file a resource: its describe output, then its tags.
pub fn describe(resources: &[Resource]) -> Written {
    let mut names = Names::default();
    let file = |resource: &Resource| File {
        name: names.file(resource),
        text: text(resource),
    };
    Written {
        files: resources.iter().map(file).collect(),
        findings: Vec::new(),
    }
}

fn text(resource: &Resource) -> String {
    let key = &resource.key;
    let mut described = json!({ "meshName": key.mesh, "spec": resource.spec });
    if let (Some(kind), Some(parent)) = (key.kind.parent(), &key.parent) {
        described[kind.name_member()] = json!(parent);
    }
    described[key.kind.name_member()] = json!(key.name);
    match (&resource.metadata, &resource.mesh_owner) {
        (Some(metadata), _) => described["metadata"] = metadata.clone(),
        (None, Some(owner)) => described["metadata"] = json!({ "meshOwner": owner }),
        (None, None) => {}
    }
    let mut text = pretty(&json!({ key.kind.wire_name(): described }));
    if let Some(tags) = resource.tag_list() {
        text.push_str(&pretty(&json!({ "tags": tags })));
    }
    text
}
