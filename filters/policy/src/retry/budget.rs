//! The retry budget: retries as a share of requests over a sliding window, plus a small minimum.
//!
//! Envoy decides about a retry without asking again, so a request is granted its retries beforehand and
//! gives back what it did not use. At every grant this holds: the retries granted within the window are at
//! most `ratio` of the requests that began within it, plus `min_per_second` times the window.
//! A request that outlives the window takes its grant with it.

use std::time::Duration;

use super::BudgetConfig;

const SLOTS: usize = 10;
const MICRO: u64 = 1_000_000;

/// The state of one budget. Integers only, so that all platforms decide alike.
#[derive(Clone, Debug)]
pub struct Budget {
    ratio_micro: u64,
    minimum_micro: u64,
    slot: Duration,
    slots: [Slot; SLOTS],
    /// The number of the slot that the latest time fell into, counted from time 0.
    current: u64,
    requests: u64,
    granted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requests: u64,
    granted: u64,
}

/// What a request was granted; to be settled when its number of attempts is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an unsettled grant counts as used until it leaves the window"]
pub struct Grant {
    /// Retries that the request may cost.
    pub retries: u32,
    slot: u64,
}

impl Budget {
    /// A budget without any history: its minimum for one window is there at once.
    #[must_use]
    pub fn new(config: &BudgetConfig) -> Self {
        // Checked to be 0 to 1 where it comes from; the cast saturates otherwise.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let ratio_micro = (config.ratio * 1e6 + 0.5) as u64;
        let window = Duration::from_secs(u64::from(config.window_seconds.max(1)));
        Self {
            ratio_micro,
            minimum_micro: u64::from(config.min_per_second)
                .saturating_mul(window.as_secs())
                .saturating_mul(MICRO),
            slot: window / SLOTS as u32,
            slots: [Slot::default(); SLOTS],
            current: 0,
            requests: 0,
            granted: 0,
        }
    }

    /// Counts one request at `now` and grants it up to `wanted` retries. Time that goes back stands still.
    pub fn grant(&mut self, now: Duration, wanted: u32) -> Grant {
        self.advance(now);
        self.requests = self.requests.saturating_add(1);
        let allowed = self
            .requests
            .saturating_mul(self.ratio_micro)
            .saturating_add(self.minimum_micro)
            / MICRO;
        let left = allowed.saturating_sub(self.granted);
        let retries = u32::try_from(left).unwrap_or(u32::MAX).min(wanted);
        self.granted = self.granted.saturating_add(u64::from(retries));
        if let Some(slot) = self.slot_mut(self.current) {
            slot.requests = slot.requests.saturating_add(1);
            slot.granted = slot.granted.saturating_add(u64::from(retries));
        }
        Grant {
            retries,
            slot: self.current,
        }
    }

    /// Gives back what was granted and not `used`. More than granted (which Envoy does not do) is charged.
    pub fn settle(&mut self, grant: Grant, used: u32) {
        if self.current.saturating_sub(grant.slot) >= SLOTS as u64 {
            return;
        }
        let granted = u64::from(grant.retries);
        let used = u64::from(used);
        let Some(slot) = self.slot_mut(grant.slot) else { return };
        slot.granted = slot.granted.saturating_sub(granted).saturating_add(used);
        self.granted = self.granted.saturating_sub(granted).saturating_add(used);
    }

    /// Requests and granted retries within the window that ended at the latest grant.
    #[must_use]
    pub fn window(&self) -> (u64, u64) {
        (self.requests, self.granted)
    }

    fn advance(&mut self, now: Duration) {
        let slot = self.slot.as_nanos().max(1);
        let number = u64::try_from(now.as_nanos() / slot).unwrap_or(u64::MAX);
        if number <= self.current {
            return;
        }
        let passed = (number - self.current).min(SLOTS as u64);
        for step in 1..=passed {
            let left = number - passed + step;
            if let Some(slot) = self.slot_mut(left) {
                let gone = std::mem::take(slot);
                self.requests = self.requests.saturating_sub(gone.requests);
                self.granted = self.granted.saturating_sub(gone.granted);
            }
        }
        self.current = number;
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        // A remainder of 10 fits.
        self.slots.get_mut(usize::try_from(number % SLOTS as u64).unwrap_or(0))
    }
}
