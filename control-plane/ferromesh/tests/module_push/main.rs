//! `ferromesh module` against a real registry: Debian's `docker-registry`, started for each test.
//!
//! Modules go to it and come back in both layouts; what consumers read, the manifests and their media types, is
//! read over the registry's own HTTP API.

mod program;
mod registry;

mod credentials;
mod refusals;
mod round_trip;
