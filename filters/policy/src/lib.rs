//! The behaviour of Ferromesh's filters, pure: no clock, no randomness, no input or output.
//!
//! Configuration is parsed, compiled once, and then decided with for every request; time and chance are
//! arguments, the request is read through a [`View`], and what is to be done comes back as data
//! ([`RequestEffects`], [`ResponseEffects`]). The same code runs in the wasm modules, in the control plane
//! (which compiles every policy before it is pushed) and in tests.
//!
//! ```
//! use ferromesh_policy::mesh::RouteConfig;
//!
//! let config = RouteConfig::parse(br#"{
//!     "labels": {"virtualService": "color.local", "route": "r1"},
//!     "targets": ["blue", "green"],
//!     "canary": {"weights": [90, 10], "sticky": {"header": "x-user"}}
//! }"#).unwrap();
//! let policy = config.compile().unwrap();
//! let canary = policy.canary.unwrap();
//! // The number that selects a target in Envoy's weighted clusters: the middle of its interval.
//! assert_eq!(canary.number(0), Some(&b"45"[..]));
//! assert_eq!(canary.number(1), Some(&b"95"[..]));
//! // A user stays with their target.
//! assert_eq!(canary.sticky_choice(b"ada"), canary.sticky_choice(b"ada"));
//! ```
//!
//! The order of things: [`mesh::PluginConfig`] makes a [`Plugin`]; each stream is an [`Exchange`], which
//! finds its route's policy through the plugin; what outlives a configuration (random numbers, retry
//! budgets, counters) is in the [`Vm`].

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(all(feature = "schema", target_family = "wasm"))]
compile_error!("the feature `schema` is for the reference pages, and no part of a module");

mod address;
pub mod breaker;
pub mod canary;
mod decimal;
mod document;
mod draws;
mod effects;
mod exchange;
pub mod fault;
mod hash;
pub mod headers;
pub mod mesh;
pub mod observability;
mod plugin;
pub mod rate_limit;
pub mod retry;
#[cfg(feature = "schema")]
pub mod schema;
pub mod share;
mod sip_hash;
#[cfg(test)]
mod test_view;
#[cfg(feature = "replay")]
#[allow(clippy::indexing_slicing)] // test code: its input is the corpus
pub mod vectors;
mod view;
mod violation;
mod vm;
mod write;

pub use decimal::Decimal;
pub use draws::Draws;
pub use effects::{Answered, Flow, Reply, RequestEffects, ResponseEffects};
pub use exchange::{Exchange, Now};
pub use plugin::Plugin;
pub use view::{Property, View};
pub use violation::Violation;
pub use vm::Vm;
pub use write::Write;
