//! The circuit breaker's part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use crate::Violation;

const MAX_WINDOW_SECONDS: u32 = 3_600;
const MAX_EJECT_SECONDS: u32 = 86_400;
const MAX_REQUESTS: u32 = 1_000_000;
const MAX_SLOW_MILLIS: u32 = 3_600_000;
const MAX_PROBES: u32 = 1_000;

/// When requests are kept away from upstreams that fail. Each worker of an Envoy decides for itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "CircuitBreakerConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// What is ejected.
    #[serde(default, skip_serializing_if = "Per::is_target")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub per: Per,
    /// The window over which outcomes are counted, in seconds, 1 to 3600.
    #[serde(default = "Config::default_window_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_WINDOW_SECONDS)))]
    pub window_seconds: u32,
    /// Outcomes in the window below which nothing is ejected, 1 to 1,000,000.
    #[serde(default = "Config::default_min_requests")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_REQUESTS)))]
    pub min_requests: u32,
    /// The share of errors that ejects, above 0 and at most 1.
    #[serde(default = "Config::default_error_ratio")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1e-6, max = 1)))]
    pub error_ratio: f64,
    /// Milliseconds beyond which a response is slow, 1 to 3,600,000; absent: no response is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_SLOW_MILLIS)))]
    pub slow_millis: Option<u32>,
    /// The share of slow responses that ejects, above 0 and at most 1; together with `slowMillis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1e-6, max = 1)))]
    pub slow_ratio: Option<f64>,
    /// Seconds of the first ejection, 1 to 86,400; each that follows soon is twice as long.
    #[serde(default = "Config::default_eject_seconds")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_EJECT_SECONDS)))]
    pub eject_seconds: u32,
    /// Seconds of the longest ejection, `ejectSeconds` to 86,400; absent: ten times `ejectSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_EJECT_SECONDS)))]
    pub max_eject_seconds: Option<u32>,
    /// Requests, one after the other, that must succeed after an ejection, 1 to 1000.
    #[serde(default = "Config::default_probes")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_PROBES)))]
    pub probes: u32,
    /// The status of a request that finds everything ejected, 400 to 599.
    #[serde(default = "Config::default_status")]
    #[cfg_attr(feature = "schema", schemars(range(min = 400, max = 599)))]
    pub status: u16,
}

/// What is ejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Per {
    /// A target; its requests go to the route's others by their weights.
    #[default]
    Target,
    /// The virtual service.
    Service,
}

impl Per {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    fn is_target(&self) -> bool {
        *self == Self::Target
    }
}

impl Default for Config {
    /// Half of at least 20 requests within 10 seconds ejects for 30 seconds, at most 300; 3 probes.
    fn default() -> Self {
        Self {
            per: Per::Target,
            window_seconds: Self::default_window_seconds(),
            min_requests: Self::default_min_requests(),
            error_ratio: Self::default_error_ratio(),
            slow_millis: None,
            slow_ratio: None,
            eject_seconds: Self::default_eject_seconds(),
            max_eject_seconds: None,
            probes: Self::default_probes(),
            status: Self::default_status(),
        }
    }
}

impl Config {
    fn default_window_seconds() -> u32 {
        10
    }

    fn default_min_requests() -> u32 {
        20
    }

    fn default_error_ratio() -> f64 {
        0.5
    }

    fn default_eject_seconds() -> u32 {
        30
    }

    fn default_probes() -> u32 {
        3
    }

    fn default_status() -> u16 {
        503
    }

    pub(super) fn longest_seconds(&self) -> u32 {
        self.max_eject_seconds
            .unwrap_or_else(|| self.eject_seconds.saturating_mul(10).min(MAX_EJECT_SECONDS))
    }

    pub(super) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        found.extend(within("windowSeconds", self.window_seconds, 1, MAX_WINDOW_SECONDS));
        found.extend(within("minRequests", self.min_requests, 1, MAX_REQUESTS));
        found.extend(check_ratio("errorRatio", self.error_ratio));
        if let Some(millis) = self.slow_millis {
            found.extend(within("slowMillis", millis, 1, MAX_SLOW_MILLIS));
        }
        if let Some(ratio) = self.slow_ratio {
            found.extend(check_ratio("slowRatio", ratio));
        }
        match (self.slow_millis, self.slow_ratio) {
            (Some(_), None) => found.push(Violation::new("slowRatio", "slowMillis says nothing without slowRatio")),
            (None, Some(_)) => found.push(Violation::new(
                "slowMillis",
                "slowRatio says nothing without slowMillis",
            )),
            _ => {}
        }
        found.extend(within("ejectSeconds", self.eject_seconds, 1, MAX_EJECT_SECONDS));
        if let Some(longest) = self.max_eject_seconds {
            found.extend(within(
                "maxEjectSeconds",
                longest,
                self.eject_seconds,
                MAX_EJECT_SECONDS,
            ));
        }
        found.extend(within("probes", self.probes, 1, MAX_PROBES));
        found.extend(within("status", u32::from(self.status), 400, 599));
        found
    }
}

fn within(path: &str, value: u32, least: u32, most: u32) -> Option<Violation> {
    (!(least..=most).contains(&value)).then(|| Violation::new(path, format!("{value} must be {least} to {most}")))
}

fn check_ratio(path: &str, ratio: f64) -> Option<Violation> {
    // Below a millionth it would round to nothing, and nothing would eject everything.
    (!(1e-6..=1.0).contains(&ratio)).then(|| Violation::new(path, "the ratio must be 0.000001 to 1"))
}
