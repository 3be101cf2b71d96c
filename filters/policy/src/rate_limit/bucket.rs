//! The token bucket, in its generic cell rate form (ITU-T I.371): the state is one moment, when the bucket will be full.
//!
//! Taking n tokens moves that moment n intervals on; a bucket whose moment has passed is full, which is the same as
//! none. The moment means the same under other settings, so a changed limit goes on from where it was; and workers
//! whose clocks lag can only be denied by it, never refill twice.

use super::ticks::SECOND;

/// A clock that is this much behind the state has gone back, rather than being read a little earlier.
const CLOCK_WENT_BACK: u64 = SECOND;

/// The settings of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Ticks for one token, rounded up.
    interval: u64,
    /// Ticks for all tokens.
    depth: u64,
}

impl Bucket {
    pub(super) fn new(requests: u32, window_seconds: u32, burst: u32) -> Self {
        let interval = (u64::from(window_seconds) * SECOND).div_ceil(u64::from(requests.max(1)));
        Self {
            interval,
            depth: interval.saturating_mul(u64::from(burst)),
        }
    }

    /// The state, without what cannot be: a bucket is never emptier than empty. After the clock has gone back it is
    /// empty: no new burst, and no denial for as long as the clock has lost.
    pub(super) fn settled(&self, full_at: u64, now: u64) -> u64 {
        let empty = now.saturating_add(self.depth);
        if full_at > empty.saturating_add(CLOCK_WENT_BACK) {
            empty
        } else {
            full_at
        }
    }

    /// Tokens there are.
    pub(super) fn left(&self, full_at: u64, now: u64) -> u32 {
        let owed = full_at.saturating_sub(now);
        u32::try_from(self.depth.saturating_sub(owed) / self.interval).unwrap_or(u32::MAX)
    }

    /// The state after taking tokens.
    pub(super) fn take(&self, full_at: u64, now: u64, tokens: u32) -> u64 {
        full_at
            .max(now)
            .saturating_add(self.interval.saturating_mul(u64::from(tokens)))
    }

    /// The state after giving tokens back that it has been owing for since they were taken.
    pub(super) fn give_back(&self, full_at: u64, tokens: u32) -> u64 {
        full_at.saturating_sub(self.interval.saturating_mul(u64::from(tokens)))
    }

    /// When a token will be there.
    pub(super) fn ready_at(&self, full_at: u64) -> u64 {
        full_at.saturating_add(self.interval).saturating_sub(self.depth)
    }

    /// The state of a bucket without any token.
    pub(super) fn drained(&self, now: u64) -> u64 {
        now.saturating_add(self.depth)
    }
}
