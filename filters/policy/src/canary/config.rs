//! The canary's part of a route policy, as it is written.

use serde::{Deserialize, Serialize};

use crate::Violation;

/// The highest weight. App Mesh's are 0 to 100; a stand-alone Envoy may use finer ones.
pub const MAX_WEIGHT: u32 = 1_000_000;

/// How requests are shared between a route's targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// One weight for each target, in the order of the targets: the same numbers as in Envoy's weighted
    /// clusters. Each at most 1,000,000; the sum is above 0.
    pub weights: Vec<u32>,
    /// What keeps a user with their target; without it every request is drawn anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Lets testers choose a target themselves.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub tester: Option<Override>,
}

/// The key of a sticky choice. A request without it is drawn by weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sticky {
    /// The value of this request header (names in any case).
    Header(String),
    /// The value of this cookie.
    Cookie(String),
    /// The peer's address without its port.
    SourceAddress(SourceAddress),
}

/// No settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAddress {}

/// A tester's own choice: a request header whose value is a target's name.
///
/// Unknown names are ignored, and so are targets of weight 0: no number selects these in Envoy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// The header's name, in any case.
    pub header: String,
}

impl Config {
    pub(super) fn check(&self, targets: usize) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.weights.len() != targets {
            found.push(Violation::new(
                "weights",
                format!(
                    "{} weights for {targets} targets; each target needs one",
                    self.weights.len()
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
        match &self.sticky {
            Some(Sticky::Header(name)) => found.extend(check_token("sticky.header", name)),
            Some(Sticky::Cookie(name)) => found.extend(check_token("sticky.cookie", name)),
            Some(Sticky::SourceAddress(_)) | None => {}
        }
        if let Some(tester) = &self.tester {
            found.extend(check_token("override.header", &tester.header));
        }
        found
    }
}

/// A header's or cookie's name: an RFC 9110 token (or a pseudo header) of at most 255 bytes.
fn check_token(path: &str, name: &str) -> Option<Violation> {
    let token = name.strip_prefix(':').unwrap_or(name);
    let valid = !token.is_empty()
        && name.len() <= 255
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    (!valid).then(|| Violation::new(path, format!("name {name:?} must be a token of 1 to 255 characters")))
}
