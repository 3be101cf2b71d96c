//! Everything that one Envoy holds, as opaque resources.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use ferromesh_xds::{type_url, Reference, SealError, Snapshot};

/// One resource, as the control plane sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The control plane's version; of the whole type where a state-of-the-world stream brought it.
    pub version: String,
    /// The message in the `Any`.
    pub value: Bytes,
}

/// The resources of one type, by name.
pub type Resources = BTreeMap<Arc<str>, Kept>;

/// All resources of one Envoy, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    types: BTreeMap<Arc<str>, Resources>,
    bytes: usize,
}

impl Configuration {
    /// Puts a resource, in the place of one of that name.
    pub fn put(&mut self, type_url: &Arc<str>, name: Arc<str>, kept: Kept) {
        self.bytes += size(&name, &kept);
        let resources = self.types.entry(Arc::clone(type_url)).or_default();
        if let Some(before) = resources.insert(Arc::clone(&name), kept) {
            self.bytes -= size(&name, &before);
        }
    }

    /// Takes a resource away, if it is there.
    pub fn remove(&mut self, type_url: &str, name: &str) {
        let Some(resources) = self.types.get_mut(type_url) else {
            return;
        };
        if let Some((name, before)) = resources.remove_entry(name) {
            self.bytes -= size(&name, &before);
        }
        if resources.is_empty() {
            self.types.remove(type_url);
        }
    }

    /// Takes away what is not named; says whether anything was.
    pub fn retain(&mut self, type_url: &str, names: &BTreeSet<Arc<str>>) -> bool {
        let gone: Vec<Arc<str>> = match self.types.get(type_url) {
            Some(resources) => resources
                .keys()
                .filter(|name| !names.contains(*name))
                .cloned()
                .collect(),
            None => return false,
        };
        for name in &gone {
            self.remove(type_url, name);
        }
        !gone.is_empty()
    }

    /// `(type, name, resource)` of all of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Kept)> {
        let of_type = |(type_url, resources)| -> _ {
            let resources: &Resources = resources;
            resources.iter().map(move |(name, kept)| (type_url, name, kept))
        };
        self.types.iter().flat_map(of_type)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.types.values().map(BTreeMap::len).sum()
    }

    /// Bytes of all names and resources.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it is as a snapshot, with the control plane's versions: an Envoy that has all this is sent nothing.
    ///
    /// # Errors
    /// A name that nobody can ask for.
    pub fn seal(&self) -> Result<Snapshot, SealError> {
        let resources = self.iter().map(|(type_url, name, kept)| {
            let value = kept.value.clone();
            (Arc::clone(type_url), Arc::clone(name), kept.version.as_str(), value)
        });
        // Nothing is decoded to find out what refers to what, except by names: endpoints are named like their cluster.
        let endpoints = self.types.get(type_url::ENDPOINT);
        let references = self.types.get(type_url::CLUSTER).into_iter().flat_map(Resources::keys);
        let references = references
            .filter(|name| endpoints.is_some_and(|endpoints| endpoints.contains_key(*name)))
            .map(|name| Reference::new(type_url::ENDPOINT, Arc::clone(name), Arc::clone(name)));
        Snapshot::restore(resources, references)
    }
}

fn size(name: &str, kept: &Kept) -> usize {
    name.len() + kept.version.len() + kept.value.len()
}
