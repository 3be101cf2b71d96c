//! The retry part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use super::headers::{is_grpc, GRPC_CONDITIONS, HTTP_CONDITIONS};
use crate::Violation;

const MAX_RETRIES: u32 = 1_000;
const MAX_MIN_PER_SECOND: u32 = 1_000_000;
const MAX_WINDOW_SECONDS: u32 = 3_600;
const MAX_PER_TRY_TIMEOUT_MILLIS: u64 = 86_400_000;

/// How often a request may be retried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "RetryConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Retries beyond the first attempt, at most 1000: the number of the route's native policy.
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_RETRIES)))]
    pub max_retries: u32,
    /// The bound on retries of the whole virtual service; absent: the defaults of each
    /// of its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetConfig>,
    /// Whether the Envoy route carries the retry policy (the default). `false`, for stand-alone use: the
    /// filter states it in request headers, from the fields below, which a native policy must not have.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub native: bool,
    /// Envoy's retry conditions, of HTTP (`x-envoy-retry-on`) and of gRPC (`x-envoy-retry-grpc-on`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, extend("items" = {"type": "string", "enum": conditions()})))]
    pub retry_on: Vec<String>,
    /// HTTP status codes to retry, 100 to 599; they imply the condition `retriable-status-codes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, inner(range(min = 100, max = 599))))]
    pub status_codes: Vec<u16>,
    /// Milliseconds for each attempt, 1 to 86,400,000; absent: the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_PER_TRY_TIMEOUT_MILLIS)))]
    pub per_try_timeout_millis: Option<u64>,
    /// What may be retried of methods that are not idempotent.
    #[serde(default, skip_serializing_if = "NonIdempotent::is_safe")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub non_idempotent: NonIdempotent,
}

/// What may be retried of a request whose method is not idempotent (RFC 9110, 9.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum NonIdempotent {
    /// Only what no upstream can have processed; and gRPC conditions, which name their case themselves.
    #[default]
    Safe,
    /// The same as of any other request.
    Retry,
}

/// A bound on retries over a sliding window: of each virtual service in each worker of one Envoy, or of an upstream
/// filter in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetConfig {
    /// Retries for each request, 0 to 1.
    #[serde(default = "BudgetConfig::default_ratio")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
    pub ratio: f64,
    /// Retries each second that are allowed without any ratio, at most 1,000,000.
    #[serde(default = "BudgetConfig::default_min_per_second")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_MIN_PER_SECOND)))]
    pub min_per_second: u32,
    /// The window's length in seconds, 1 to 3600.
    #[serde(default = "BudgetConfig::default_window_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_WINDOW_SECONDS)))]
    pub window_seconds: u32,
}

impl Default for BudgetConfig {
    /// 20 % of requests plus 3 each second, over 10 seconds.
    fn default() -> Self {
        Self {
            ratio: Self::default_ratio(),
            min_per_second: Self::default_min_per_second(),
            window_seconds: Self::default_window_seconds(),
        }
    }
}

impl BudgetConfig {
    fn default_ratio() -> f64 {
        0.2
    }

    fn default_min_per_second() -> u32 {
        3
    }

    fn default_window_seconds() -> u32 {
        10
    }

    /// The ratio in parts of a million, rounded.
    pub(super) fn ratio_micro(&self) -> u32 {
        // Checked to be 0 to 1 where it comes from; the cast saturates otherwise.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let micro = (self.ratio * 1e6 + 0.5) as u32;
        micro
    }

    pub(crate) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if !(0.0..=1.0).contains(&self.ratio) {
            // Without the value: printing floats is 30 KB of code in every module.
            found.push(Violation::new("ratio", "ratio must be between 0 and 1"));
        }
        if self.min_per_second > MAX_MIN_PER_SECOND {
            found.push(Violation::new(
                "minPerSecond",
                format!(
                    "{} retries each second is above {MAX_MIN_PER_SECOND}",
                    self.min_per_second
                ),
            ));
        }
        if !(1..=MAX_WINDOW_SECONDS).contains(&self.window_seconds) {
            found.push(Violation::new(
                "windowSeconds",
                format!(
                    "window of {} s must be 1 to {MAX_WINDOW_SECONDS} s",
                    self.window_seconds
                ),
            ));
        }
        found
    }
}

impl Config {
    /// A policy whose conditions are on the Envoy route.
    #[must_use]
    pub fn native(max_retries: u32, budget: BudgetConfig) -> Self {
        Self {
            max_retries,
            budget: Some(budget),
            native: true,
            retry_on: Vec::new(),
            status_codes: Vec::new(),
            per_try_timeout_millis: None,
            non_idempotent: NonIdempotent::Safe,
        }
    }

    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.max_retries > MAX_RETRIES {
            let message = format!("{} retries is above {MAX_RETRIES}", self.max_retries);
            found.push(Violation::new("maxRetries", message));
        }
        if let Some(budget) = &self.budget {
            found.extend(budget.check().into_iter().map(|violation| violation.within("budget")));
        }
        if self.native {
            found.extend(self.check_native());
            return found;
        }
        if self.retry_on.is_empty() && self.status_codes.is_empty() {
            let message = "a policy that is not native needs conditions here or statusCodes";
            found.push(Violation::new("retryOn", message));
        }
        for (index, condition) in self.retry_on.iter().enumerate() {
            if !HTTP_CONDITIONS.contains(&condition.as_str()) && !is_grpc(condition) {
                found.push(Violation::new(
                    format!("retryOn[{index}]"),
                    format!(
                        "{condition:?} is not one of {}, {}",
                        HTTP_CONDITIONS.join(", "),
                        GRPC_CONDITIONS.join(", ")
                    ),
                ));
            }
        }
        for (index, code) in self.status_codes.iter().enumerate() {
            if !(100..=599).contains(code) {
                found.push(Violation::new(
                    format!("statusCodes[{index}]"),
                    format!("status {code} must be 100 to 599"),
                ));
            }
        }
        if let Some(millis) = self.per_try_timeout_millis {
            if !(1..=MAX_PER_TRY_TIMEOUT_MILLIS).contains(&millis) {
                found.push(Violation::new(
                    "perTryTimeoutMillis",
                    format!("timeout of {millis} ms must be 1 to {MAX_PER_TRY_TIMEOUT_MILLIS} ms"),
                ));
            }
        }
        found
    }

    fn check_native(&self) -> Vec<Violation> {
        let members = [
            ("retryOn", !self.retry_on.is_empty()),
            ("statusCodes", !self.status_codes.is_empty()),
            ("perTryTimeoutMillis", self.per_try_timeout_millis.is_some()),
            ("nonIdempotent", self.non_idempotent != NonIdempotent::Safe),
        ];
        members
            .into_iter()
            .filter(|(_, present)| *present)
            .map(|(path, _)| Violation::new(path, "only a policy with native: false may have this"))
            .collect()
    }
}

impl NonIdempotent {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    fn is_safe(&self) -> bool {
        *self == Self::Safe
    }
}

/// What `retryOn` may hold.
#[cfg(feature = "schema")]
fn conditions() -> Vec<&'static str> {
    [HTTP_CONDITIONS.as_slice(), GRPC_CONDITIONS.as_slice()].concat()
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_yes(value: &bool) -> bool {
    *value
}
