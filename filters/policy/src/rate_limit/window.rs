//! The sliding window: counts in slots of a 63rd of the window, of which 64 are kept.
//!
//! A slot counts until it has wholly left the window, so no span of the window's length ever holds more than the
//! limit (two weighted windows, the usual form, admit up to twice the limit around a boundary). The price is
//! that room comes back up to one slot, 1.6 % of the window, late.

use super::ticks::SECOND;

/// Slots that are kept.
pub(super) const SLOTS: usize = 64;
const SLOTS_U64: u64 = SLOTS as u64;

/// The settings of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    requests: u32,
    /// Ticks of one slot, rounded up.
    slot: u64,
}

/// The state of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// The latest slot, counted from time 0.
    newest: u64,
    /// The slots' counts; slot n is at n modulo their number.
    counts: [u32; SLOTS],
}

impl Window {
    pub(super) fn new(requests: u32, window_seconds: u32) -> Self {
        Self {
            requests,
            slot: (u64::from(window_seconds.max(1)) * SECOND).div_ceil(SLOTS_U64 - 1),
        }
    }

    /// Moves the state on to `now`. A clock that lags stands still; one that went back by more than a window starts
    /// anew with all that is counted in its first slot: no new window, and no denial for as long as it has lost.
    pub(super) fn advance(&self, counts: &mut Counts, now: u64) {
        let slot = now / self.slot;
        if self.is_ahead(counts, now) {
            *counts = Counts::all_in(slot, counts.total());
        }
        let passed = slot.saturating_sub(counts.newest);
        if passed >= SLOTS_U64 {
            *counts = Counts::all_in(slot, 0);
        }
        while counts.newest < slot {
            counts.newest += 1;
            if let Some(left) = counts.at(counts.newest) {
                *left = 0;
            }
        }
    }

    /// Whether the clock has gone back by more than a window since the state was written.
    pub(super) fn is_ahead(&self, counts: &Counts, now: u64) -> bool {
        (now / self.slot).saturating_add(SLOTS_U64) < counts.newest
    }

    /// Requests there is room for.
    pub(super) fn left(&self, counts: &Counts) -> u32 {
        self.requests.saturating_sub(counts.total())
    }

    /// When the latest slot ends.
    pub(super) fn slot_ends(&self, counts: &Counts) -> u64 {
        counts.newest.saturating_add(1).saturating_mul(self.slot)
    }

    /// When the oldest that is counted leaves.
    pub(super) fn ready_at(&self, counts: &Counts) -> u64 {
        self.leaves(counts.used().next().unwrap_or(counts.newest))
    }

    /// When all that is counted has left.
    pub(super) fn idle_at(&self, counts: &Counts) -> u64 {
        self.leaves(counts.used().last().unwrap_or(counts.newest))
    }

    /// A state in which everything happened just now.
    pub(super) fn counted_now(&self, now: u64, requests: u32) -> Counts {
        Counts::all_in(now / self.slot, requests)
    }

    fn leaves(&self, slot: u64) -> u64 {
        slot.saturating_add(SLOTS_U64).saturating_mul(self.slot)
    }
}

impl Counts {
    /// Bytes of the encoded state.
    pub(super) const BYTES: usize = 8 + 4 * SLOTS;

    fn all_in(slot: u64, count: u32) -> Self {
        let mut counts = Self {
            newest: slot,
            counts: [0; SLOTS],
        };
        if let Some(first) = counts.at(slot) {
            *first = count;
        }
        counts
    }

    /// The number of the latest slot, to give back by.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn total(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts requests in the latest slot.
    pub(super) fn take(&mut self, requests: u32) {
        if let Some(count) = self.at(self.newest) {
            *count = count.saturating_add(requests);
        }
    }

    /// Takes requests that were not made out of the slot they were counted in, if it still counts.
    pub(super) fn give_back(&mut self, slot: u64, requests: u32) {
        if slot > self.newest || self.newest - slot >= SLOTS_U64 {
            return;
        }
        if let Some(count) = self.at(slot) {
            *count = count.saturating_sub(requests);
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut words = bytes
            .chunks_exact(4)
            .map(|word| word.try_into().map_or(0, u32::from_le_bytes));
        let mut next = || words.next().unwrap_or(0);
        let newest = u64::from(next()) | u64::from(next()) << 32;
        Self {
            newest,
            counts: std::array::from_fn(|_| next()),
        }
    }

    pub(super) fn encode(&self, bytes: &mut [u8]) {
        let (number, counts) = bytes.split_at_mut(8.min(bytes.len()));
        for (to, from) in number.iter_mut().zip(self.newest.to_le_bytes()) {
            *to = from;
        }
        for (to, from) in counts.chunks_exact_mut(4).zip(&self.counts) {
            to.copy_from_slice(&from.to_le_bytes());
        }
    }

    /// Slots with a count, oldest first.
    fn used(&self) -> impl Iterator<Item = u64> + '_ {
        let oldest = self.newest.saturating_sub(SLOTS_U64 - 1);
        (oldest..=self.newest).filter(|slot| self.peek(*slot) > 0)
    }

    fn peek(&self, slot: u64) -> u32 {
        self.counts.get(index(slot)).copied().unwrap_or(0)
    }

    fn at(&mut self, slot: u64) -> Option<&mut u32> {
        self.counts.get_mut(index(slot))
    }
}

fn index(slot: u64) -> usize {
    // A remainder of 64 fits.
    usize::try_from(slot % SLOTS_U64).unwrap_or(0)
}
