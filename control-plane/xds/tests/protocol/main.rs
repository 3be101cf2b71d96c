//! The cases that a discovery server gets right or wrong, one test each, on the state machine.

mod client;
mod delta;
mod listeners;
mod order;
mod reconnect;
mod rejection;
mod state_of_the_world;
mod stream;
