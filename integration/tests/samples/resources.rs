//! The resources in a sample's file.

use serde::{de::DeserializeOwned, Deserialize};
use serde_json::Value;

use super::Platform;

/// A Kubernetes resource, as far as it is the same for all kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
    pub namespace: String,
}

/// All resources in a file of a platform's samples.
pub fn read(platform: Platform, name: &str) -> Vec<Resource> {
    let path = platform.folder().join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The resource of a kind in the first of some files that has one.
pub fn find(platform: Platform, files: &[&str], kind: &str) -> Resource {
    files
        .iter()
        .flat_map(|file| read(platform, file))
        .find(|resource| resource.kind == kind)
        .unwrap_or_else(|| panic!("no {kind} in {files:?} of {platform:?}"))
}

impl Resource {
    /// The spec in the form that it should have.
    pub fn spec<T: DeserializeOwned>(&self) -> T {
        T::deserialize(&self.spec).unwrap_or_else(|error| panic!("{} {}: {error}", self.kind, self.metadata.name))
    }
}
