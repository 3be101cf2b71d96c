//! Cases that show by traffic what one field of App Mesh's API does on stock Envoy.
//!
//! A case is a file: the resources as the API takes them, the servers around the proxy, and what is sent and expected.
//! Each runs in a mesh and in two network namespaces of its own (see [`place`]), so that every case may use the same
//! addresses and ports; all of them share one control plane.

pub mod case;
pub mod certificates;
pub mod client;
pub mod expect;
pub mod place;
pub mod reply;
pub mod resources;
pub mod run;
pub mod sds;
pub mod server;
pub mod step;

pub use case::Case;
pub use run::run;
