//! `ferromesh rate-limit-service`: what the policy member `rateLimit.global` asks. One port for Envoy's protocol (gRPC) and
//! for the pages that watch the service.
//!
//! Instances know nothing of each other and nothing of the mesh: limits come with each request, counts are in the store.

mod pages;
pub mod settings;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ferromesh_ratelimit::{Memory, Metrics, Redis, Service, ServiceConfig, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Listener,
    exit::Exit,
    server::{self, Limits},
    termination::Termination,
};
use pages::Pages;
pub use settings::Arguments;
use settings::{Counts, Settings};

/// Runs the command.
///
/// # Errors
/// What kept the service from running.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    // Both its own TLS and the store's want one; whoever installed one before installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = match Settings::read(arguments) {
        Ok(settings) => settings,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    match settings.counts.clone() {
        Counts::Memory { buckets } => {
            tracing::warn!(
                "counts are in this instance's memory: they are gone with it, and no other instance sees them"
            );
            serve(settings, Memory::new(buckets)).await
        }
        Counts::Redis(client, config) => serve(settings, Redis::start(*client, config)).await,
    }
}

async fn serve<S: Store>(settings: Settings, store: S) -> anyhow::Result<Exit> {
    let mut termination = Termination::listen().context("cannot listen for signals")?;
    let (store, metrics) = (Arc::new(store), Arc::new(Metrics::default()));
    let config = ServiceConfig {
        waiting: settings.waiting,
    };
    let grpc = Service::new(Arc::clone(&store), Arc::clone(&metrics), config).into_server();
    let shutdown = CancellationToken::new();
    let pages = Arc::new(Pages {
        store,
        metrics,
        shutdown: shutdown.clone(),
    });
    let mut servers = JoinSet::new();
    for address in &settings.listen {
        let listener = Listener::bind(address).await?;
        tracing::info!(
            address = %listener.address()?,
            tls = settings.tls.is_some(),
            serves = "envoy.service.ratelimit.v3 (gRPC), /livez, /readyz, /metrics",
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
        let (grpc, pages) = (grpc.clone(), Arc::clone(&pages));
        let answer = move |request| pages::answer(Arc::clone(&pages), grpc.clone(), request);
        let tls = settings.tls.clone();
        servers.spawn(server::run_with(listener, tls, answer, limits(), shutdown.clone()));
    }
    termination.asked().await;
    tracing::info!("shutting down");
    shutdown.cancel();
    let ended = async { while servers.join_next().await.is_some() {} };
    termination.asked_again_or(ended).await;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

fn limits() -> Limits {
    Limits {
        // An Envoy has one connection for each worker, and on it a stream for each request that waits.
        streams: 4_096,
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}
