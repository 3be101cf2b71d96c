//! What the control plane knows of a policy's rollbacks: verdicts over all proxies, kept beside the policy, because the
//! policy is its author's word for word.

use std::collections::BTreeMap;

pub use ferromesh_policy::canary::MAX_CANARIES;
use serde::{Deserialize, Serialize};

/// The rollbacks of one policy, on all routes that it holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollbacks {
    /// Mesh of the policy.
    pub mesh: String,
    /// Name of the policy.
    pub policy: String,
    /// How often an operator has cleared them. Comparisons of another generation are other ones.
    #[serde(default)]
    pub generation: u64,
    /// Verdicts by the key of their comparison.
    #[serde(default)]
    pub verdicts: BTreeMap<String, Verdict>,
}

/// A canary was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// The virtual service of the route, as metrics name it.
    pub virtual_service: String,
    /// The route, as metrics name it.
    pub route: String,
    /// The target that lost its requests.
    pub canary: String,
    /// The target that has them now.
    pub baseline: String,
    /// Of what it was found guilty.
    pub cause: Cause,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_millis: u64,
    /// Until when, in milliseconds since 1970-01-01 UTC; absent: until it is cleared or the policy changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_millis: Option<u64>,
    /// How often this canary was rolled back on this route, this time included.
    pub rollbacks: u32,
    /// The requests that were compared.
    pub counts: BothCounts,
}

/// What was wrong with a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// Its share of errors.
    Errors,
    /// Its share of slow requests.
    Latency,
}

impl Cause {
    /// The word for it in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
        }
    }
}

/// Requests of a canary and its baseline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BothCounts {
    /// The canary's.
    pub canary: Counts,
    /// The baseline's.
    pub baseline: Counts,
}

/// Requests of one target. Errors and slow requests may be the same ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// All requests that ended.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that took the policy's threshold or longer.
    pub slow: u64,
}

impl Rollbacks {
    /// None yet.
    pub fn of(mesh: impl Into<String>, policy: impl Into<String>) -> Self {
        Self {
            mesh: mesh.into(),
            policy: policy.into(),
            ..Self::default()
        }
    }

    /// Takes all verdicts back; what is known of the canaries counts no more.
    pub fn clear(&mut self) {
        self.generation += 1;
        self.verdicts.clear();
    }
}

impl Verdict {
    /// Whether the canary's requests go to the baseline, at a moment in milliseconds since 1970-01-01 UTC.
    pub fn holds_at(&self, unix_millis: u64) -> bool {
        self.until_unix_millis.is_none_or(|until| unix_millis < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(until: Option<u64>) -> Verdict {
        Verdict {
            virtual_service: "s".into(),
            route: "r".into(),
            canary: "b".into(),
            baseline: "a".into(),
            cause: Cause::Errors,
            at_unix_millis: 5,
            until_unix_millis: until,
            rollbacks: 1,
            counts: BothCounts::default(),
        }
    }

    #[test]
    fn a_verdict_holds_for_its_time_or_for_ever() {
        assert!(verdict(None).holds_at(u64::MAX));
        assert!(verdict(Some(10)).holds_at(9) && !verdict(Some(10)).holds_at(10));
    }

    #[test]
    fn clearing_begins_another_generation() {
        let mut rollbacks = Rollbacks::of("m", "p");
        rollbacks.verdicts.insert("k".into(), verdict(None));
        rollbacks.clear();
        assert_eq!((rollbacks.generation, rollbacks.verdicts.len()), (1, 0));
    }
}
