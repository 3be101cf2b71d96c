//! Why a proxy does not get what the resources say.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// A reason and since when it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What is wrong, lower case without a full stop.
    pub reason: String,
    /// Since when, in seconds since 1970.
    pub since_seconds: f64,
}

impl Problem {
    /// A problem that has just been found.
    pub(super) fn now(reason: String) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            reason,
            since_seconds: since.as_secs_f64(),
        }
    }
}
