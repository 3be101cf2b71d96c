//! Automatic rollback: a canary that is worse than the baseline, beyond doubt, loses its requests to it.
//!
//! Errors and slow requests are each compared by a sequential test ([`super::sequential`]), which may be
//! looked at as often as one likes. The guarantee: a canary whose rates never exceed the baseline's by more
//! than the margins is ever rolled back with a probability of at most 1 - `confidence`, over the whole life of
//! one [`Rollback`]. Each worker of an Envoy has its own and decides for itself; the control plane's, over
//! the counts of all proxies, is one more.
//!
//! It needs rates that are constant within a block (10 canary requests and the baseline's among them, or
//! what is observed at once), not over time, and requests that fail independently of each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sequential::{Tally, Test};
use crate::Violation;

const MAX_MARGIN: u32 = 500;
const MAX_THRESHOLD_MILLIS: u32 = 3_600_000;
const MAX_SECONDS: u32 = 604_800; // a week
const MAX_MIN_REQUESTS: u32 = 1_000_000;
/// Canary requests in a block. More would cost less and see later.
pub(super) const BLOCK: u64 = 10;

/// When a canary is rolled back, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackConfig {
    /// The target that may be rolled back.
    pub canary: String,
    /// The target it is compared with, which then gets its requests: another one, of native weight 1 or more.
    pub baseline: String,
    /// By how much the canary's share of errors may exceed the baseline's, in thousandths of its requests: 0
    /// to 500, else 10.
    #[serde(default = "ten")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_MARGIN)))]
    pub error_margin_per_mille: u32,
    /// The same for slow requests; absent: only errors count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyMargin>,
    /// How sure a rollback is: one minus the greatest probability of a rollback without a reason.
    #[serde(default)]
    pub confidence: Confidence,
    /// 1 to 604,800 seconds (a week), else 60. Only requests that end within one such window are compared,
    /// and trouble that begins in a later window is seen independently of what was before.
    #[serde(default = "sixty")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_SECONDS)))]
    pub window_seconds: u32,
    /// Requests that each of the two must have had: 1 to 1,000,000, else 50.
    #[serde(default = "fifty")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_MIN_REQUESTS)))]
    pub min_requests: u32,
    /// How long a rollback lasts: 1 to 604,800 seconds (a week). Absent: until the policy changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_SECONDS)))]
    pub hold_seconds: Option<u32>,
}

/// By how much the canary's share of slow requests may exceed the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyMargin {
    /// A request is slow from this number of milliseconds on: 1 to 3,600,000 (an hour).
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_THRESHOLD_MILLIS)))]
    pub threshold_millis: u32,
    /// In thousandths of the requests, 0 to 500.
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_MARGIN)))]
    pub margin_per_mille: u32,
}

/// One minus the greatest probability of a rollback without a reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Confidence {
    /// One in a hundred.
    #[serde(rename = "0.99")]
    Hundredth,
    /// One in a thousand.
    #[default]
    #[serde(rename = "0.999")]
    Thousandth,
    /// One in ten thousand.
    #[serde(rename = "0.9999")]
    TenThousandth,
}

fn ten() -> u32 {
    10
}

fn fifty() -> u32 {
    50
}

fn sixty() -> u32 {
    60
}

impl RollbackConfig {
    /// Checks against the targets and their native weights.
    pub(super) fn check(&self, targets: &[String], native: &[u32]) -> Vec<Violation> {
        let mut found = Vec::new();
        for (field, name) in [("canary", &self.canary), ("baseline", &self.baseline)] {
            if !targets.contains(name) {
                found.push(Violation::new(field, format!("{name:?} is none of the targets")));
            }
        }
        if self.canary == self.baseline {
            found.push(Violation::new("baseline", "canary and baseline must be two targets"));
        }
        let baseline = targets.iter().zip(native).find(|(name, _)| **name == self.baseline);
        if baseline.is_some_and(|(_, weight)| *weight == 0) {
            let message = "the baseline needs a native weight of 1 or more to take the canary's requests";
            found.push(Violation::new("baseline", message));
        }
        let mut within = |field: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                found.push(Violation::new(field, format!("{value} must be {least} to {most}")));
            }
        };
        within("errorMarginPerMille", self.error_margin_per_mille, 0, MAX_MARGIN);
        if let Some(latency) = self.latency {
            within(
                "latency.thresholdMillis",
                latency.threshold_millis,
                1,
                MAX_THRESHOLD_MILLIS,
            );
            within("latency.marginPerMille", latency.margin_per_mille, 0, MAX_MARGIN);
        }
        within("windowSeconds", self.window_seconds, 1, MAX_SECONDS);
        within("minRequests", self.min_requests, 1, MAX_MIN_REQUESTS);
        if let Some(seconds) = self.hold_seconds {
            within("holdSeconds", seconds, 1, MAX_SECONDS);
        }
        found
    }
}

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
        Some(Self {
            canary: index(&config.canary)?,
            baseline: index(&config.baseline)?,
            error_margin: config.error_margin_per_mille,
            latency: config.latency,
            confidence: config.confidence,
            window: Duration::from_secs(u64::from(config.window_seconds)),
            min_requests: u64::from(config.min_requests),
            hold: config
                .hold_seconds
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
        })
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
    fn add(&mut self, more: Self) {
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
        let is_slow = self
            .rules
            .latency
            .is_some_and(|latency| millis >= latency.threshold_millis);
        let one = Counts {
            requests: 1,
            errors: u64::from(is_error),
            slow: u64::from(is_slow),
        };
        let none = Counts::default();
        if target == self.rules.canary {
            self.observe(now, none, one, BLOCK)
        } else if target == self.rules.baseline {
            self.observe(now, one, none, BLOCK)
        } else {
            None
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
