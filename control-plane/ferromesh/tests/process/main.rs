//! Tests of the program as users run it: processes, sockets, signals, and stock Envoy.

mod bootstrap;
mod mesh;
mod proxy;
mod support;
mod tls;
