//! The canary's part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use super::overall::OverallConfig;
use super::ramp::RampConfig;
use super::rollback::RollbackConfig;
use super::sticky::Sticky;
use crate::Violation;

/// The highest weight. App Mesh's are 0 to 100; a stand-alone Envoy may use finer ones.
pub const MAX_WEIGHT: u32 = 1_000_000;

/// How requests are shared between a route's targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "CanaryConfig"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// One weight for each target, in the order of the targets: the same numbers as in Envoy's weighted
    /// clusters. Each at most 1,000,000; the sum is above 0.
    #[cfg_attr(feature = "schema", schemars(length(min = 1), inner(range(max = MAX_WEIGHT))))]
    pub weights: Vec<u32>,
    /// What keeps a user with their target; without it every request is drawn anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Lets testers choose a target themselves.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub tester: Option<Tester>,
    /// Weights that change with the time, in place of `weights`, which then only say how Envoy's numbers lie
    /// and what holds before the ramp's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampConfig>,
    /// When a target that proves bad loses its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackConfig>,
    /// The control plane's part of `rollback`, which it writes itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overall: Option<OverallConfig>,
}

/// A tester's own choice: a request header or a cookie whose value is a target's name. At least one of them.
///
/// The header goes first. Unknown names are ignored, and so are targets of weight 0: no number selects these
/// in Envoy. A tester reaches a target whatever a ramp, a rollback or a breaker says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tester {
    /// The header's name, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub header: Option<String>,
    /// The cookie's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub cookie: Option<String>,
}

impl Config {
    pub(super) fn check(&self, targets: &[String]) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.weights.len() != targets.len() {
            found.push(Violation::new(
                "weights",
                format!(
                    "{} weights for {} targets; each target needs one",
                    self.weights.len(),
                    targets.len()
                ),
            ));
        }
        for (index, weight) in self.weights.iter().enumerate() {
            if *weight > MAX_WEIGHT {
                found.push(Violation::new(
                    format!("weights[{index}]"),
                    format!("weight {weight} is above {MAX_WEIGHT}"),
                ));
            }
        }
        if self.weights.iter().all(|weight| *weight == 0) {
            found.push(Violation::new(
                "weights",
                "the sum of the weights is 0; it must be above 0",
            ));
        }
        if let Some(sticky) = &self.sticky {
            found.extend(sticky.check("sticky"));
        }
        if let Some(tester) = &self.tester {
            found.extend(tester.check());
        }
        let mut part = |name: &str, violations: Vec<Violation>| {
            found.extend(violations.into_iter().map(|violation| violation.within(name)));
        };
        if let Some(ramp) = &self.ramp {
            part("ramp", ramp.check(&self.weights));
        }
        if let Some(rollback) = &self.rollback {
            part("rollback", rollback.check(targets, &self.weights));
        }
        if let Some(overall) = &self.overall {
            found.extend(overall.check());
            if self.rollback.is_none() {
                found.push(Violation::new("overall", "there is no rollback for it"));
            }
        }
        found
    }
}

impl Tester {
    fn check(&self) -> Vec<Violation> {
        if self.header.is_none() && self.cookie.is_none() {
            return vec![Violation::new("override", "an override needs a header or a cookie")];
        }
        let names = [("override.header", &self.header), ("override.cookie", &self.cookie)];
        let check = |(path, name): (&str, &Option<String>)| check_token(path, name.as_deref()?);
        names.into_iter().filter_map(check).collect()
    }
}

/// A header's or cookie's name: an RFC 9110 token (or a pseudo header) of at most 255 bytes.
pub(super) fn check_token(path: &str, name: &str) -> Option<Violation> {
    let token = name.strip_prefix(':').unwrap_or(name);
    let valid = !token.is_empty()
        && name.len() <= 255
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    (!valid).then(|| Violation::new(path, format!("name {name:?} must be a token of 1 to 255 characters")))
}
