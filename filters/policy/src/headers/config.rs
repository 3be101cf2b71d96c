//! The header part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

/// Operations on requests, and as many on responses.
pub(super) const MAX_OPERATIONS: usize = 32;

/// What is set, added and removed. Operations are carried out in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HeadersConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// On the request, before it goes to its target; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, length(max = MAX_OPERATIONS)))]
    pub request: Vec<Operation>,
    /// On the response, before it goes to the client; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, length(max = MAX_OPERATIONS)))]
    pub response: Vec<Operation>,
}

/// One change of headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Replaces all values of the name.
    Set(Field),
    /// Adds a value to those that are there.
    Add(Field),
    /// Removes all values of the name.
    Remove(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))] String),
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// The name: lower case, 1 to 255 bytes. Not one that Envoy or the mesh steers by (`x-envoy-*`,
    /// `x-ferromesh-*`, `:path` and its like, `host`) or that belongs to a connection.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub name: String,
    /// The value, at most 4096 bytes. `{request.id}`, `{source.address}` and the like are replaced; a brace
    /// of its own is written twice.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 4_096)))]
    pub value: String,
}

impl Operation {
    /// The kind's name, the header's name and the value where there is one.
    pub(super) fn parts(&self) -> (&'static str, &str, Option<&str>) {
        match self {
            Self::Set(field) => ("set", &field.name, Some(&field.value)),
            Self::Add(field) => ("add", &field.name, Some(&field.value)),
            Self::Remove(name) => ("remove", name, None),
        }
    }
}
