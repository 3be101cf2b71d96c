//! Resources as responses carry them.

use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::Kind;
use serde_json::{json, Map, Value};

/// A resource's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Deleted,
}

/// The resource with its spec: `VirtualNodeData` and the like.
pub(super) fn data(record: &Record, status: Status) -> Value {
    let status = match status {
        Status::Active => "ACTIVE",
        Status::Deleted => "DELETED",
    };
    let mut data = names(record);
    data.insert("metadata".to_owned(), json!(record.metadata));
    data.insert(
        "spec".to_owned(),
        ferromesh_model::describe(record.key.kind, &record.spec),
    );
    data.insert("status".to_owned(), json!({ "status": status }));
    Value::Object(data)
}

/// The resource as lists have it: `VirtualNodeRef` and the like.
pub(super) fn reference(record: &Record) -> Value {
    let Metadata {
        arn,
        created_at,
        last_updated_at,
        mesh_owner,
        resource_owner,
        uid: _,
        version,
    } = &record.metadata;
    let mut reference = names(record);
    reference.insert("arn".to_owned(), json!(arn));
    reference.insert("createdAt".to_owned(), json!(created_at));
    reference.insert("lastUpdatedAt".to_owned(), json!(last_updated_at));
    reference.insert("meshOwner".to_owned(), json!(mesh_owner));
    reference.insert("resourceOwner".to_owned(), json!(resource_owner));
    reference.insert("version".to_owned(), json!(version));
    Value::Object(reference)
}

/// Names of the resource and of everything above it.
fn names(record: &Record) -> Map<String, Value> {
    let key = &record.key;
    let mut names = Map::new();
    names.insert(Kind::Mesh.name_member().to_owned(), json!(key.mesh));
    if let (Some(kind), Some(parent)) = (key.kind.parent(), &key.parent) {
        names.insert(kind.name_member().to_owned(), json!(parent));
    }
    names.insert(key.kind.name_member().to_owned(), json!(key.name));
    names
}
