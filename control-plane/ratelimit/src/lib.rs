//! Rate limits over all proxies: a service that speaks Envoy's rate limit service protocol
//! (`envoy.service.ratelimit.v3.RateLimitService`) and keeps its counts in Redis or Valkey.
//!
//! | part | what it is |
//! |---|---|
//! | [`bucket`] | the token bucket: what is used of it, what fits; pure |
//! | [`ask`] | from a request of Envoy to what is asked of the store |
//! | [`answer`] | from what the store said to Envoy's answer and its header fields |
//! | [`Store`] | where counts are kept: [`Redis`] for many instances, [`Memory`] for one |
//! | [`Service`] | the service itself, with deadlines and bounds |
//! | [`Metrics`] | what it counts about itself |
//!
//! The service has no configuration of limits. A descriptor brings its limit along, in the entry
//! [`LIMIT_ENTRY`](ferromesh_model::policy::LIMIT_ENTRY) that the control plane puts on the route, or in Envoy's own override
//! (`RateLimitDescriptor.limit`). So a limit changes with its route in one update, every instance is like every other, and
//! none can be out of date.
//!
//! A request is admitted by all of its limits or counted in none, in one round trip to the store, by the store's clock.

pub mod answer;
pub mod ask;
pub mod bucket;
mod memory;
mod metrics;
mod redis;
mod service;
mod store;

pub use self::memory::Memory;
pub use self::metrics::Metrics;
pub use self::redis::{Client, InvalidStore, Redis, RedisConfig, StoreTls};
pub use self::service::{Service, ServiceConfig};
pub use self::store::{Charge, Decision, Key, Store, StoreError};
