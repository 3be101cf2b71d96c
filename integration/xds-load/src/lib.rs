//! Load for xDS servers: thousands of simulated proxies in one process, and what the server takes for them.
//!
//! A simulated proxy speaks the aggregated discovery service over a connection of its own, in either variant: it asks for
//! clusters and listeners, then for the endpoints, route tables and filter configurations that those name, and
//! acknowledges, or refuses, whatever it gets. Changes carry the moment at which they were asked for
//! ([`stamp`]), so that a proxy that receives one knows how long it took, whichever server sends it.
//!
//! `xds-bench` measures servers that it starts itself (`cargo xtask bench xds`); `xds-storm` connects a fleet to
//! a server that runs already. [`hostile`] has clients that no server should have to bear.

pub mod bench;
pub mod fleet;
pub mod held;
pub mod hostile;
pub mod journal;
pub mod mesh;
pub mod proxy;
pub mod stamp;
pub mod tally;
pub mod way;
pub mod wire;
pub mod world;
