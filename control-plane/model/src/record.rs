//! The stored form of one resource: the spec as it was sent, and what the control plane knows about it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::Key;

/// One resource as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Which resource this is.
    pub key: Key,
    /// The spec exactly as the client sent it: absent members stay absent, empty lists stay empty, arrays keep their
    /// order. Clients compare what they read with what they wrote, so nothing is ever filled in here.
    pub spec: Value,
    /// What the control plane knows about the resource.
    pub metadata: Metadata,
    /// Tags in the order of their keys, which are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// What the control plane knows about a resource, in the wire form of App Mesh's `ResourceMetadata`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The resource's ARN.
    pub arn: String,
    /// Creation time in seconds since 1970-01-01 UTC, with a fraction.
    pub created_at: f64,
    /// Time of the last change of the spec in seconds since 1970-01-01 UTC, with a fraction.
    pub last_updated_at: f64,
    /// Account that owns the mesh.
    pub mesh_owner: String,
    /// Account that owns the resource.
    pub resource_owner: String,
    /// A UUID that no other resource has had, not even one of the same name.
    pub uid: String,
    /// 1 after creation, one more after each change of the spec. Tags do not count.
    pub version: u64,
}

/// A mesh that its owner lets another account use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    /// Name of the mesh.
    pub mesh: String,
    /// Account that owns it, 12 digits.
    pub mesh_owner: String,
    /// Account that may use it, 12 digits.
    pub account: String,
    /// Since when, in seconds since 1970-01-01 UTC, with a fraction.
    pub shared_at: f64,
}

/// A tag of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    /// Key, 1 to 128 characters.
    pub key: String,
    /// Value, up to 256 characters.
    pub value: String,
}
