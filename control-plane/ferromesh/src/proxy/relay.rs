//! The way of Envoy's configuration through the agent: passed on from a control plane while one is there, and else the last
//! good one.
//!
//! ```text
//! Envoy ── Unix socket ── relay ─┬─ pass      ── uplink ── one of several control planes
//!                                │    └ reads along: what Envoy acknowledges is remembered
//!                                ├─ fallback  ── memory ── file
//!                                └─ reports   ── uplink
//! ```
//!
//! Envoy always comes to the same socket. When its stream ends, for whatever reason, it comes again by itself, tells which
//! versions it holds and goes on serving meanwhile; then it is decided anew where it is served from. So there is never more
//! than one source of a stream, and versions and names are the control plane's own in both cases.

mod configuration;
mod fallback;
mod file;
mod frames;
mod keeper;
mod last_good;
mod memory;
mod pass;
mod refusals;
mod reports;
mod standing;
mod uplink;
mod wire;

use std::{
    fs::{DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use ferromesh_xds::{stream::Protocol, AggregatedDiscoveryService};
use http::{header, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::settings::{RelayOptions, Settings};
use crate::{
    address::{Address, Listener},
    server::{self, Body, Limits},
};
pub use file::{Owner, Secrets};
use keeper::Keeper;
use memory::Memory;
use refusals::Refusals;
use reports::Reports;
use standing::Standing;
pub use standing::View;
use uplink::{Connected, Uplink};

/// How long control planes may be away before the last good configuration is served: as long as it takes to find another
/// one, or the same one anew after a restart.
const AWAY: Duration = Duration::from_secs(2);
/// Between two lines of the log while Envoy waits.
const STILL_WAITING: Duration = Duration::from_secs(30);

const STATE_OF_THE_WORLD: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// The relay's files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The socket that Envoy comes to.
    pub socket: PathBuf,
    /// The last good configuration.
    last_good: PathBuf,
    /// The folder of both, unless the socket is elsewhere.
    folder: PathBuf,
}

impl Files {
    /// Files below the state folder of a proxy.
    pub fn below(state: &Path, options: &RelayOptions) -> Self {
        let folder = state.join("relay");
        Self {
            socket: options.socket.clone().unwrap_or_else(|| folder.join("agent.sock")),
            last_good: folder.join("last-good"),
            folder,
        }
    }

    /// Makes the folder, or makes it private: it holds keys, and whoever reaches the socket is given them.
    fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        std::fs::set_permissions(&self.folder, Permissions::from_mode(0o700))
    }
}

/// A relay that runs. Clones share it.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    uplink: Uplink,
    memory: Arc<Memory>,
    fallback: AggregatedDiscoveryService,
    reports: Reports,
    refusals: Refusals,
    standing: Standing,
}

/// The relay's tasks.
pub struct Running {
    /// Asks about it.
    pub relay: Relay,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Waits until all has ended and been written, after the shutdown began.
    pub async fn ended(self) {
        for task in self.tasks {
            // A panic in it has been printed.
            let _ = task.await;
        }
    }
}

/// Starts the relay; it serves Envoy until `shutdown`.
///
/// # Errors
/// The folder, the socket or the proxy's credential cannot be used.
pub async fn start(
    settings: &Settings,
    files: &Files,
    state: &Path,
    shutdown: CancellationToken,
) -> anyhow::Result<Running> {
    files
        .prepare()
        .with_context(|| format!("cannot make the folder {}", files.folder.display()))?;
    let address = Address::Unix(files.socket.clone());
    let listener = Listener::bind(&address)
        .await
        .context("the agent's socket for Envoy (APPNET_RELAY_LISTENER_UDS_PATH puts it elsewhere)")?;
    std::fs::set_permissions(&files.socket, Permissions::from_mode(0o600))
        .with_context(|| format!("cannot make {} private", files.socket.display()))?;

    let keeper = Keeper {
        path: files.last_good.clone(),
        secrets: settings.relay.secrets,
    };
    let owner = Owner {
        id: settings.node.id.clone(),
        cluster: settings.node.cluster.clone(),
    };
    let memory = Arc::new(keeper.read(owner).await);
    let tls = match &settings.credential {
        Some(credential) => {
            let following = credential.clone().follow(state, &settings.xds, shutdown.clone()).await;
            Some(following.context("the proxy's credential")?)
        }
        None => None,
    };
    let uplink = Uplink::start(settings.xds.clone(), tls, shutdown.clone());
    let relay = Relay {
        shared: Arc::new(Shared {
            fallback: fallback::service(Arc::clone(&memory), uplink.clone()),
            uplink,
            memory: Arc::clone(&memory),
            reports: Reports::default(),
            refusals: Refusals::default(),
            standing: Standing::default(),
        }),
    };
    let answering = relay.clone();
    let answer = move |request| answering.clone().answer(request);
    let limits = Limits {
        connections: 64,
        streams: 128,
        drain: Duration::from_secs(1),
        ..Limits::default()
    };
    let tasks = vec![
        tokio::spawn(server::run(listener, answer, limits, shutdown.clone())),
        tokio::spawn(keeper.run(memory, shutdown)),
    ];
    Ok(Running { relay, tasks })
}

impl Relay {
    /// Envoy is being taken out of service: what it gives up is not forgotten.
    pub fn hold(&self) {
        self.shared.memory.hold();
    }

    /// A new Envoy begins.
    pub fn resume(&self) {
        self.shared.memory.resume();
    }

    /// How it stands.
    pub fn view(&self) -> View {
        self.shared.standing.view(self.shared.memory.good_at())
    }

    /// The agent's metrics in Prometheus' text form.
    pub fn prometheus(&self) -> String {
        self.shared.standing.prometheus(self.shared.memory.good_at()) + &self.shared.refusals.prometheus()
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let is_grpc = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        match request.uri().path() {
            DELTA if is_grpc => self.discovery(Protocol::Delta, request).await,
            STATE_OF_THE_WORLD if is_grpc => self.discovery(Protocol::StateOfTheWorld, request).await,
            // It says that it does not know the method.
            _ if is_grpc => self.answer_from_last_good(request).await,
            _ => {
                let Shared { uplink, refusals, .. } = &*self.shared;
                self.shared.reports.answer(uplink, refusals, request).await
            }
        }
    }

    async fn discovery(&self, protocol: Protocol, request: Request<Incoming>) -> Response<Body> {
        let shared = &self.shared;
        let connected = match shared.uplink.up_within(AWAY).await {
            Some(connected) => connected,
            None if shared.memory.sealed().is_some() => {
                let age = shared.memory.good_at().and_then(|at| at.elapsed().ok());
                tracing::warn!(
                    proxy = shared.memory.owner().id,
                    age_seconds = age.map(|age| age.as_secs()),
                    "no control plane is there: envoy is served the last good configuration"
                );
                return self.answer_from_last_good(request).await;
            }
            None => self.wait().await,
        };
        pass::pass(shared, connected, protocol, request).await
    }

    async fn answer_from_last_good(&self, request: Request<Incoming>) -> Response<Body> {
        let place = self.shared.standing.answered_from_last_good();
        let memory = Arc::clone(&self.shared.memory);
        let is_delta = request.uri().path() == DELTA;
        let request = request.map(|body| match is_delta {
            true => fallback::Ahead::of(body, memory).boxed_unsync(),
            false => body.boxed_unsync(),
        });
        let answered = self.shared.fallback.clone().oneshot(request).await;
        let response = match answered {
            Ok(response) => response,
            Err(never) => match never {},
        };
        response.map(|body| {
            let body = body.map_frame(move |frame| {
                // Counted for as long as the body is there.
                let _ = &place;
                frame
            });
            body.map_err(Into::into).boxed_unsync()
        })
    }

    /// There is nothing to serve: Envoy waits, as it would for a control plane of its own.
    async fn wait(&self) -> Connected {
        loop {
            tracing::warn!(
                proxy = self.shared.memory.owner().id,
                "no control plane is there and there is no last good configuration: envoy waits"
            );
            if let Ok(connected) = tokio::time::timeout(STILL_WAITING, self.shared.uplink.up()).await {
                return connected;
            }
        }
    }
}
