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
/// Bytes of a window.
pub(super) const ENCODED: usize = 8 + 8 * SLOTS;

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
        let window = Duration::from_secs(u64::from(config.window_seconds.max(1)));
        Self {
            ratio_micro: u64::from(config.ratio_micro()),
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
        self.count_request(now);
        let retries = u32::try_from(self.left()).unwrap_or(u32::MAX).min(wanted);
        self.take(u64::from(retries));
        Grant {
            retries,
            slot: self.current,
        }
    }

    /// Counts one request.
    pub(super) fn count_request(&mut self, now: Duration) {
        self.advance(now);
        self.requests = self.requests.saturating_add(1);
        if let Some(slot) = self.slot_mut(self.current) {
            slot.requests = slot.requests.saturating_add(1);
        }
    }

    /// Takes one retry of a request that was counted before; `false`: there is none left.
    pub(super) fn take_retry(&mut self, now: Duration) -> bool {
        self.advance(now);
        let is_left = self.left() > 0;
        self.take(u64::from(is_left));
        is_left
    }

    fn left(&self) -> u64 {
        let allowed = self
            .requests
            .saturating_mul(self.ratio_micro)
            .saturating_add(self.minimum_micro)
            / MICRO;
        allowed.saturating_sub(self.granted)
    }

    fn take(&mut self, retries: u64) {
        self.granted = self.granted.saturating_add(retries);
        if let Some(slot) = self.slot_mut(self.current) {
            slot.granted = slot.granted.saturating_add(retries);
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

    /// The window as bytes: the current slot, then each slot's requests and retries, little endian.
    pub(super) fn encode(&self) -> [u8; ENCODED] {
        let mut bytes = [0; ENCODED];
        let (current, slots) = bytes.split_at_mut(8);
        current.copy_from_slice(&self.current.to_le_bytes());
        for (slot, place) in self.slots.iter().zip(slots.chunks_exact_mut(8)) {
            let (requests, granted) = place.split_at_mut(4);
            let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
            requests.copy_from_slice(&short(slot.requests));
            granted.copy_from_slice(&short(slot.granted));
        }
        bytes
    }

    /// The window that [`encode`](Self::encode) wrote; `None`: these are other bytes.
    pub(super) fn decode(config: &BudgetConfig, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ENCODED] = bytes.try_into().ok()?;
        let (current, slots) = bytes.split_at(8);
        let mut budget = Self::new(config);
        budget.current = u64::from_le_bytes(current.try_into().ok()?);
        for (slot, place) in budget.slots.iter_mut().zip(slots.chunks_exact(8)) {
            let (requests, granted) = place.split_at(4);
            slot.requests = u64::from(u32::from_le_bytes(requests.try_into().ok()?));
            slot.granted = u64::from(u32::from_le_bytes(granted.try_into().ok()?));
        }
        budget.requests = budget.slots.iter().map(|slot| slot.requests).sum();
        budget.granted = budget.slots.iter().map(|slot| slot.granted).sum();
        Some(budget)
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
