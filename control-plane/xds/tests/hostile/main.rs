//! Clients that mean harm, in one process with the server and without sockets: what they send is bytes, and what the server
//! takes of it, and what it costs, can be counted.

mod bytes_of;
mod clients;
mod decoder;
mod memory;
