//! Fault injection: a share of requests is delayed, answered with an error, or both, to try what depends on them.
//!
//! With `when` only requests that carry the mark are concerned, so that a tester's requests fail and nobody
//! else's. A delay comes before an abort, as in Envoy's own fault filter.

mod config;

use std::time::Duration;

pub use config::{AbortConfig, Config, DelayConfig, Mark};

use crate::share::Share;
use crate::{Draws, View, Violation};

/// A compiled fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    mark: Option<Mark>,
    delay: Option<(Duration, Share)>,
    abort: Option<(Abort, Share)>,
}

/// An answer instead of the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// The HTTP status.
    pub status: u16,
    /// The gRPC status, for gRPC requests; `None`: the host's translation of the HTTP status.
    pub grpc_status: Option<u8>,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The request waits this long first.
    pub delay: Option<Duration>,
    /// Then it is answered with this.
    pub abort: Option<Abort>,
}

impl Policy {
    /// Compiles.
    ///
    /// # Errors
    /// All mistakes: shares, statuses and times outside their limits, a fault that does nothing.
    pub fn compile(config: &Config) -> Result<Self, Vec<Violation>> {
        let violations = config.check();
        if !violations.is_empty() {
            return Err(violations);
        }
        // Checked above: a share outside its limits did not get here.
        let share = |percent: crate::share::Percent| percent.share().unwrap_or(Share::ALL);
        Ok(Self {
            mark: config.when.clone(),
            delay: config
                .delay
                .map(|delay| (Duration::from_millis(delay.millis), share(delay.percent))),
            abort: config.abort.map(|abort| {
                let answer = Abort {
                    status: abort.status,
                    grpc_status: abort.grpc_status,
                };
                (answer, share(abort.percent))
            }),
        })
    }

    /// Decides for one request. Without a mark nothing is read.
    pub fn decide<V: View>(&self, view: &V, draws: &mut Draws) -> Fault {
        if self.mark.as_ref().is_some_and(|mark| !mark.is_on(view)) {
            return Fault::default();
        }
        let delay = self.delay.filter(|(_, share)| share.draw(draws));
        let abort = self.abort.filter(|(_, share)| share.draw(draws));
        Fault {
            delay: delay.map(|(delay, _)| delay),
            abort: abort.map(|(abort, _)| abort),
        }
    }
}

impl Mark {
    fn is_on<V: View>(&self, view: &V) -> bool {
        let value = view.request_header(&self.header);
        match (value, &self.value) {
            (Some(value), Some(wanted)) => value.as_ref() == wanted.as_bytes(),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests;
