//! What is to be done with a stream, as values: the adaptor carries them out, tests compare them.

use crate::observability::request_id::{self, RequestId};
use crate::observability::trace_context::Traceparent;
use crate::observability::{ATTEMPTS_HEADER, ROUTE_HEADER, TARGET_HEADER};
use crate::retry::{RequestHeaders, MAX_RETRIES_HEADER};
use crate::{canary, Decimal, Violation};

/// Writes to the request headers. Values are borrowed from the compiled policy or rendered on the stack.
#[derive(Debug, Default, PartialEq)]
pub struct RequestEffects<'p> {
    /// The number that selects a target.
    pub pick: Option<&'p [u8]>,
    /// The number of retries, where it is not the route's.
    pub max_retries: Option<Decimal>,
    /// Stand-alone: the retry policy.
    pub retry: Option<&'p RequestHeaders>,
    /// A new trace.
    pub traceparent: Option<Traceparent>,
    /// Whether the trace state must go, because the trace it belonged to was invalid.
    pub drops_tracestate: bool,
    /// A new request id.
    pub request_id: Option<RequestId>,
    /// The route's policy, met for the first time, has these mistakes and is not in effect: to be logged.
    pub invalid_policy: Vec<Violation>,
}

impl RequestEffects<'_> {
    /// The header writes in order: `Some` replaces all values of the name, `None` removes them.
    pub fn for_each_write(&self, mut write: impl FnMut(&'static str, Option<&[u8]>)) {
        if let Some(number) = self.pick {
            write(canary::PICK_HEADER, Some(number));
        }
        for (name, value) in self.retry.into_iter().flat_map(RequestHeaders::iter) {
            write(name, Some(value));
        }
        if let Some(retries) = &self.max_retries {
            write(MAX_RETRIES_HEADER, Some(retries.as_bytes()));
        }
        if let Some(traceparent) = &self.traceparent {
            write("traceparent", Some(traceparent.as_bytes()));
        }
        if self.drops_tracestate {
            write("tracestate", None);
        }
        if let Some(id) = &self.request_id {
            write(request_id::HEADER, Some(id.as_bytes()));
        }
    }
}

/// What the response headers tell; nothing is written where nothing is told.
#[derive(Debug, Default, PartialEq)]
pub struct ResponseEffects<'p> {
    /// Which route and target answered.
    pub answered: Option<Answered<'p>>,
}

/// What is told of a response. What is not known is removed, so that nobody else tells it.
#[derive(Debug, PartialEq)]
pub struct Answered<'p> {
    /// The route's label.
    pub route: &'p [u8],
    /// The target's name.
    pub target: Option<&'p [u8]>,
    /// Attempts, the first included.
    pub attempts: Option<Decimal>,
}

impl ResponseEffects<'_> {
    /// The header writes in order: `Some` replaces all values of the name, `None` removes them.
    pub fn for_each_write(&self, mut write: impl FnMut(&'static str, Option<&[u8]>)) {
        if let Some(answered) = &self.answered {
            write(ROUTE_HEADER, Some(answered.route));
            write(TARGET_HEADER, answered.target);
            write(ATTEMPTS_HEADER, answered.attempts.as_ref().map(Decimal::as_bytes));
        }
    }
}
