//! What a fleet of simulated proxies has seen together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::stamp::Stamp;

/// Counts over all proxies of a fleet.
#[derive(Debug, Default)]
pub struct Tally {
    complete: AtomicUsize,
    failures: AtomicUsize,
    reconnects: AtomicUsize,
    struck: Mutex<Vec<String>>,
    first_failure: Mutex<Option<String>>,
    responses: AtomicUsize,
    bytes: AtomicU64,
    resources: AtomicUsize,
    watch: Mutex<Option<Watch>>,
    /// Of changes of more than one resource: how many.
    parts: Mutex<HashMap<Stamp, usize>>,
    /// What came again or went back, and the words of the first.
    flap_count: AtomicUsize,
    first_flaps: Mutex<Vec<String>>,
    /// Milliseconds to each proxy by change.
    latencies: Mutex<HashMap<Stamp, Vec<f64>>>,
}

/// How many flaps are kept in words.
const FLAPS: usize = 10;

/// Responses, their resources, and the bytes of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub responses: usize,
    pub resources: usize,
    pub bytes: u64,
}

/// A change that carries no stamp: the first response of its type after its moment is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    pub type_url: &'static str,
    pub asked: Stamp,
}

impl Tally {
    /// Looks from now on for a change without a stamp.
    pub fn watch(&self, watch: Watch) {
        *lock(&self.watch) = Some(watch);
    }

    /// What is looked for.
    pub fn watched(&self) -> Option<Watch> {
        *lock(&self.watch)
    }

    /// Says that a change has so many resources: who has fewer has not got it.
    pub fn expect(&self, change: Stamp, resources: usize) {
        lock(&self.parts).insert(change, resources);
    }

    /// How many resources a change has: 1 unless said.
    pub fn parts(&self, change: Stamp) -> usize {
        lock(&self.parts).get(&change).copied().unwrap_or(1)
    }

    /// A proxy has everything that it asked for.
    pub fn complete(&self) {
        self.complete.fetch_add(1, Ordering::Relaxed);
    }

    /// A proxy lost its connection, or got none, and comes again.
    pub fn reconnects(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that happened.
    pub fn reconnect_count(&self) -> usize {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// A proxy was given what its manner is about.
    pub fn struck(&self, node: &str) {
        lock(&self.struck).push(node.to_owned());
    }

    /// The node ids of those who were.
    pub fn struck_nodes(&self) -> Vec<String> {
        lock(&self.struck).clone()
    }

    /// How many were.
    pub fn struck_count(&self) -> usize {
        lock(&self.struck).len()
    }

    /// A proxy ended with an error.
    pub fn failed(&self, why: String) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        lock(&self.first_failure).get_or_insert(why);
    }

    /// Something came again, or went back: see [`crate::journal`].
    pub fn flaps(&self, flaps: impl Iterator<Item = String>) {
        for flap in flaps {
            self.flap_count.fetch_add(1, Ordering::Relaxed);
            let mut first = lock(&self.first_flaps);
            if first.len() < FLAPS {
                first.push(flap);
            }
        }
    }

    /// How often that happened, and what the first were.
    pub fn flaps_seen(&self) -> (usize, Vec<String>) {
        (self.flap_count.load(Ordering::Relaxed), lock(&self.first_flaps).clone())
    }

    /// A response came, with so many resources of so many bytes and the changes in it.
    pub fn response(&self, resources: usize, bytes: usize, news: impl Iterator<Item = (Stamp, f64)>) {
        self.responses.fetch_add(1, Ordering::Relaxed);
        self.resources.fetch_add(resources, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let mut news = news.peekable();
        if news.peek().is_some() {
            let mut latencies = lock(&self.latencies);
            for (stamp, millis) in news {
                latencies.entry(stamp).or_default().push(millis);
            }
        }
    }

    /// Proxies that are complete.
    pub fn complete_count(&self) -> usize {
        self.complete.load(Ordering::Relaxed)
    }

    /// How many proxies ended with an error, and why the first did.
    pub fn failures(&self) -> (usize, Option<String>) {
        (self.failures.load(Ordering::Relaxed), lock(&self.first_failure).clone())
    }

    /// What came so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            responses: self.responses.load(Ordering::Relaxed),
            resources: self.resources.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// How many proxies have got a change.
    pub fn deliveries(&self, change: Stamp) -> usize {
        lock(&self.latencies).get(&change).map_or(0, Vec::len)
    }

    /// All latencies of these changes, sorted.
    pub fn latencies(&self, changes: &[Stamp]) -> Vec<f64> {
        let latencies = lock(&self.latencies);
        let mut found: Vec<f64> = changes
            .iter()
            .filter_map(|change| latencies.get(change))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable_by(f64::total_cmp);
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
