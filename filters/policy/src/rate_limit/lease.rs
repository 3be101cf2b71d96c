//! What one worker has taken from shared data beforehand, so that most requests ask nobody.

use super::ticks::MILLISECOND;
use crate::hash::mix64;

/// How long a lease may be used. What is not used by then is given back with the next take.
pub(super) const LEASE: u64 = 10 * MILLISECOND;
/// How long a worker at most believes that nothing is left without asking again: others may give back.
pub(super) const HOLD: u64 = 100 * MILLISECOND;

const SETS: usize = 256;
const WAYS: usize = 4;

/// One key's lease under one limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lease {
    limit: u64,
    key: u64,
    /// Until when it may be used.
    pub(super) until: u64,
    /// Until when nothing is left to take.
    pub(super) hold: u64,
    /// Where it is given back to.
    pub(super) mark: u64,
    /// When all will have come back; while it holds: when the next request will be admitted.
    pub(super) reset: u64,
    /// Requests that were left to others when it was taken.
    pub(super) rest: u32,
    /// Requests of it that are unused.
    pub(super) left: u32,
    /// Requests that it was taken for.
    pub(super) taken: u32,
    /// Requests to take the next time; 0 is 1.
    pub(super) want: u32,
}

impl Lease {
    /// Whether it may be used. Times far ahead are of a clock that has gone back since.
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.left > 0 && self.is_young(now)
    }

    /// Whether nothing is left to take.
    pub(super) fn is_held(&self, now: u64) -> bool {
        now < self.hold && self.hold - now <= HOLD
    }

    /// How much to take at most: twice as much when the last was used up before its time, else what was used of it.
    pub(super) fn wanted(&self, now: u64, most: u32) -> u32 {
        let want = if self.left == 0 && self.taken > 0 && self.is_young(now) {
            self.want.saturating_mul(2)
        } else if self.left > 0 {
            self.taken.saturating_sub(self.left)
        } else {
            self.want
        };
        want.clamp(1, most.max(1))
    }

    fn is_young(&self, now: u64) -> bool {
        now < self.until && self.until - now <= LEASE
    }
}

/// All leases of one worker: at most 1024, 72 KiB, allocated with the first. One that is pushed out is lost, which
/// denies a few requests at most and admits none.
#[derive(Debug, Default)]
pub(super) struct Leases {
    sets: Vec<[Lease; WAYS]>,
    spare: Lease,
}

impl Leases {
    /// The lease, if there is one.
    pub(super) fn find(&mut self, limit: u64, key: u64) -> Option<&mut Lease> {
        self.sets
            .get_mut(set(limit, key))?
            .iter_mut()
            .find(|lease| lease.limit == limit && lease.key == key)
    }

    /// The lease; a new one in the place of the one that is worth least.
    pub(super) fn entry(&mut self, limit: u64, key: u64, now: u64) -> &mut Lease {
        if self.sets.is_empty() {
            self.sets.resize(SETS, [Lease::default(); WAYS]);
        }
        let ways = self.sets.get_mut(set(limit, key)).map(<[Lease; WAYS]>::as_mut_slice);
        let chosen = ways.unwrap_or_default().iter_mut().min_by_key(|lease| {
            let is_it = lease.limit == limit && lease.key == key;
            (!is_it, lease.is_live(now), lease.until.max(lease.hold))
        });
        let lease = chosen.unwrap_or(&mut self.spare);
        if lease.limit != limit || lease.key != key {
            *lease = Lease {
                limit,
                key,
                ..Lease::default()
            };
        }
        lease
    }
}

fn set(limit: u64, key: u64) -> usize {
    // A remainder of 256 fits.
    usize::try_from(mix64(limit ^ key) % SETS as u64).unwrap_or(0)
}
