//! A ramp: weights that follow the wall clock, so that a rollout goes on without pushes.
//!
//! Nothing is remembered: weights are a function of the time, every proxy computes the same, and a clock
//! that jumps back only goes back on the ramp. Before the start the native weights hold, after the last
//! step that step's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::MAX_WEIGHT;
use crate::Violation;

/// The sum of a step's weights once it is compiled. The least share that can be written, 1 of 100 targets
/// with 1,000,000 each, is still 10 of these.
pub(super) const WHOLE: u64 = 1_000_000_000;
const MAX_STEPS: usize = 100;
const MAX_PAUSES: usize = 100;
const MAX_AFTER_SECONDS: u32 = 31_622_400; // 366 days
/// The resolution of the way between two steps.
const FRACTION_BITS: u32 = 20;

/// Weights as a function of the wall clock.
///
/// The native weights are no part of it, but a number selects a target only in its native interval: each
/// target that any step gives weight needs a native weight of 1 or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampConfig {
    /// When the ramp begins, in milliseconds since 1970-01-01 UTC.
    pub start_unix_millis: u64,
    /// Times during which the ramp stands still: up to 100, in order, none overlapping another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, length(max = MAX_PAUSES)))]
    pub pauses: Vec<Pause>,
    /// What happens between two steps.
    #[serde(default)]
    pub shape: Shape,
    /// 1 to 100 steps in order; the first is at 0 seconds.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_STEPS)))]
    pub steps: Vec<RampStep>,
}

/// A time during which a ramp stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// Its beginning, in milliseconds since 1970-01-01 UTC.
    pub from_unix_millis: u64,
    /// Its end, after its beginning; absent (only in the last pause): it still lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_millis: Option<u64>,
}

/// What happens between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Shape {
    /// A step's weights hold until the next step.
    #[default]
    Steps,
    /// Shares move evenly from a step's to the next step's.
    Linear,
}

/// The weights that a ramp has reached at some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampStep {
    /// Seconds since the start, pauses not counted; at most 31,622,400 (366 days), each above the last.
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_AFTER_SECONDS)))]
    pub after_seconds: u32,
    /// One weight for each target, each at most 1,000,000; the sum is above 0. Only their ratio counts.
    #[cfg_attr(feature = "schema", schemars(length(min = 1), inner(range(max = MAX_WEIGHT))))]
    pub weights: Vec<u32>,
}

impl RampConfig {
    /// Checks against the native weights of the targets.
    pub(super) fn check(&self, native: &[u32]) -> Vec<Violation> {
        let mut found = Vec::new();
        if !(1..=MAX_STEPS).contains(&self.steps.len()) {
            let message = format!("{} steps; there must be 1 to {MAX_STEPS}", self.steps.len());
            found.push(Violation::new("steps", message));
        }
        let mut earliest = 0;
        for (index, step) in self.steps.iter().enumerate() {
            let (at, after) = (format!("steps[{index}]"), step.after_seconds);
            let in_order = if index == 0 { after == 0 } else { after >= earliest };
            if !in_order || after > MAX_AFTER_SECONDS {
                let message = format!(
                    "{after} s must be {}, and at most {MAX_AFTER_SECONDS} s",
                    if index == 0 {
                        "0 in the first step"
                    } else {
                        "above the step before"
                    }
                );
                found.push(Violation::new(format!("{at}.afterSeconds"), message));
            }
            earliest = after.saturating_add(1);
            found.extend(step.check(native).into_iter().map(|violation| violation.within(&at)));
        }
        if self.pauses.len() > MAX_PAUSES {
            let message = format!("{} pauses; at most {MAX_PAUSES}", self.pauses.len());
            found.push(Violation::new("pauses", message));
        }
        let mut free = Some(0);
        for (index, pause) in self.pauses.iter().enumerate() {
            if free.is_none_or(|free| pause.from_unix_millis < free) {
                let message = "a pause must begin after the end of the one before";
                found.push(Violation::new(format!("pauses[{index}].fromUnixMillis"), message));
            }
            if pause
                .until_unix_millis
                .is_some_and(|until| until <= pause.from_unix_millis)
            {
                let message = "a pause must end after its beginning";
                found.push(Violation::new(format!("pauses[{index}].untilUnixMillis"), message));
            }
            free = pause.until_unix_millis;
        }
        found
    }
}

impl RampStep {
    fn check(&self, native: &[u32]) -> Vec<Violation> {
        let mut found = Vec::new();
        let (weights, targets) = (self.weights.len(), native.len());
        if weights != targets {
            let message = format!("{weights} weights for {targets} targets; each target needs one");
            found.push(Violation::new("weights", message));
        }
        if self.weights.iter().all(|weight| *weight == 0) {
            let message = "the sum of the weights is 0; it must be above 0";
            found.push(Violation::new("weights", message));
        }
        for (index, (weight, native)) in self.weights.iter().zip(native).enumerate() {
            let at = format!("weights[{index}]");
            if *weight > MAX_WEIGHT {
                found.push(Violation::new(at, format!("weight {weight} is above {MAX_WEIGHT}")));
            } else if *weight > 0 && *native == 0 {
                let message = format!("weight {weight} needs a native weight of 1 or more, which selects the target");
                found.push(Violation::new(at, message));
            }
        }
        found
    }
}

/// A compiled ramp.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ramp {
    start: u64,
    pauses: Vec<Pause>,
    shape: Shape,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    after_millis: u64,
    shares: Vec<u64>,
}

/// Where on a ramp a moment is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position<'r> {
    from: &'r [u64],
    to: &'r [u64],
    /// The way from one to the other, of 2^20.
    fraction: i64,
}

impl Ramp {
    /// Compiles a checked configuration.
    pub(super) fn new(config: &RampConfig) -> Self {
        let steps = config.steps.iter().map(|step| {
            let sum: u64 = step.weights.iter().copied().map(u64::from).sum();
            let share = |weight: &u32| u64::from(*weight) * WHOLE / sum.max(1);
            Step {
                after_millis: u64::from(step.after_seconds) * 1000,
                shares: step.weights.iter().map(share).collect(),
            }
        });
        Self {
            start: config.start_unix_millis,
            pauses: config.pauses.clone(),
            shape: config.shape,
            steps: steps.collect(),
        }
    }

    /// The place of a moment; `None` before the start.
    pub(super) fn at(&self, unix: Duration) -> Option<Position<'_>> {
        let elapsed = self.elapsed(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX))?;
        let reached = self.steps.iter().rposition(|step| step.after_millis <= elapsed)?;
        let step = self.steps.get(reached)?;
        let ahead = self.steps.get(reached + 1).filter(|_| self.shape == Shape::Linear);
        let Some(next) = ahead else {
            return Some(Position {
                from: &step.shares,
                to: &step.shares,
                fraction: 0,
            });
        };
        let (passed, length) = (elapsed - step.after_millis, next.after_millis - step.after_millis);
        Some(Position {
            from: &step.shares,
            to: &next.shares,
            // At most 366 days in milliseconds, which leave 20 bits free.
            fraction: i64::try_from((passed << FRACTION_BITS) / length.max(1)).unwrap_or(0),
        })
    }

    /// Milliseconds since the start, pauses not counted.
    fn elapsed(&self, now: u64) -> Option<u64> {
        let whole = now.checked_sub(self.start)?;
        let paused: u64 = self
            .pauses
            .iter()
            .map(|pause| {
                let until = pause.until_unix_millis.unwrap_or(u64::MAX).min(now);
                until.saturating_sub(pause.from_unix_millis.max(self.start))
            })
            .sum();
        Some(whole.saturating_sub(paused))
    }
}

impl Position<'_> {
    /// A target's share of [`WHOLE`].
    pub(super) fn share(&self, target: usize) -> u64 {
        let (Some(from), Some(to)) = (self.from.get(target), self.to.get(target)) else {
            return 0;
        };
        // A billion times 2^20 is far from the end of an i64, and what lies between two shares is one.
        let signed = |share: &u64| i64::try_from(*share).unwrap_or(0);
        let moved = ((signed(to) - signed(from)) * self.fraction) >> FRACTION_BITS;
        u64::try_from(signed(from) + moved).unwrap_or(0)
    }
}
