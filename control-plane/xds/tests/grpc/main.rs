//! The service over a real connection, with tonic's generated clients and with gRPC's C core.

mod acknowledgements;
mod admission;
mod bounds;
mod channel;
mod place;
mod python;
mod reconnects;
mod server;
mod streams;
mod subscriptions;
mod wire;
mod words;
