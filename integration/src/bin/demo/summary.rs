//! What the demo saw, as the one-line JSON that `--check` prints last.

use serde::Serialize;

/// The whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether every promise held.
    pub ok: bool,
    pub steps: Vec<Step>,
    /// Requests sent over all steps and updates, and those that failed.
    pub requests: usize,
    pub failed: usize,
    pub flaky: Option<Faulty>,
    pub outage: Option<Faulty>,
    /// What did not hold, a sentence each.
    pub misses: Vec<String>,
}

/// One setting of the weights.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Blue and green.
    pub weights: [u32; 2],
    pub requests: usize,
    /// Green's share in per cent.
    pub green_percent: f64,
    /// How far that is from the weight, in standard deviations.
    pub deviations: f64,
    /// From the API's commit to the first request answered by the new weights; absent for the first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_after_millis: Option<u64>,
    pub p50_millis: f64,
    pub p99_millis: f64,
}

/// A time in which the target failed on purpose.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Faulty {
    pub requests: usize,
    /// Answers of the target that were faults.
    pub faults: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// The most that the budget allows.
    pub retries_allowed: u64,
    /// Requests that failed in the client's eyes.
    pub failed: usize,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            ok: true,
            steps: Vec::new(),
            requests: 0,
            failed: 0,
            flaky: None,
            outage: None,
            misses: Vec::new(),
        }
    }
}

impl Summary {
    /// Notes a promise that did not hold.
    pub fn miss(&mut self, what: String) {
        self.ok = false;
        self.misses.push(what);
    }

    /// Notes `what` unless `held`.
    pub fn expect(&mut self, held: bool, what: impl FnOnce() -> String) {
        if !held {
            self.miss(what());
        }
    }
}
