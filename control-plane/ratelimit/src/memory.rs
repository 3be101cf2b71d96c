//! Counts in the memory of one instance, which are gone with it: for tests, and for limits that a single service keeps.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bucket::Level;
use crate::store::{Charge, Decision, Key, Store, StoreError};

/// Counts in memory.
#[derive(Debug)]
pub struct Memory {
    begun: Instant,
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Each with the time from which on nothing is used of it.
    levels: HashMap<Key, (Level, u64)>,
    /// The same times, in order.
    ends: BTreeSet<(u64, Key)>,
}

impl Memory {
    /// Room for so many buckets, about 150 bytes each. When it is full, the bucket is forgotten that would be unused first.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            begun: Instant::now(),
            most: most.max(1),
            kept: Mutex::default(),
        }
    }

    /// As [`Store::take`], at a time in microseconds.
    pub fn take_at(&self, charges: &[Charge], now_micros: u64) -> Decision {
        // Every step leaves what is kept whole, so a panic elsewhere does no harm.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let used: Vec<f64> = charges
            .iter()
            .map(|charge| {
                let level = kept.levels.get(&charge.key).map(|(level, _)| *level);
                charge.bucket.used(level, now_micros)
            })
            .collect();
        let mut asked = charges.iter().zip(&used);
        let admitted = asked.all(|(charge, used)| charge.bucket.fits(*used, charge.hits));
        if admitted {
            for (charge, used) in charges.iter().zip(&used).filter(|(charge, _)| charge.hits != 0) {
                kept.put(charge, charge.bucket.after(*used, charge.hits), now_micros);
            }
            kept.forget(now_micros, self.most);
        }
        Decision {
            admitted,
            used,
            now_micros,
        }
    }

    /// Buckets that are kept.
    pub fn len(&self) -> usize {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.levels.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Kept {
    fn put(&mut self, charge: &Charge, used: f64, now_micros: u64) {
        let end = now_micros.saturating_add(charge.bucket.until_unused(used));
        let level = Level {
            used,
            at_micros: now_micros,
        };
        if let Some((_, earlier)) = self.levels.insert(charge.key, (level, end)) {
            self.ends.remove(&(earlier, charge.key));
        }
        self.ends.insert((end, charge.key));
    }

    fn forget(&mut self, now_micros: u64, most: usize) {
        while let Some(&(end, key)) = self.ends.first() {
            if end > now_micros && self.levels.len() <= most {
                return;
            }
            self.ends.pop_first();
            self.levels.remove(&key);
        }
    }
}

impl Store for Memory {
    async fn take(&self, charges: &[Charge]) -> Result<Decision, StoreError> {
        let now = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(self.take_at(charges, now))
    }

    fn is_ready(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Bucket;

    fn charge(key: &str, capacity: u32, hits: i64) -> Charge {
        Charge {
            key: Key::of([key]),
            bucket: Bucket {
                capacity,
                requests: capacity,
                window_seconds: 1,
            },
            hits,
        }
    }

    #[test]
    fn all_buckets_are_charged_or_none() {
        let store = Memory::new(10);
        let both = [charge("wide", 10, 1), charge("narrow", 1, 1)];
        assert!(store.take_at(&both, 0).admitted);
        let denied = store.take_at(&both, 0);
        assert!(!denied.admitted);
        assert_eq!(denied.used, [1.0, 1.0]);
        assert_eq!(store.take_at(&both, 0).used, [1.0, 1.0], "a denied request was counted");
    }

    #[test]
    fn what_is_unused_is_forgotten_and_there_is_never_more_than_there_is_room_for() {
        let store = Memory::new(100);
        for key in 0..1_000 {
            store.take_at(&[charge(&key.to_string(), 10, 1)], 0);
            assert!(store.len() <= 100);
        }
        // The heavily used one outlives any number of others.
        store.take_at(&[charge("heavy", 10, 10)], 0);
        for key in 0..1_000 {
            store.take_at(&[charge(&key.to_string(), 10, 1)], 1);
        }
        assert!(!store.take_at(&[charge("heavy", 10, 1)], 2).admitted);
        store.take_at(&[charge("other", 10, 1)], 60_000_000);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn keys_of_other_parts_are_others() {
        assert_ne!(Key::of(["ab", "c"]), Key::of(["a", "bc"]));
        assert_ne!(Key::of(["a"]), Key::of(["a", ""]));
        assert_eq!(Key::of(["a", "b"]), Key::of(["a", "b"]));
    }
}
