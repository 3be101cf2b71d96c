//! A rollback's rules, as they are written.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RollbackRules;
use crate::Violation;

const MAX_MARGIN: u32 = 500;
const MAX_THRESHOLD_MILLIS: u32 = 3_600_000;
const MAX_SECONDS: u32 = 604_800; // a week
const MAX_MIN_REQUESTS: u32 = 1_000_000;

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
    /// Whether the control plane compares over all proxies too, else `true`: then counts are sent to it every few
    /// seconds. Without a control plane each worker is alone with its own requests.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub across_proxies: bool,
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

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
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
    /// Compiles without a route: what is compared is whatever [`Rollback::observe_counts`](super::Rollback::observe_counts) gets.
    #[must_use]
    pub fn rules(&self) -> RollbackRules {
        self.compile(0, 1)
    }

    pub(super) fn compile(&self, canary: usize, baseline: usize) -> RollbackRules {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        RollbackRules {
            canary,
            baseline,
            error_margin: self.error_margin_per_mille,
            latency: self.latency,
            confidence: self.confidence,
            window: seconds(self.window_seconds),
            min_requests: u64::from(self.min_requests),
            hold: self.hold_seconds.map(seconds),
        }
    }

    /// Checks against the targets and their native weights.
    pub(in crate::canary) fn check(&self, targets: &[String], native: &[u32]) -> Vec<Violation> {
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
