//! Everything that one proxy may ask for, at one revision: sealed, immutable, shared by all its streams.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::resource::{Resource, SetVersion};

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
    pub(crate) by_name: BTreeMap<Arc<str>, Arc<Resource>>,
    version: SetVersion,
}

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

    /// Encodes and adds a resource, and gives the one whose place it takes.
    fn put(&mut self, type_url: &str, name: Arc<str>, value: &[u8]) -> Result<Option<Arc<Resource>>, SealError> {
        let name = nameable(type_url, name)?;
        Ok(self.insert(Arc::new(Resource::encode(type_url, name, value))))
    }

    fn insert(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        self.version = self.version.with(&resource);
        let before = self.by_name.insert(Arc::clone(resource.name()), resource);
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
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) sets: BTreeMap<Arc<str>, ResourceSet>,
    pub(crate) references: HashMap<Arc<str>, Vec<Target>>,
}

static NO_RESOURCES: ResourceSet = ResourceSet {
    by_name: BTreeMap::new(),
    version: SetVersion::NONE,
};

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
        let mut sets: BTreeMap<Arc<str>, ResourceSet> = BTreeMap::new();
        for (type_url, name, value) in resources {
            let (type_url, name) = (type_url.as_ref(), name.into());
            let set = sets.entry(type_url.into()).or_default();
            if set.put(type_url, name.clone(), &value)?.is_some() {
                return Err(SealError::Duplicate {
                    type_url: type_url.into(),
                    name,
                });
            }
        }

        let mut by_referrer: HashMap<Arc<str>, Vec<Target>> = HashMap::new();
        for Reference { type_url, name, from } in references {
            if sets.get(&type_url).and_then(|set| set.get(&name)).is_none() {
                return Err(SealError::Unresolved { type_url, name, from });
            }
            by_referrer.entry(from).or_default().push((type_url, name));
        }
        Ok(Self {
            sets,
            references: by_referrer,
        })
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
            let resource = known.map_or_else(
                || Arc::new(Resource::encode(type_url, name.clone(), &value)),
                Arc::clone,
            );
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
        for (from, targets) in &self.references {
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
        changed.references.clone_from(&self.references);
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
        let mut changed = Self {
            sets: self.sets.clone(),
            references: self.references.clone(),
        };
        for (type_url, name, value) in resources {
            let type_url = type_url.as_ref();
            let set = changed.sets.entry(type_url.into()).or_default();
            set.put(type_url, name.into(), &value)?;
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
        self.references.get(from).map_or(&[], Vec::as_slice)
    }

    /// How much of `previous` is gone here, if anything is: for a publisher to refuse a snapshot that
    /// would take down most of a proxy, as a read from an empty or damaged store gives one.
    pub fn is_shrunken(&self, previous: &Snapshot) -> Option<Shrink> {
        let mut shrink = Shrink {
            before: previous.len(),
            removed: 0,
            emptied: Vec::new(),
        };
        for (type_url, before) in &previous.sets {
            let now = self.resources(type_url);
            shrink.removed += before.iter().filter(|r| now.get(r.name()).is_none()).count();
            if now.is_empty() {
                shrink.emptied.push(type_url.clone());
            }
        }
        (shrink.removed > 0).then_some(shrink)
    }
}

/// What a snapshot lacks that the one before had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrink {
    /// How many resources there were before. Never 0.
    pub before: usize,
    /// How many of them are not there any more. Never 0.
    pub removed: usize,
    /// The types of which nothing is left.
    pub emptied: Vec<Arc<str>>,
}

impl Shrink {
    /// The removed share of what was there, in percent, rounded up.
    pub fn percent(&self) -> usize {
        (self.removed * 100).div_ceil(self.before.max(1))
    }
}

impl fmt::Display for Shrink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} resources ({} %) would be removed",
            self.removed,
            self.before,
            self.percent()
        )?;
        if !self.emptied.is_empty() {
            write!(f, ", among them all of {}", self.emptied.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
