//! Outcomes over a sliding window of ten slots.

use std::time::Duration;

use super::outcome::Outcome;

const SLOTS: usize = 10;

/// How many there were of each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u32,
    pub(super) errors: u32,
    pub(super) slow: u32,
}

/// Counts over a window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    slot: Duration,
    slots: [Counts; SLOTS],
    /// The number of the slot that the latest time fell into, counted from time 0.
    current: u64,
    sum: Counts,
}

impl Window {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            slot: window / SLOTS as u32,
            slots: [Counts::default(); SLOTS],
            current: 0,
            sum: Counts::default(),
        }
    }

    /// Counts one outcome at `now`; the counts of the window that ends then. Time that goes back stands still.
    pub(super) fn count(&mut self, now: Duration, outcome: Outcome) -> Counts {
        self.advance(now);
        let current = self.current;
        if let Some(slot) = self.slot_mut(current) {
            slot.add(outcome);
        }
        self.sum.add(outcome);
        self.sum
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots = [Counts::default(); SLOTS];
        self.sum = Counts::default();
    }

    fn advance(&mut self, now: Duration) {
        let number = now.as_nanos() / self.slot.as_nanos().max(1);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        if number <= self.current {
            return;
        }
        if number - self.current >= SLOTS as u64 {
            self.clear();
            self.current = number;
        }
        while self.current < number {
            self.current += 1;
            let left = self.slot_mut(self.current).map(std::mem::take).unwrap_or_default();
            self.sum.remove(left);
        }
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Counts> {
        // A remainder of 10 fits.
        self.slots.get_mut(usize::try_from(number % SLOTS as u64).unwrap_or(0))
    }
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        let (errors, slow) = match outcome {
            Outcome::Success => (0, 0),
            Outcome::Error => (1, 0),
            Outcome::Slow => (0, 1),
            Outcome::Nothing => return,
        };
        self.requests = self.requests.saturating_add(1);
        self.errors = self.errors.saturating_add(errors);
        self.slow = self.slow.saturating_add(slow);
    }

    fn remove(&mut self, gone: Self) {
        self.requests = self.requests.saturating_sub(gone.requests);
        self.errors = self.errors.saturating_sub(gone.errors);
        self.slow = self.slow.saturating_sub(gone.slow);
    }
}
