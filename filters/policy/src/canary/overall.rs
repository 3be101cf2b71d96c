//! What the control plane says of a rollback: it compares over all proxies what a worker compares over its own
//! requests, so it sees what is too rare for any one of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Violation;

const MAX_KEY: usize = 64;

/// The control plane's part of a rollback, which it writes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverallConfig {
    /// What requests are reported under, 1 to 64 letters, digits, `-` and `_`. Another key is another comparison:
    /// what was known before, of the worker's own too, is forgotten.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_KEY)))]
    pub key: String,
    /// When the canary was rolled back, in milliseconds since 1970-01-01 UTC; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_unix_millis: Option<u64>,
}

impl OverallConfig {
    pub(super) fn check(&self) -> Option<Violation> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let valid = (1..=MAX_KEY).contains(&self.key.len()) && self.key.bytes().all(fits);
        let message = format!("{:?} must be 1 to {MAX_KEY} letters, digits, '-' and '_'", self.key);
        (!valid).then(|| Violation::new("overall.key", message))
    }
}

/// A compiled [`OverallConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overall {
    pub(super) key: String,
    /// `Some(None)`: rolled back until the policy changes.
    until: Option<Option<Duration>>,
}

impl Overall {
    pub(super) fn new(config: &OverallConfig, hold: Option<Duration>) -> Self {
        let until = |millis| hold.map(|hold| Duration::from_millis(millis).saturating_add(hold));
        Self {
            key: config.key.clone(),
            until: config.rolled_back_unix_millis.map(until),
        }
    }

    /// Whether the canary's requests go to the baseline. The beginning is not looked at: a clock that is late must
    /// not put it off.
    pub(super) fn is_rolled_back(&self, unix: Duration) -> bool {
        match self.until {
            None => false,
            Some(until) => until.is_none_or(|until| unix < until),
        }
    }
}
