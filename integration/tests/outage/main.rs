//! The control plane goes away, and with it Envoys, agents and addresses: traffic goes on, and what starts meanwhile serves
//! the last good configuration.

mod address;
mod agent;
mod away;
mod choice;
mod refusal;
mod restart;
mod state_of_the_world;
