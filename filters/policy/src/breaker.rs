//! Circuit breakers: requests are kept away from an upstream that fails or is slow, until it has shown itself well.
//!
//! Admitting: outcomes are counted over a window; enough errors or slow responses eject. Ejecting: requests go to the
//! other targets, or are answered at once. Probing: after the ejection one request at a time goes on; some successes
//! in a row admit again, one failure ejects for twice as long. Each worker decides from what it saw itself: no shared
//! state, no hostcall, and all workers come to see the same upstream.
//!
//! ```
//! use std::time::Duration;
//! use ferromesh_policy::breaker::{Admission, Breaker, Config, Ended, Policy, State};
//!
//! let config = Config { min_requests: 2, probes: 1, ..Config::default() };
//! let mut breaker = Breaker::new(&Policy::compile(&config).unwrap());
//! let second = Duration::from_secs(1);
//! for _ in 0..2 {
//!     let Admission::Admit(token) = breaker.admit(second) else { panic!() };
//!     breaker.record(second, token, Ended::Responded { status: 500, grpc: None }, second);
//! }
//! assert_eq!(breaker.admit(second), Admission::Refuse { retry_after: 30 * second });
//! let Admission::Probe(token) = breaker.admit(31 * second) else { panic!() };
//! let changed = breaker.record(32 * second, token, Ended::Responded { status: 200, grpc: None }, second);
//! assert_eq!(changed, Some(State::Admitting));
//! ```

mod breakers;
mod config;
mod outcome;
mod policy;
mod state;
mod window;

pub use breakers::Breakers;
pub use config::{Config, Per};
pub use outcome::Ended;
pub use policy::Policy;
pub use state::{Admission, Breaker, State, Token};

#[cfg(test)]
mod tests;
