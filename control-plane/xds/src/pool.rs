//! Equal resources of many proxies, held once.
//!
//! The proxies of a mesh have much in common: the clusters of the services that all of them call, the filter module. Each
//! proxy's snapshot is sealed by itself; sealed by a pool, they share what is equal, down to the pieces of a resource and up
//! to whole sets of them, and a thousand proxies cost what differs between them.

use std::collections::{hash_map::RandomState, HashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::content::{Content, Digest, Piece};
use crate::resource::{Identity, Resource, SetVersion};
use crate::snapshot::{ByName, Maker, Reference, ResourceSet, SealError, Snapshot, Target};

/// Entries below which nobody looks for those that are gone.
const SWEEP_FROM: usize = 1024;

/// Resources, their pieces, and lists and sets of them, by what they are. Holds none of them alive for long: pieces until
/// the next sweep, all else not at all.
#[derive(Debug, Default)]
pub struct Pool {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    resources: HashMap<Identity, Weak<Resource>>,
    pieces: HashMap<Digest, Bytes>,
    /// By hashes of what they say.
    targets: HashMap<u64, Weak<[Target]>>,
    sets: HashMap<SetVersion, Weak<ByName>>,
    hasher: RandomState,
    /// Number of entries at which those of what is gone are removed.
    sweep_at: usize,
}

impl Pool {
    /// As [`Snapshot::seal`], with what some earlier snapshot brought in the place of what is equal to it. Only what is new
    /// is encoded.
    ///
    /// # Errors
    /// As for [`Snapshot::seal`].
    pub fn seal<T, N>(
        &self,
        resources: impl IntoIterator<Item = (T, N, Content)>,
        references: impl IntoIterator<Item = Reference>,
    ) -> Result<Snapshot, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let mut shelf = self.lock();
        let mut snapshot = Snapshot::seal_by(&mut *shelf, resources, references)?;
        snapshot.sets.values_mut().for_each(|set| shelf.exchange(set));
        shelf.sweep();
        Ok(snapshot)
    }

    /// As [`Snapshot::with`], with what some earlier snapshot brought in the place of what is equal to it.
    ///
    /// # Errors
    /// As for [`Snapshot::with`].
    pub fn with<T, N>(
        &self,
        snapshot: &Snapshot,
        resources: impl IntoIterator<Item = (T, N, Content)>,
    ) -> Result<Snapshot, SealError>
    where
        T: AsRef<str>,
        N: Into<Arc<str>>,
    {
        let mut shelf = self.lock();
        let mut changed = snapshot.with_by(&mut *shelf, resources)?;
        for (type_url, set) in &mut changed.sets {
            if set.version() != snapshot.resources(type_url).version() {
                shelf.exchange(set);
            }
        }
        shelf.sweep();
        Ok(changed)
    }

    /// How many different resources are in use, as far as is known: those that have gone lately are counted too.
    pub fn len(&self) -> usize {
        self.lock().resources.len()
    }

    /// Whether nothing was ever shared.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a panic elsewhere leaves behind is whole: every change is one insertion.
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maker for Shelf {
    fn resource(&mut self, type_url: &str, name: Arc<str>, mut content: Content) -> Arc<Resource> {
        let identity = Identity::of(type_url, &name, &content);
        if let Some(known) = self.resources.get(&identity).and_then(Weak::upgrade) {
            return known;
        }
        if let several @ [_, _, ..] = content.pieces_mut() {
            for piece in several {
                let known = self
                    .pieces
                    .entry(*piece.digest())
                    .or_insert_with(|| piece.bytes().clone());
                // Of the same hash, and not hashed again: this has just been looked up by it.
                *piece = Piece::exchanged(known.clone(), piece);
            }
        }
        let made = Arc::new(Resource::identified(identity, type_url, name, &content));
        self.resources.insert(identity, Arc::downgrade(&made));
        made
    }

    fn targets(&mut self, targets: Vec<Target>) -> Arc<[Target]> {
        let hash = self.hasher.hash_one(&targets);
        let known = self.targets.get(&hash).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| **known == *targets) {
            return known;
        }
        let made: Arc<[Target]> = targets.into();
        self.targets.insert(hash, Arc::downgrade(&made));
        made
    }
}

impl Shelf {
    /// Takes an equal set in the place of this one. Its resources are exchanged already, so that equal ones are the same.
    fn exchange(&mut self, set: &mut ResourceSet) {
        let known = self.sets.get(&set.version()).and_then(Weak::upgrade);
        let are_same = |(a, b): (&Arc<Resource>, &Arc<Resource>)| Arc::ptr_eq(a, b);
        match known {
            Some(known) if known.len() == set.len() && known.values().zip(set.iter()).all(are_same) => {
                set.by_name = known;
            }
            _ => {
                self.sets.insert(set.version(), Arc::downgrade(&set.by_name));
            }
        }
    }

    fn sweep(&mut self) {
        let len = |shelf: &Self| shelf.resources.len() + shelf.pieces.len() + shelf.targets.len() + shelf.sets.len();
        if len(self) < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.resources.retain(|_, resource| resource.strong_count() > 0);
        self.pieces.retain(|_, piece| !piece.is_unique());
        self.targets.retain(|_, targets| targets.strong_count() > 0);
        self.sets.retain(|_, set| set.strong_count() > 0);
        self.sweep_at = 2 * len(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::type_url::{CLUSTER, ENDPOINT, ROUTE};

    fn piece(text: &str) -> Piece {
        Piece::new(Bytes::from(text.repeat(5_000)))
    }

    fn seal(pool: &Pool, own: &'static str) -> Snapshot {
        let route = Content::of(vec![piece("head"), piece("shared"), piece(own)]);
        let resources = [
            (CLUSTER, "all", Bytes::from_static(b"same").into()),
            (ENDPOINT, "all", Bytes::from_static(b"same").into()),
            (ROUTE, "own", route),
        ];
        let references = [
            Reference::new(CLUSTER, "all", "own"),
            Reference::new(ENDPOINT, "all", "all"),
        ];
        pool.seal(resources, references).unwrap()
    }

    fn resource(snapshot: &Snapshot, type_url: &str, name: &str) -> Arc<Resource> {
        Arc::clone(snapshot.resources(type_url).get(name).unwrap())
    }

    #[test]
    fn what_two_snapshots_have_in_common_is_held_once_down_to_the_pieces() {
        let pool = Pool::default();
        let (one, two) = (seal(&pool, "1"), seal(&pool, "2"));
        assert!(Arc::ptr_eq(
            &resource(&one, CLUSTER, "all"),
            &resource(&two, CLUSTER, "all")
        ));
        assert!(Arc::ptr_eq(
            &one.resources(CLUSTER).by_name,
            &two.resources(CLUSTER).by_name
        ));
        assert!(std::ptr::eq(one.references_of("own"), two.references_of("own")));
        let (first, second) = (resource(&one, ROUTE, "own"), resource(&two, ROUTE, "own"));
        assert_ne!(first.version(), second.version());
        let buffers = |resource: &Resource| -> Vec<*const u8> {
            resource.as_delta_field().map(|buffer| buffer.as_ptr()).collect()
        };
        let (first, second) = (buffers(&first), buffers(&second));
        // The beginning is each one's own, and so is the last piece.
        let same: Vec<bool> = first.iter().zip(&second).map(|(a, b)| a == b).collect();
        assert_eq!(same, [false, true, true, false]);
        assert_eq!(pool.len(), 4);
    }

    #[test]
    fn a_pool_seals_what_is_sealed_without_one() {
        let pool = Pool::default();
        for own in ["1", "2", "1"] {
            let (pooled, alone) = (seal(&pool, own), seal(&Pool::default(), own));
            for type_url in [CLUSTER, ENDPOINT, ROUTE] {
                assert_eq!(
                    pooled.resources(type_url).version(),
                    alone.resources(type_url).version()
                );
            }
            assert_eq!(pooled.references_of("own"), alone.references_of("own"));
            assert_eq!(pooled.references_of("all"), alone.references_of("all"));
        }
    }

    #[test]
    fn a_change_of_many_snapshots_leaves_them_with_one_set() {
        let pool = Pool::default();
        let before = ["1", "2"].map(|own| seal(&pool, own));
        let change = || [(ENDPOINT, "all", Bytes::from_static(b"other").into())];
        let [one, two] = before.each_ref().map(|snapshot| pool.with(snapshot, change()).unwrap());
        assert_ne!(
            one.resources(ENDPOINT).version(),
            before[0].resources(ENDPOINT).version()
        );
        assert!(Arc::ptr_eq(
            &one.resources(ENDPOINT).by_name,
            &two.resources(ENDPOINT).by_name
        ));
        assert!(Arc::ptr_eq(&one.references, &before[0].references));
    }

    #[test]
    fn what_nobody_uses_any_more_is_neither_held_nor_remembered() {
        let pool = Pool::default();
        let first = seal(&pool, "1");
        let gone = Arc::downgrade(&resource(&first, CLUSTER, "all"));
        drop(first);
        assert!(gone.upgrade().is_none());
        for number in 0..3 * SWEEP_FROM {
            let name = format!("r{number}");
            let content = Content::of(vec![piece(&name), piece("")]);
            drop(pool.seal([(ROUTE, name, content)], []).unwrap());
        }
        assert!(pool.len() <= SWEEP_FROM + 1, "{}", pool.len());
        assert!(pool.lock().pieces.len() <= SWEEP_FROM + 1);
    }
}
