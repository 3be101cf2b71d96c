//! Snapshots of what another server has sent.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Maker, Reference, SealError, Snapshot, Target};
use crate::content::Content;
use crate::resource::{Identity, Resource, Version};

impl Snapshot {
    /// As [`Snapshot::seal`], of resources with the versions that a server has given them, so that a client which has them
    /// from there is sent nothing. A version is made of how the server put the content together, which its bytes don't show;
    /// one that is none of ours is replaced by one that is. `resources` are
    /// `(type URL, name, version, encoded message without the Any)`.
    ///
    /// # Errors
    /// As for [`Snapshot::seal`].
    pub fn restore<'a>(
        resources: impl IntoIterator<Item = (Arc<str>, Arc<str>, &'a str, Bytes)>,
        references: impl IntoIterator<Item = Reference>,
    ) -> Result<Self, SealError> {
        let mut versions = HashMap::new();
        let mut contents = Vec::new();
        for (type_url, name, version, value) in resources {
            if let Some(version) = Version::parse(version) {
                versions.insert((Arc::clone(&type_url), Arc::clone(&name)), version);
            }
            contents.push((type_url, name, Content::from(value)));
        }
        Self::seal_by(&mut Restored(versions), contents, references)
    }
}

/// Makes resources with the versions that they had.
struct Restored(HashMap<Target, Version>);

impl Maker for Restored {
    fn resource(&mut self, type_url: &str, name: Arc<str>, content: Content) -> Arc<Resource> {
        let made = Identity::of(type_url, &name, &content);
        let identity = match self.0.get(&(Arc::from(type_url), Arc::clone(&name))) {
            Some(version) => made.with_version(*version),
            None => made,
        };
        Arc::new(Resource::identified(identity, type_url, name, &content))
    }

    fn targets(&mut self, targets: Vec<Target>) -> Arc<[Target]> {
        targets.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::type_url::CLUSTER;

    #[test]
    fn a_version_of_ours_stays_and_a_foreign_one_is_made_anew() {
        let value = Bytes::from_static(b"content");
        let sealed = Snapshot::seal([(CLUSTER, "ours", value.clone())], []).unwrap();
        let known = sealed.resources(CLUSTER).get("ours").unwrap().version();
        let resource = |name: &str, version| (Arc::from(CLUSTER), Arc::from(name), version, value.clone());
        let another = "0123456789abcdef";
        let restored = Snapshot::restore([resource("ours", another), resource("foreign", "17")], []).unwrap();
        let version = |name: &str| restored.resources(CLUSTER).get(name).unwrap().version();
        assert_eq!(version("ours").to_string(), another);
        assert_ne!(version("ours"), known);
        assert_eq!(version("foreign").to_string().len(), 16);
    }
}
