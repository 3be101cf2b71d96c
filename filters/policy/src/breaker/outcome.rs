//! What a breaker learns from a request.

use std::time::Duration;

/// gRPC statuses that are the upstream's failure: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE.
/// The others tell of the request.
const GRPC_ERRORS: [u32; 5] = [2, 4, 8, 13, 14];

/// How a request ended, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a response.
    Responded {
        /// The HTTP status.
        status: u16,
        /// The gRPC status, where there is one.
        grpc: Option<u32>,
    },
    /// Without one, and not because the client went.
    NoResponse,
    /// The client went before there was one. A host that answers for an upstream that fails does so with a response.
    Cancelled,
}

/// What a breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Error,
    Slow,
    /// Not the upstream's doing: the same as if the request had not been made.
    Nothing,
}

impl Ended {
    /// Whether it is the upstream's failure, however long it took.
    pub(crate) fn is_error(self) -> bool {
        self.outcome(Duration::ZERO, None) == Outcome::Error
    }

    /// `slow` is the time beyond which a response is. An error stays one however long it took; a client that
    /// went after that time was waiting for a slow response.
    pub(super) fn outcome(self, took: Duration, slow: Option<Duration>) -> Outcome {
        let is_slow = slow.is_some_and(|slow| took > slow);
        match self {
            Self::NoResponse => Outcome::Error,
            Self::Responded { status, grpc } => {
                let is_error = status >= 500 || grpc.is_some_and(|status| GRPC_ERRORS.contains(&status));
                match (is_error, is_slow) {
                    (true, _) => Outcome::Error,
                    (false, true) => Outcome::Slow,
                    (false, false) => Outcome::Success,
                }
            }
            Self::Cancelled if is_slow => Outcome::Slow,
            Self::Cancelled => Outcome::Nothing,
        }
    }
}
