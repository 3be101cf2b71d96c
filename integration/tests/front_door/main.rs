//! The front door: slow clients are cut while others are served, TLS with certificates that change, every protocol on one
//! port.

mod slow;
mod tls;
