//! Who a proxy is: certificates over real TLS, join tokens, revocation, and what happens to whoever shows something else.

mod envoys;
mod failing_over;
mod joining;
mod reports;
mod streams;
mod world;
