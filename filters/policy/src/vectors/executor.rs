//! What a place where the policy runs must be able to do.

use super::{Action, Configured, Headers, Metric, Request, Response};

/// What a filter did with the request headers.
#[derive(Clone, Debug, Default)]
pub struct RequestOutcome {
    /// All request headers as the next filter would see them.
    pub headers: Headers,
    /// What the filter told the host to do.
    pub action: Action,
}

/// One place where the policy runs. An executor is made for one vector, with its module and seed.
///
/// `at_ms` never goes back from call to call. A stream is a number that the caller chooses; an executor may meet a
/// response of a stream whose request it never saw.
pub trait Executor {
    /// Calls `on_configure`; whether it accepted.
    fn configure(&mut self, at_ms: u64, plugin: &[u8]) -> Configured;
    /// Begins a stream with request headers.
    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome;
    /// Response headers; all of them as the next filter would see them.
    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers;
    /// The stream ends: done, log, delete.
    fn end(&mut self, at_ms: u64, stream: usize);
    /// The host's tick.
    fn tick(&mut self, at_ms: u64);
    /// Every metric that was written so far: raw stat name (as the filter defined it) and cumulative value.
    fn metrics(&mut self) -> Vec<(String, Metric)>;
}
