//! The fault part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use crate::headers::name;
use crate::share::Percent;
use crate::Violation;

const MAX_DELAY_MILLIS: u64 = 600_000;
const MAX_MARK: usize = 1_024;

/// What goes wrong with the requests of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FaultConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Requests that wait before they go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelayConfig>,
    /// Requests that are answered with an error and never reach a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortConfig>,
    /// Which requests: those that carry this mark; absent: all of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Mark>,
}

/// Requests that wait.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelayConfig {
    /// How long, in milliseconds, 1 to 600,000. Requests may wait up to 5 ms longer.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_DELAY_MILLIS)))]
    pub millis: u64,
    /// How many of the requests, in per cent; absent: all.
    #[serde(default = "all")]
    pub percent: Percent,
}

/// Requests that are answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortConfig {
    /// The HTTP status, 200 to 599.
    #[cfg_attr(feature = "schema", schemars(range(min = 200, max = 599)))]
    pub status: u16,
    /// The gRPC status of answers to gRPC requests, 0 to 16; absent: Envoy's translation of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 16)))]
    pub grpc_status: Option<u8>,
    /// How many of the requests, in per cent; absent: all.
    #[serde(default = "all")]
    pub percent: Percent,
}

/// A header that marks a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mark {
    /// The header's name, lower case.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub header: String,
    /// Its value; absent: any. At most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_MARK)))]
    pub value: Option<String>,
}

fn all() -> Percent {
    Percent(100.0)
}

impl Config {
    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.delay.is_none() && self.abort.is_none() {
            found.push(Violation::new("", "a fault needs a delay or an abort"));
        }
        if let Some(delay) = &self.delay {
            if !(1..=MAX_DELAY_MILLIS).contains(&delay.millis) {
                let message = format!("delay of {} ms must be 1 to {MAX_DELAY_MILLIS} ms", delay.millis);
                found.push(Violation::new("delay.millis", message));
            }
            found.extend(check_percent("delay.percent", delay.percent));
        }
        if let Some(abort) = &self.abort {
            if !(200..=599).contains(&abort.status) {
                let message = format!("status {} must be 200 to 599", abort.status);
                found.push(Violation::new("abort.status", message));
            }
            if let Some(status) = abort.grpc_status.filter(|status| *status > 16) {
                let message = format!("gRPC status {status} must be 0 to 16");
                found.push(Violation::new("abort.grpcStatus", message));
            }
            found.extend(check_percent("abort.percent", abort.percent));
        }
        if let Some(mark) = &self.when {
            found.extend(name::check_read("when.header", &mark.header));
            let length = mark.value.as_ref().map_or(0, String::len);
            if length > MAX_MARK {
                let message = format!("value of {length} bytes is above {MAX_MARK}");
                found.push(Violation::new("when.value", message));
            }
        }
        found
    }
}

fn check_percent(path: &str, percent: Percent) -> Option<Violation> {
    percent
        .share()
        .is_none()
        .then(|| Violation::new(path, "share must be 0 to 100 per cent"))
}
