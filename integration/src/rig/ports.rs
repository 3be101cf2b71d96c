//! Free ports, from a range that the kernel gives to nobody by itself.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{bail, Result};

/// Linux hands out 32768 and above to outgoing connections: a port from there, free a moment ago, may be
/// some client's by the time it is listened on.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on, on any local address. Each call gives another one; test processes that run
/// at the same time start their search at different places.
pub fn free() -> Result<u16> {
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        // 37 ports apart for neighbouring process ids.
        let offset = (u32::from(start) * 37 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + offset as u16;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST} to {}", FIRST + COUNT - 1)
}

/// Whether nobody listens on the port, on any local address.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_ok()
}
