//! Equal resources of many proxies, held once.
//!
//! The proxies of a mesh have much in common: the clusters of the services that all of them call, the filter module. Each
//! proxy's snapshot is sealed by itself; passed through a pool, they share what is equal, and a thousand proxies cost what
//! differs between them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::resource::{Identity, Resource};
use crate::snapshot::{ResourceSet, Snapshot};

/// Entries below which nobody looks for those that are gone.
const SWEEP_FROM: usize = 1024;

/// Resources by what they are. Holds none of them alive.
#[derive(Debug, Default)]
pub struct Pool {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    resources: HashMap<Identity, Weak<Resource>>,
    /// Number of entries at which those of resources that are gone are removed.
    sweep_at: usize,
}

impl Pool {
    /// The same snapshot, with resources that some earlier one brought in the place of its equal ones.
    #[must_use]
    pub fn share(&self, snapshot: Snapshot) -> Snapshot {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.exchange(|resource| shelf.exchange(resource))
    }

    /// How many different resources are in use, as far as is known: those that have gone lately are counted too.
    pub fn len(&self) -> usize {
        self.shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .resources
            .len()
    }

    /// Whether nothing was ever shared.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shelf {
    fn exchange(&mut self, resource: &Arc<Resource>) -> Arc<Resource> {
        let place = self.resources.entry(resource.identity()).or_default();
        if let Some(known) = place.upgrade() {
            return known;
        }
        *place = Arc::downgrade(resource);
        if self.resources.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.resources.retain(|_, resource| resource.strong_count() > 0);
            self.sweep_at = 2 * self.resources.len();
        }
        Arc::clone(resource)
    }
}

impl Snapshot {
    fn exchange(mut self, mut exchange: impl FnMut(&Arc<Resource>) -> Arc<Resource>) -> Self {
        for set in self.sets.values_mut() {
            set.exchange(&mut exchange);
        }
        // The names in references are the resources' own, once more.
        for (type_url, name) in self.references.values_mut().flatten() {
            if let Some((known, set)) = self.sets.get_key_value(type_url) {
                *type_url = Arc::clone(known);
                if let Some(resource) = set.get(name) {
                    *name = Arc::clone(resource.name());
                }
            }
        }
        self
    }
}

impl ResourceSet {
    fn exchange(&mut self, exchange: &mut impl FnMut(&Arc<Resource>) -> Arc<Resource>) {
        let before = std::mem::take(&mut self.by_name);
        self.by_name = before
            .into_values()
            .map(|resource| exchange(&resource))
            .map(|resource| (Arc::clone(resource.name()), resource))
            .collect::<BTreeMap<_, _>>();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::snapshot::Reference;
    use crate::type_url::{CLUSTER, ROUTE};

    fn snapshot(own: &'static str) -> Snapshot {
        let resources = [
            (CLUSTER, "all", Bytes::from_static(b"same")),
            (ROUTE, "own", Bytes::from_static(own.as_bytes())),
        ];
        Snapshot::seal(resources, [Reference::new(CLUSTER, "all", "own")]).unwrap()
    }

    fn resource(snapshot: &Snapshot, type_url: &str, name: &str) -> Arc<Resource> {
        Arc::clone(snapshot.resources(type_url).get(name).unwrap())
    }

    #[test]
    fn equal_resources_of_two_snapshots_are_one_and_others_stay_apart() {
        let pool = Pool::default();
        let (one, two) = (pool.share(snapshot("1")), pool.share(snapshot("2")));
        assert!(Arc::ptr_eq(
            &resource(&one, CLUSTER, "all"),
            &resource(&two, CLUSTER, "all")
        ));
        assert!(!Arc::ptr_eq(
            &resource(&one, ROUTE, "own"),
            &resource(&two, ROUTE, "own")
        ));
        assert_eq!(two.resources(ROUTE).version(), snapshot("2").resources(ROUTE).version());
        assert_eq!(two.references_of("own"), snapshot("2").references_of("own"));
        assert_eq!(pool.len(), 3);
    }

    #[test]
    fn what_nobody_uses_any_more_is_neither_held_nor_remembered() {
        let pool = Pool::default();
        let first = pool.share(snapshot("1"));
        let gone = Arc::downgrade(&resource(&first, CLUSTER, "all"));
        drop(first);
        assert!(gone.upgrade().is_none());
        for number in 0..3 * SWEEP_FROM {
            let name = format!("r{number}");
            drop(pool.share(Snapshot::seal([(ROUTE, name, Bytes::new())], []).unwrap()));
        }
        assert!(pool.len() <= SWEEP_FROM + 1, "{}", pool.len());
    }
}
