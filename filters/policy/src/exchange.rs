//! One stream's way through the policy: request, response, end, in whatever part and order the host gives.

mod end;
mod request;
mod response;

use std::rc::Rc;
use std::time::Duration;

use crate::breaker::Token;
use crate::canary::{ChosenBy, CookieId};
use crate::fault::Abort;
use crate::headers::Rendered;
use crate::observability::{Events, ResponseClass};
use crate::plugin::Route;
use crate::rate_limit::Told;
use crate::retry::Grant;
use crate::{Property, View};

/// The time, as the host's two clocks tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since any fixed moment, the same clock for all workers of a process.
    pub monotonic: Duration,
    /// The wall clock, since 1970-01-01 UTC.
    pub unix: Duration,
}

/// The state of one stream. A default one has met nothing yet.
///
/// Every method may be called at any time: what does not fit the state changes nothing. A host that calls
/// no `on_response` is served as well: what counts is then read at the end.
#[derive(Debug, Default)]
pub struct Exchange {
    route: Option<Rc<Route>>,
    began: Duration,
    target: Option<usize>,
    by: Option<ChosenBy>,
    cookie: Option<CookieId>,
    grant: Option<Grant>,
    told: Option<Told>,
    /// What the response will tell of the request.
    kept: Option<Box<Rendered>>,
    abort: Option<Abort>,
    /// What the target's breaker gave this request to be recorded with.
    admitted: Option<Token>,
    /// Milliseconds of the delay that was injected.
    held: u32,
    events: Events,
    /// Whether no target was asked: the answer says nothing about one.
    is_answered_here: bool,
    class: ResponseClass,
    attempts: Option<u32>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    New,
    Requested,
    Responded,
    Ended,
}

impl Exchange {
    fn retries(&self) -> u32 {
        self.attempts.map_or(0, |attempts| attempts.saturating_sub(1))
    }

    /// Gives back what the budget granted and nobody used.
    fn settle(&mut self) {
        let budget = self.route.as_deref().and_then(|route| route.budget.as_ref());
        if let (Some(grant), Some(budget)) = (self.grant.take(), budget) {
            if let Ok(mut budget) = budget.try_borrow_mut() {
                budget.settle(grant, self.retries());
            }
        }
    }
}

/// The attempts that the router made, the first included; `None` when the host does not tell.
fn attempts<V: View>(view: &V) -> Option<u32> {
    let value = view.property(Property::AttemptCount)?;
    let bytes: [u8; 8] = value.as_ref().try_into().ok()?;
    Some(u32::try_from(u64::from_le_bytes(bytes)).unwrap_or(u32::MAX))
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
