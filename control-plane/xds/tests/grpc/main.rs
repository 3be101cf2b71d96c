//! The service over a real connection, with tonic's generated clients.

mod bounds;
mod server;
mod streams;
