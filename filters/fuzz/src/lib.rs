//! What must hold whatever is configured and whatever is sent: one function of bytes for each target, which panics
//! when it does not hold.
//!
//! The bytes choose a case (see [`ferromesh_policy::vectors::Choices`]), so libFuzzer can look for one
//! (`cargo xtask fuzz`, the binary of this crate with the feature `libfuzzer`), and a seeded generator can draw many
//! (this crate's tests, which are what continuous integration runs). Nothing else differs between the two.

mod canary;
mod circuit_breaker;
mod configuration;
mod fault;
mod headers;
mod memory;
mod mesh;
mod observability;
mod play;
mod policies;
mod rate_limit;
mod retry;
pub mod tally;

/// A target: its name and what it does with one input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 10] = [
    ("plugin", configuration::plugin),
    ("route-policy", configuration::route_policy),
    ("canary", canary::requests),
    ("retry", retry::requests),
    ("observability", observability::requests),
    ("rate-limit", rate_limit::requests),
    ("circuit-breaker", circuit_breaker::requests),
    ("fault", fault::requests),
    ("headers", headers::requests),
    ("mesh", mesh::requests),
];

/// Runs one input, and holds what it may take of memory and that it gives all of it back.
///
/// # Panics
/// When anything that must hold does not.
pub fn run(target: fn(&[u8]), input: &[u8]) {
    memory::bounded(|| target(input));
}
