//! Rate limits: token buckets and sliding windows by route, header, peer address or identity, exact across workers.
//!
//! Every worker of an Envoy is a VM of its own; the counts are in the shared data that the host keeps for all of them,
//! changed by compare-and-set. So a limit is the whole process's, a VM that is reloaded finds the counts as they
//! were, and nobody gains a new burst by making one trap. At high rates a worker takes what about 10 ms admit at
//! once (never more than a hundredth of the limit), uses it without asking, and gives back what it did
//! not use; what is spent is remembered until it comes back. So under load most requests ask nobody.
//!
//! ```
//! use ferromesh_policy::rate_limit::{Config, Policy};
//!
//! let config: Config = serde_json::from_str(r#"{"limits": [
//!     {"name": "per-user", "requests": 100, "windowSeconds": 1, "burst": 200, "key": {"header": "x-user"}},
//!     {"name": "all", "requests": 50000, "windowSeconds": 60, "algorithm": "slidingWindow"}
//! ]}"#).unwrap();
//! let policy = Policy::compile(&config, "mesh/color.local/r1").unwrap();
//! # let _ = policy;
//! ```
//!
//! The records: see `record.rs`; their number is fixed by [`LimitConfig::keys`]. Shared data cannot be removed: a
//! process keeps the records of every scope and limit name it ever met.

mod bucket;
mod config;
mod lease;
mod limiter;
mod meter;
mod policy;
mod record;
mod shared;
mod ticks;
mod told;
mod verdict;
mod window;

pub use config::{Algorithm, Config, Key, LimitConfig, MissingKey, NoSettings, OnError};
pub use limiter::Limiter;
pub use policy::Policy;
#[cfg(any(test, feature = "replay"))]
pub use shared::Memory;
pub use shared::{Shared, SharedRead, SharedWrite, CREATE};
pub use told::{Field, Fields, Told, RATE_LIMIT_HEADER, RATE_LIMIT_POLICY_HEADER, RETRY_AFTER_HEADER};
pub use verdict::{Cause, Denial, Verdict};

/// Limits on one route.
pub const MAX_LIMITS: usize = 8;

#[cfg(test)]
mod tests;
