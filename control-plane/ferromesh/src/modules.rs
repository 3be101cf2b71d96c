//! Module sets: which filter modules the proxies of a mesh get.
//!
//! A set is a named version of `mesh.wasm` and `mesh-lean.wasm` (and, for Envoys without our control plane, of the modules with
//! one feature each). The one that the installation came with is there always, under the name [`BUILT_IN`]; others are added
//! over the API, after they were judged ([`check`]). A mesh chooses one, and can go back to the one before.
//!
//! What is in the store is not believed: bytes that are read from there are judged again, signature and all, before a proxy
//! gets them ([`loaded`]). A set that fails keeps its meshes on their last good configuration.

mod catalogue;
mod check;
mod choices;
mod keep;
mod loaded;
mod record;
mod shown;
mod signature;
pub mod verdicts;

pub use catalogue::Catalogue;
pub use check::{MAX_MEMORY, MAX_MODULE};
pub use loaded::{Loaded, Unusable};
pub use record::{Choice, BUILT_IN};
pub use signature::{Signed, TrustedKeys};

#[cfg(test)]
mod tests;
