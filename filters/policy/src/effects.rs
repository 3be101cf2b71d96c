//! What is to be done with a stream, as values: the adaptor carries them out, tests compare them.

use std::time::Duration;

use crate::canary::{self, SetCookieValue};
use crate::headers::{Operations, Rendered};
use crate::observability::request_id::{self, RequestId};
use crate::observability::{server_timing, ServerTiming, TraceWrites, ATTEMPTS_HEADER, ROUTE_HEADER, TARGET_HEADER};
use crate::rate_limit::{self, RETRY_AFTER_HEADER};
use crate::retry::{RequestHeaders, MAX_RETRIES_HEADER};
use crate::{Decimal, Violation, Write};

/// What becomes of a request after its header writes.
#[derive(Debug, Default, PartialEq)]
pub enum Flow<'p> {
    /// It goes on.
    #[default]
    Continue,
    /// It waits, and is asked about again then ([`crate::Exchange::on_resume`]).
    Delay(Duration),
    /// It is answered in its target's place.
    Reply(Reply<'p>),
}

/// An answer in the target's place.
#[derive(Debug, PartialEq)]
pub struct Reply<'p> {
    /// The HTTP status.
    pub status: u16,
    /// The gRPC status for gRPC requests; `None`: the host's translation of the HTTP status.
    pub grpc_status: Option<u8>,
    /// Why, for the host's logs (`response_code_details`) and as the body.
    pub reason: &'static str,
    /// Seconds after which it makes sense to ask again.
    pub retry_after: Option<Decimal>,
    /// What is left of a limit.
    pub limit: Option<rate_limit::Fields<'p>>,
    /// Whether the router before this one should not retry.
    pub is_final: bool,
    /// Whether it holds the request back to protect somebody: then the request must not go on where the answer cannot
    /// be given.
    pub protects: bool,
}

impl Reply<'_> {
    /// The response headers in order.
    pub fn for_each_header(&self, mut header: impl FnMut(&'static str, &[u8])) {
        if let Some(seconds) = &self.retry_after {
            header(RETRY_AFTER_HEADER, seconds.as_bytes());
        }
        if let Some(fields) = &self.limit {
            fields.for_each_write(|name, value| header(name, value.unwrap_or_default()));
        }
        if self.is_final {
            header("x-envoy-overloaded", b"true");
        }
    }
}

/// Writes to the request headers. Values are borrowed from the compiled policy or rendered on the stack.
#[derive(Debug, Default, PartialEq)]
pub struct RequestEffects<'p> {
    /// What becomes of the request. Where it is answered nothing is written.
    pub flow: Flow<'p>,
    /// The number that selects a target.
    pub pick: Option<&'p [u8]>,
    /// The number of retries, where it is not the route's.
    pub max_retries: Option<Decimal>,
    /// Stand-alone: the retry policy.
    pub retry: Option<&'p RequestHeaders>,
    /// A new or translated trace.
    pub trace: Option<TraceWrites>,
    /// A new request id.
    pub request_id: Option<RequestId>,
    /// The header policy.
    pub headers: Option<(Operations<'p>, &'p Rendered)>,
    /// The route's policy, met for the first time, has these mistakes and is not in effect: to be logged.
    pub invalid_policy: Vec<Violation>,
}

impl RequestEffects<'_> {
    /// The header writes in order.
    pub fn for_each_write(&self, mut write: impl FnMut(&str, Write<'_>)) {
        if let Some(number) = self.pick {
            write(canary::PICK_HEADER, Write::Set(number));
        }
        for (name, value) in self.retry.into_iter().flat_map(RequestHeaders::iter) {
            write(name, Write::Set(value));
        }
        if let Some(retries) = &self.max_retries {
            write(MAX_RETRIES_HEADER, Write::Set(retries.as_bytes()));
        }
        if let Some(trace) = &self.trace {
            trace.for_each_write(&mut |name, value| write(name, value));
        }
        if let Some(id) = &self.request_id {
            write(request_id::HEADER, Write::Set(id.as_bytes()));
        }
        if let Some((operations, rendered)) = self.headers {
            operations.for_each_write(rendered, write);
        }
    }
}

/// What the response headers tell; nothing is written where nothing is told.
#[derive(Debug, Default, PartialEq)]
pub struct ResponseEffects<'p> {
    /// Which route and target answered.
    pub answered: Option<Answered<'p>>,
    /// What is left of a limit.
    pub limit: Option<rate_limit::Fields<'p>>,
    /// How long it took.
    pub timing: Option<ServerTiming>,
    /// The cookie that keeps a user with their target.
    pub cookie: Option<SetCookieValue>,
    /// The header policy.
    pub headers: Option<(Operations<'p>, &'p Rendered)>,
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
    /// The header writes in order.
    pub fn for_each_write(&self, mut write: impl FnMut(&str, Write<'_>)) {
        if let Some(answered) = &self.answered {
            write(ROUTE_HEADER, Write::Set(answered.route));
            write(TARGET_HEADER, answered.target.map_or(Write::Remove, Write::Set));
            let attempts = answered.attempts.as_ref().map(Decimal::as_bytes);
            write(ATTEMPTS_HEADER, attempts.map_or(Write::Remove, Write::Set));
        }
        if let Some(fields) = &self.limit {
            fields.for_each_write(|name, value| write(name, value.map_or(Write::Remove, Write::Set)));
        }
        if let Some(timing) = &self.timing {
            let mut buffer = [0; server_timing::CAPACITY];
            write(server_timing::HEADER, Write::Add(timing.render(&mut buffer)));
        }
        if let Some(cookie) = &self.cookie {
            write("set-cookie", Write::Add(cookie.as_bytes()));
        }
        if let Some((operations, rendered)) = self.headers {
            operations.for_each_write(rendered, write);
        }
    }
}
