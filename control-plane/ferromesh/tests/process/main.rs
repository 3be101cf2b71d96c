//! Tests of the program as users run it: processes, sockets, signals, and stock Envoy.

mod bootstrap;
mod explain;
mod mesh;
mod proxy;
mod readiness;
mod support;
mod tls;
