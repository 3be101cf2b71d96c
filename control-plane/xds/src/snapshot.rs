//! Everything that one proxy may ask for, at one revision: sealed, immutable, shared by all its streams.

mod leaves;
mod restored;
mod shrink;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::content::Content;
use crate::resource::{Resource, SetVersion};
pub use shrink::Shrink;

/// One resource naming another, as the emitter knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The type of the resource that is named.
    pub type_url: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The name of the resource that names it. A push holds a resource back while a cluster that only
    /// it names was refused by the proxy, and finds through it what warms after a change.
    pub from: Arc<str>,
}

impl Reference {
    /// A reference to the resource `name` of type `type_url` in the resource named `from`.
    pub fn new(type_url: impl Into<Arc<str>>, name: impl Into<Arc<str>>, from: impl Into<Arc<str>>) -> Self {
        Self {
            type_url: type_url.into(),
            name: name.into(),
            from: from.into(),
        }
    }
}

/// Why resources don't make a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A resource names one that is not there.
    #[error("`{from}` refers to `{name}`, but there is no such resource of type {type_url}")]
    Unresolved {
        /// The type of the missing resource.
        type_url: Arc<str>,
        /// The name of the missing resource.
        name: Arc<str>,
        /// The name of the resource that refers to it.
        from: Arc<str>,
    },
    /// Two resources of one type have the same name.
    #[error("two resources of type {type_url} are named `{name}`")]
    Duplicate {
        /// Their type.
        type_url: Arc<str>,
        /// Their name.
        name: Arc<str>,
    },
    /// A resource has no name, or is named `*`, which means "all" in a subscription.
    #[error("a resource of type {type_url} is named `{name}`, which no proxy can ask for")]
    Unnameable {
        /// The resource's type.
        type_url: Arc<str>,
        /// The name.
        name: Arc<str>,
    },
}

/// The resources of one type in a snapshot.
#[derive(Debug, Clone, Default)]
pub struct ResourceSet {
    /// Shared by snapshots that have the same.
    pub(crate) by_name: Arc<ByName>,
    version: SetVersion,
}

pub(crate) type ByName = BTreeMap<Arc<str>, Arc<Resource>>;

impl ResourceSet {
    /// The resource of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        self.by_name.get(name)
    }

    /// All resources, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_name.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The type's version: a hash over name and version of every resource.
    pub fn version(&self) -> SetVersion {
        self.version
    }

    /// Adds a resource, and gives the one whose place it takes.
    fn insert(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        self.version = self.version.with(&resource);
        let by_name = Arc::make_mut(&mut self.by_name);
        let before = by_name.insert(Arc::clone(resource.name()), resource);
        if let Some(before) = &before {
            self.version = self.version.without(before);
        }
        before
    }
}

/// A name that a proxy can ask for.
fn nameable(type_url: &str, name: Arc<str>) -> Result<Arc<str>, SealError> {
    if name.is_empty() || &*name == "*" {
        return Err(SealError::Unnameable {
            type_url: type_url.into(),
            name,
        });
    }
    Ok(name)
}

/// The type URL and the name of what is referred to.
pub(crate) type Target = (Arc<str>, Arc<str>);

/// What the resources of each name refer to, in the order of these names.
pub(crate) type References = [(Arc<str>, Arc<[Target]>)];

/// Makes resources of contents: by encoding them, or by finding the same one made before.
pub(crate) trait Maker {
    /// The resource of this type, name and content.
    fn resource(&mut self, type_url: &str, name: Arc<str>, content: Content) -> Arc<Resource>;

    /// The same targets.
    fn targets(&mut self, targets: Vec<Target>) -> Arc<[Target]>;
}

/// Makes each anew.
pub(crate) struct Anew;

impl Maker for Anew {
    fn resource(&mut self, type_url: &str, name: Arc<str>, content: Content) -> Arc<Resource> {
        Arc::new(Resource::new(type_url, name, &content))
    }

    fn targets(&mut self, targets: Vec<Target>) -> Arc<[Target]> {
        targets.into()
    }
}

/// What one proxy shall have. Made by [`Snapshot::seal`].
///
/// ```
/// use ferromesh_xds::{type_url, Reference, Snapshot};
///
/// let cluster = (type_url::CLUSTER, "blue", "encoded cluster".into());
/// let routes = (type_url::ROUTE, "egress", "encoded routes".into());
/// let to_blue = Reference::new(type_url::CLUSTER, "blue", "egress");
/// let snapshot = Snapshot::seal([cluster, routes.clone()], [to_blue.clone()]).unwrap();
/// assert_eq!(snapshot.resources(type_url::CLUSTER).len(), 1);
///
/// let dangling = Snapshot::seal([routes], [to_blue]).unwrap_err();
/// assert!(dangling.to_string().starts_with("`egress` refers to `blue`"));
/// ```
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) sets: BTreeMap<Arc<str>, ResourceSet>,
    pub(crate) references: Arc<References>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            sets: BTreeMap::new(),
            references: [].into(),
        }
    }
}

static NO_RESOURCES: LazyLock<ResourceSet> = LazyLock::new(ResourceSet::default);

impl Snapshot {
    /// Encodes the resources for the wire, gives them their versions and checks that every reference
    /// resolves. `resources` are `(type URL, name, encoded message without the Any)`.
    ///
    /// # Errors
    /// A duplicate name, a name that cannot be asked for, or a reference to what is not there.
    pub fn seal<T, N>(
        resources: impl IntoIterator<Item = (T, N, Bytes)>,
        references: impl IntoIterator<Item = Reference>,
    ) -> Result<Self, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let resources = resources
            .into_iter()
            .map(|(type_url, name, value)| (type_url, name, Content::from(value)));
        Self::seal_by(&mut Anew, resources, references)
    }

    pub(crate) fn seal_by<T, N>(
        maker: &mut impl Maker,
        resources: impl IntoIterator<Item = (T, N, Content)>,
        references: impl IntoIterator<Item = Reference>,
    ) -> Result<Self, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let mut sets: BTreeMap<Arc<str>, ResourceSet> = BTreeMap::new();
        for (type_url, name, content) in resources {
            let type_url = type_url.as_ref();
            let name = nameable(type_url, name.into())?;
            let set = match sets.get_mut(type_url) {
                Some(set) => set,
                None => sets.entry(type_url.into()).or_default(),
            };
            if let Some(before) = set.insert(maker.resource(type_url, name, content)) {
                return Err(SealError::Duplicate {
                    type_url: type_url.into(),
                    name: Arc::clone(before.name()),
                });
            }
        }
        let mut by_referrer: BTreeMap<Arc<str>, Vec<Target>> = BTreeMap::new();
        for Reference { type_url, name, from } in references {
            // The names in references are the sets' and the resources' own.
            let known = sets.get_key_value(&type_url);
            let Some((known, resource)) = known.and_then(|(known, set)| Some((known, set.get(&name)?))) else {
                return Err(SealError::Unresolved { type_url, name, from });
            };
            let target = (Arc::clone(known), Arc::clone(resource.name()));
            by_referrer.entry(from).or_default().push(target);
        }
        let own = |from: Arc<str>| {
            let known = sets.values().find_map(|set| set.get(&from));
            known.map_or(from, |resource| Arc::clone(resource.name()))
        };
        let references = by_referrer
            .into_iter()
            .map(|(from, targets)| (own(from), maker.targets(targets)))
            .collect();
        Ok(Self { sets, references })
    }

    /// The same snapshot with other resources of one type, those that have not changed shared: for a source that knows that
    /// nothing else has changed. The references stay.
    ///
    /// # Errors
    /// As for [`Snapshot::seal`]; what is referred to must still be there.
    pub fn replacing<N: Into<Arc<str>>>(
        &self,
        type_url: &str,
        resources: impl IntoIterator<Item = (N, Bytes)>,
    ) -> Result<Self, SealError> {
        let before = self.resources(type_url);
        let mut set = ResourceSet::default();
        for (name, value) in resources {
            let name = nameable(type_url, name.into())?;
            let known = before.get(&name).filter(|known| known.is_of(type_url, &value));
            let resource = known.map_or_else(|| Anew.resource(type_url, name.clone(), value.into()), Arc::clone);
            if set.insert(resource).is_some() {
                return Err(SealError::Duplicate {
                    type_url: type_url.into(),
                    name,
                });
            }
        }
        let mut changed = Self::default();
        if !set.is_empty() {
            changed.sets.insert(type_url.into(), set);
        }
        for (from, targets) in self.references.iter() {
            let of_type = targets.iter().filter(|(target, _)| &**target == type_url);
            for (target, name) in of_type {
                if changed.resources(type_url).get(name).is_none() {
                    return Err(SealError::Unresolved {
                        type_url: target.clone(),
                        name: name.clone(),
                        from: from.clone(),
                    });
                }
            }
        }
        let others = self.sets.iter().filter(|(other, _)| &***other != type_url);
        let others = others.map(|(other, set)| (other.clone(), set.clone()));
        changed.sets.extend(others);
        changed.references = Arc::clone(&self.references);
        Ok(changed)
    }

    /// The same snapshot with these resources added, or in the place of those of the same names; everything else is shared.
    /// For a source that knows what has changed: costs what the change costs, and a pointer for each resource of the types
    /// that changed.
    ///
    /// # Errors
    /// A name that cannot be asked for.
    pub fn with<T, N>(&self, resources: impl IntoIterator<Item = (T, N, Bytes)>) -> Result<Self, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let resources = resources
            .into_iter()
            .map(|(type_url, name, value)| (type_url, name, Content::from(value)));
        self.with_by(&mut Anew, resources)
    }

    pub(crate) fn with_by<T, N>(
        &self,
        maker: &mut impl Maker,
        resources: impl IntoIterator<Item = (T, N, Content)>,
    ) -> Result<Self, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let mut changed = Self {
            sets: self.sets.clone(),
            references: Arc::clone(&self.references),
        };
        for (type_url, name, content) in resources {
            let type_url = type_url.as_ref();
            let name = nameable(type_url, name.into())?;
            let set = changed.sets.entry(type_url.into()).or_default();
            set.insert(maker.resource(type_url, name, content));
        }
        Ok(changed)
    }

    /// The resources of a type; an empty set for a type of which there is none.
    pub fn resources(&self, type_url: &str) -> &ResourceSet {
        self.sets.get(type_url).unwrap_or(&NO_RESOURCES)
    }

    /// The types of which there is at least one resource.
    pub fn type_urls(&self) -> impl Iterator<Item = &Arc<str>> {
        self.sets.keys()
    }

    /// How many resources there are of all types.
    pub fn len(&self) -> usize {
        self.sets.values().map(ResourceSet::len).sum()
    }

    /// Whether there is no resource at all.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// `(type URL, name)` of everything that the resources named `from` refer to.
    pub(crate) fn references_of(&self, from: &str) -> &[Target] {
        let place = self.references.binary_search_by(|(known, _)| (**known).cmp(from));
        place.map_or(&[], |place| &self.references[place].1)
    }
}

#[cfg(test)]
mod tests;
