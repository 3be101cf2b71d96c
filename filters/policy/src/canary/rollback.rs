//! Automatic rollback: a canary that is worse than the baseline, beyond doubt, loses its requests to it.
//!
//! Errors and slow requests are each compared by a sequential test ([`super::sequential`]), which may be
//! looked at as often as one likes. The guarantee: a canary whose rates never exceed the baseline's by more
//! than the margins is ever rolled back with a probability of at most 1 - `confidence`, over the whole life of
//! one [`Rollback`]. Each worker of an Envoy has its own and decides for itself; the control plane's, over
//! the counts of all proxies ([`super::report`]), is one more.
//!
//! It needs rates that are constant within a block (10 canary requests and the baseline's among them, or
//! what is observed at once), not over time, and requests that fail independently of each other.

mod config;

use std::time::Duration;

use super::sequential::{Tally, Test};

pub use config::{Confidence, LatencyMargin, RollbackConfig};

/// Canary requests in a block. More would cost less and see later.
pub(super) const BLOCK: u64 = 10;

/// A compiled [`RollbackConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackRules {
    /// The index of the target that may be rolled back.
    pub canary: usize,
    /// The index of the target that then gets its requests.
    pub baseline: usize,
    error_margin: u32,
    latency: Option<LatencyMargin>,
    confidence: Confidence,
    window: Duration,
    min_requests: u64,
    hold: Option<Duration>,
}

impl RollbackRules {
    /// Compiles a checked configuration; `None` if a target is unknown.
    pub(super) fn new(config: &RollbackConfig, targets: &[String]) -> Option<Self> {
        let index = |wanted: &String| targets.iter().position(|name| name == wanted);
        Some(config.compile(index(&config.canary)?, index(&config.baseline)?))
    }

    /// Which of the two a target is, if any.
    #[must_use]
    pub(super) fn side(&self, target: usize) -> Option<Side> {
        if target == self.canary {
            Some(Side::Canary)
        } else if target == self.baseline {
            Some(Side::Baseline)
        } else {
            None
        }
    }

    /// A request that ended, as counts.
    pub(super) fn one(&self, is_error: bool, millis: u32) -> Counts {
        let is_slow = self.latency.is_some_and(|latency| millis >= latency.threshold_millis);
        Counts {
            requests: 1,
            errors: u64::from(is_error),
            slow: u64::from(is_slow),
        }
    }

    /// The time over which requests are compared.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// How long a rollback lasts; `None`: until the policy changes.
    #[must_use]
    pub fn hold(&self) -> Option<Duration> {
        self.hold
    }

    /// Evidence of which a rollback is made: 1 / (1 - confidence), as often as there are tests, and double
    /// after each hold, so that all lives together keep the promise.
    fn threshold(&self, rollbacks: u32) -> f64 {
        let odds = match self.confidence {
            Confidence::Hundredth => 100.0,
            Confidence::Thousandth => 1_000.0,
            Confidence::TenThousandth => 10_000.0,
        };
        let tests = if self.latency.is_some() { 2.0 } else { 1.0 };
        let lives = match self.hold {
            None => 1.0,
            Some(_) => libm::exp2(f64::from(rollbacks.saturating_add(1))),
        };
        odds * tests * lives
    }
}

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Canary,
    Baseline,
}

/// Requests of one target. Errors and slow requests may be the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All requests that ended.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that took the threshold or longer.
    pub slow: u64,
}

impl Counts {
    /// Adds requests to these.
    pub fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.errors = self.errors.saturating_add(more.errors);
        self.slow = self.slow.saturating_add(more.slow);
    }

    fn errors(self) -> Tally {
        Tally {
            requests: self.requests,
            bad: self.errors,
        }
    }

    fn slow(self) -> Tally {
        Tally {
            requests: self.requests,
            bad: self.slow,
        }
    }
}

/// Why a canary was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its share of errors.
    Errors,
    /// Its share of slow requests.
    Latency,
}

/// What is known of a canary and its baseline: one for each policy in each VM.
#[derive(Clone, Debug)]
pub struct Rollback {
    rules: RollbackRules,
    errors: Test,
    latency: Option<Test>,
    /// The block that is being filled: canary and baseline.
    block: [Counts; 2],
    /// Requests since the beginning or the last hold: canary and baseline.
    seen: [u64; 2],
    window: Option<u64>,
    rolled_back_at: Option<Duration>,
    rollbacks: u32,
}

impl Rollback {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(rules: RollbackRules) -> Self {
        Self {
            rules,
            errors: Test::new(rules.error_margin),
            latency: rules.latency.map(|latency| Test::new(latency.margin_per_mille)),
            block: [Counts::default(); 2],
            seen: [0; 2],
            window: None,
            rolled_back_at: None,
            rollbacks: 0,
        }
    }

    /// Nothing is known of the requests, but of rollbacks that were decided before: how many, and if one
    /// is in effect, when it began.
    #[must_use]
    pub fn resume(rules: RollbackRules, rollbacks: u32, rolled_back_at: Option<Duration>) -> Self {
        Self {
            rollbacks,
            rolled_back_at,
            ..Self::new(rules)
        }
    }

    /// How often the canary was rolled back.
    #[must_use]
    pub fn rollbacks(&self) -> u32 {
        self.rollbacks
    }

    /// What it was made for.
    #[must_use]
    pub fn rules(&self) -> RollbackRules {
        self.rules
    }

    /// Whether the canary's requests go to the baseline at `now`, monotonic.
    #[must_use]
    pub fn is_rolled_back(&self, now: Duration) -> bool {
        match (self.rolled_back_at, self.rules.hold) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(at), Some(hold)) => now < at.saturating_add(hold),
        }
    }

    /// One request ended. A cause comes back once, when this request completes the evidence.
    pub fn record(&mut self, now: Duration, target: usize, is_error: bool, millis: u32) -> Option<Cause> {
        let (one, none) = (self.rules.one(is_error, millis), Counts::default());
        match self.rules.side(target)? {
            Side::Canary => self.observe(now, none, one, BLOCK),
            Side::Baseline => self.observe(now, one, none, BLOCK),
        }
    }

    /// Requests of many proxies ended since the last call: increments, not totals.
    pub fn observe_counts(&mut self, now: Duration, baseline: Counts, canary: Counts) -> Option<Cause> {
        self.observe(now, baseline, canary, 1)
    }

    pub(super) fn observe(&mut self, now: Duration, baseline: Counts, canary: Counts, block: u64) -> Option<Cause> {
        if self.is_rolled_back(now) {
            return None;
        }
        if self.rolled_back_at.is_some() {
            *self = Self {
                rollbacks: self.rollbacks,
                ..Self::new(self.rules)
            };
        }
        let mut is_block_done = self.enter_window(now);
        for ((block, seen), more) in self.block.iter_mut().zip(&mut self.seen).zip([canary, baseline]) {
            block.add(more);
            *seen = seen.saturating_add(more.requests);
        }
        let [of_canary, of_baseline] = self.block;
        if of_canary.requests >= block && of_baseline.requests > 0 {
            self.close_block();
            is_block_done = true;
        }
        let cause = if is_block_done { self.cause() } else { None }?;
        self.rolled_back_at = Some(now);
        self.rollbacks = self.rollbacks.saturating_add(1);
        Some(cause)
    }

    /// Hands the block to the tests, which leave it alone if one of the two has no requests in it.
    fn close_block(&mut self) {
        let [canary, baseline] = std::mem::take(&mut self.block);
        self.errors.observe(canary.errors(), baseline.errors());
        if let Some(latency) = &mut self.latency {
            latency.observe(canary.slow(), baseline.slow());
        }
    }

    /// A new window ends the block of the last one and is one more moment to start the tests.
    fn enter_window(&mut self, now: Duration) -> bool {
        let length = self.rules.window.as_millis().max(1);
        let number = u64::try_from(now.as_millis() / length).unwrap_or(u64::MAX);
        if self.window.is_some_and(|window| number <= window) {
            return false;
        }
        // Windows are counted from the first request on, and only those with requests.
        self.window = Some(number);
        self.close_block();
        self.errors.start();
        if let Some(latency) = &mut self.latency {
            latency.start();
        }
        true
    }

    fn cause(&self) -> Option<Cause> {
        if self.seen.iter().any(|seen| *seen < self.rules.min_requests) {
            return None;
        }
        let threshold = self.rules.threshold(self.rollbacks);
        if self.errors.evidence() >= threshold {
            return Some(Cause::Errors);
        }
        let latency = self.latency.as_ref()?;
        (latency.evidence() >= threshold).then_some(Cause::Latency)
    }
}
