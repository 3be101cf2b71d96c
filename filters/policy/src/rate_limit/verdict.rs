//! What was decided about a request.

use super::Told;

/// What was decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Admitted {
        /// What its response tells; `None`: nothing was counted, or the policy tells nothing.
        told: Option<Told>,
        /// Why it would have been denied, where the policy is a dry run or allows what cannot be counted.
        spared: Option<Cause>,
    },
    /// It is answered in its upstream's place.
    Denied(Denial),
}

/// The answer to a denied request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The response's status.
    pub status: u16,
    /// What the response tells.
    pub told: Option<Told>,
    /// The value of `retry-after` in seconds, at least 1; `None`: trying again would not help.
    pub retry_after: Option<u32>,
    /// Why.
    pub cause: Cause,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A limit has nothing left.
    Spent,
    /// A limit's key is missing.
    MissingKey,
    /// Other workers won every write.
    Contended,
    /// The host has no shared data.
    Unavailable,
}
