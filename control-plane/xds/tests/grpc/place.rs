//! Where a test takes place: a server of its own for each make of client, in each variant of the protocol.

use std::time::Duration;

use bytes::Bytes;
use ferromesh_xds::stream::{Limits, Protocol};
use ferromesh_xds::Config;

use crate::server::Server;
use crate::wire::{Wire, DELTA, MARK, SOTW};

/// A test's snapshot: contents are `name=content`, and there are marks to ask for.
pub fn publish(server: &Server, node: &str, resources: &[(&'static str, &str, &str)]) {
    let named = |n: &str, c: &str| Bytes::from(format!("{n}={c}"));
    let marks: Vec<String> = (0..40).map(|n| format!("mark-{n}")).collect();
    let mut all: Vec<(&str, &str, Bytes)> = resources.iter().map(|(t, n, c)| (*t, *n, named(n, c))).collect();
    all.extend(marks.iter().map(|n| (MARK, n.as_str(), Bytes::new())));
    server.source.publish(node, &all);
}

/// Nothing waits for time to pass.
pub fn at_once() -> Config {
    Config {
        limits: Limits {
            removal_grace: Duration::ZERO,
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Runs a test for both makes of client, in both variants of the protocol, each with a server of its own.
pub async fn everywhere(test: impl AsyncFn(&Place)) {
    tokio::join!(in_variant(SOTW, at_once(), &test), in_variant(DELTA, at_once(), &test));
}

/// Runs a test for both makes of client.
pub async fn in_variant(variant: Protocol, config: Config, test: impl AsyncFn(&Place)) {
    let run = async |grpcio: bool| {
        let server = Server::start(config.clone()).await;
        let place = Place {
            server,
            variant,
            grpcio,
        };
        test(&place).await;
    };
    tokio::join!(run(false), run(true));
}

/// Where a test takes place: a server, and a make of client.
pub struct Place {
    pub server: Server,
    pub variant: Protocol,
    grpcio: bool,
}

impl Place {
    /// A snapshot for node `n`.
    pub fn publish(&self, resources: &[(&'static str, &str, &str)]) {
        publish(&self.server, "n", resources);
    }

    /// A stream, as node `n`.
    pub async fn open(&self) -> Wire {
        self.open_at(&self.server).await
    }

    /// A stream to some other server.
    pub async fn open_at(&self, server: &Server) -> Wire {
        Wire::open(server, self.variant, self.grpcio).await
    }
}
