//! How deep inputs went: what a run may claim besides a number of inputs.
//!
//! Counts, distinct configurations, and which behaviour was seen for the first time. The last is what a run without
//! coverage steers by: an input that made a filter do something new is worth changing further.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::Relaxed};

/// Bits of a set of configurations: enough to tell some ten million apart by linear counting.
const BITS: usize = 1 << 24;
/// Behaviours that are told apart.
const BEHAVIOURS: usize = 1 << 16;

/// What inputs did so far, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Configurations (of plugins and of routes) that compiled.
    pub accepted: u64,
    /// About how many of them were different.
    pub distinct_accepted: u64,
    /// Configurations that were refused.
    pub rejected: u64,
    /// About how many of them were different.
    pub distinct_rejected: u64,
    /// Requests that filters met.
    pub requests: u64,
    /// Of these, how many a filter answered itself, at once or after a delay.
    pub replies: u64,
    /// Of these, how many were delayed.
    pub delays: u64,
    /// Requests that a filter changed.
    pub changed_requests: u64,
    /// Responses that filters met.
    pub responses: u64,
    /// Responses that a filter changed.
    pub changed_responses: u64,
    /// Behaviours that are different: what a filter did after what.
    pub behaviours: u64,
}

struct Distinct([AtomicU8; BITS / 8]);

static ACCEPTED: AtomicU64 = AtomicU64::new(0);
static REJECTED: AtomicU64 = AtomicU64::new(0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static REPLIES: AtomicU64 = AtomicU64::new(0);
static DELAYS: AtomicU64 = AtomicU64::new(0);
static CHANGED_REQUESTS: AtomicU64 = AtomicU64::new(0);
static RESPONSES: AtomicU64 = AtomicU64::new(0);
static CHANGED_RESPONSES: AtomicU64 = AtomicU64::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);

static DISTINCT_ACCEPTED: Distinct = Distinct([const { AtomicU8::new(0) }; BITS / 8]);
static DISTINCT_REJECTED: Distinct = Distinct([const { AtomicU8::new(0) }; BITS / 8]);
static BEHAVIOUR: [AtomicU8; BEHAVIOURS] = [const { AtomicU8::new(0) }; BEHAVIOURS];

// One thread counts: a load and a store are cheaper than an addition that others may see.
fn count(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Distinct {
    fn add(&self, bytes: &[u8]) {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let bit = usize::try_from(hasher.finish() % BITS as u64).unwrap_or(0);
        let byte = &self.0[bit / 8];
        byte.store(byte.load(Relaxed) | 1 << (bit % 8), Relaxed);
    }

    /// By linear counting: from the share of bits that nothing set.
    fn estimate(&self) -> u64 {
        let set: u64 = self
            .0
            .iter()
            .map(|byte| u64::from(byte.load(Relaxed).count_ones()))
            .sum();
        let free = (BITS as u64 - set).max(1) as f64 / BITS as f64;
        (-free.ln() * BITS as f64).round() as u64
    }
}

/// What a filter was asked and did, without what differs between inputs that do the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour(u64);

impl Behaviour {
    /// Begins a description.
    pub fn of(kind: u8) -> Self {
        Self(u64::from(kind))
    }

    /// Goes on with it (FNV-1a).
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0 ^ 0xcbf2_9ce4_8422_2325, step))
    }

    /// Counts it after the one before, and is what the next one comes after.
    pub fn seen(self, before: &mut Self) {
        for hash in [self.0, self.0 ^ before.0.rotate_left(17)] {
            let place = usize::try_from((hash ^ hash >> 32) % BEHAVIOURS as u64).unwrap_or(0);
            if BEHAVIOUR[place].swap(1, Relaxed) == 0 {
                count(&SEEN, 1);
            }
        }
        *before = self;
    }
}

/// A configuration and whether it compiled.
pub fn configuration(bytes: &[u8], accepted: bool) {
    let (counter, distinct) = if accepted {
        (&ACCEPTED, &DISTINCT_ACCEPTED)
    } else {
        (&REJECTED, &DISTINCT_REJECTED)
    };
    count(counter, 1);
    distinct.add(bytes);
}

/// A request: whether it was changed, answered, delayed.
pub fn request(changed: bool, answered: bool, delayed: bool) {
    count(&REQUESTS, 1);
    count(&CHANGED_REQUESTS, changed.into());
    count(&REPLIES, answered.into());
    count(&DELAYS, delayed.into());
}

/// A delayed request was answered when its delay was over.
pub fn answered_late() {
    count(&REPLIES, 1);
}

/// A response: whether it was changed.
pub fn response(changed: bool) {
    count(&RESPONSES, 1);
    count(&CHANGED_RESPONSES, changed.into());
}

/// Behaviours so far: more than before an input means that it did something new.
#[must_use]
pub fn behaviours() -> u64 {
    SEEN.load(Relaxed)
}

impl Tally {
    /// As of now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            accepted: ACCEPTED.load(Relaxed),
            distinct_accepted: DISTINCT_ACCEPTED.estimate(),
            rejected: REJECTED.load(Relaxed),
            distinct_rejected: DISTINCT_REJECTED.estimate(),
            requests: REQUESTS.load(Relaxed),
            replies: REPLIES.load(Relaxed),
            delays: DELAYS.load(Relaxed),
            changed_requests: CHANGED_REQUESTS.load(Relaxed),
            responses: RESPONSES.load(Relaxed),
            changed_responses: CHANGED_RESPONSES.load(Relaxed),
            behaviours: behaviours(),
        }
    }
}
