//! `ferromesh proxy`: what runs beside Envoy, as App Mesh's agent did.
//!
//! It reads the agent's environment variables, writes a bootstrap, runs stock Envoy in the foreground, answers the
//! agent's API, and on SIGTERM takes Envoy out of service before it ends it. Its exit status is Envoy's.

pub mod admin;
pub mod agent;
pub mod bootstrap;
pub mod connections;
pub mod credential;
pub mod drain;
pub mod environment;
pub mod envoy;
pub mod log_files;
pub mod readiness;
pub mod relay;
mod report;
pub mod settings;
pub mod stats_tags;
pub mod status;
mod supervisor;
pub mod user_files;

use std::{net::IpAddr, path::PathBuf};

use anyhow::Context;
use settings::{Overrides, Settings, XdsTransport};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// The flags of `ferromesh proxy`.
///
/// The proxy is configured by App Mesh's environment variables: APPMESH_RESOURCE_ARN and APPMESH_XDS_ENDPOINT are
/// required, the others have the agent's defaults.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The Envoy binary [default: FERROMESH_ENVOY, then envoy on PATH]
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// Envoy's worker threads [default: ENVOY_CONCURRENCY, then one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    concurrency: Option<u64>,
    /// Address of Envoy's admin interface, which can stop the proxy [default: FERROMESH_ADMIN_ADDRESS, then 127.0.0.1]
    #[arg(long, value_name = "IP")]
    admin_address: Option<IpAddr>,
    /// Address of the agent API [default: APPNET_AGENT_HTTP_BIND_ADDRESS, then 127.0.0.1]
    #[arg(long, value_name = "IP")]
    agent_address: Option<IpAddr>,
    /// Folder for the last good configuration and other files [default: the first of systemd's STATE_DIRECTORY, then a
    /// private temporary one, removed at the end]
    ///
    /// An agent that is started again serves the last good configuration from here when no control plane is there. One
    /// folder for each proxy.
    #[arg(long, value_name = "DIR", env = "FERROMESH_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// Take the configuration from another machine without encryption. Whoever is on the way controls this proxy
    #[arg(long)]
    insecure_xds: bool,
    /// Print the bootstrap and exit
    #[arg(long)]
    print_bootstrap: bool,
    /// Start nothing: wait until the Envoy of this environment serves, and exit with 0, or with 1 if it does not
    ///
    /// For readiness probes. APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S (5) and
    /// APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S (180) say how often and how long it is asked.
    #[arg(long)]
    envoy_readiness: bool,
}

/// Runs the command.
///
/// # Errors
/// What kept Envoy from running.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let overrides = Overrides {
        concurrency: arguments.concurrency,
        admin_address: arguments.admin_address,
        agent_address: arguments.agent_address,
        xds_transport: if arguments.insecure_xds {
            XdsTransport::AnyPlaintext
        } else {
            XdsTransport::LocalPlaintext
        },
    };
    let look_up = |name: &str| std::env::var(name).ok();
    let (settings, warnings) = match Settings::read(&look_up, overrides) {
        Ok(read) => read,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if arguments.envoy_readiness {
        return readiness::wait(&settings).await;
    }
    let parts = match user_files::read(&settings) {
        Ok(parts) => parts,
        Err(problems) => return Ok(Exit::usage(problems)),
    };
    let state_dir = arguments.state_dir.or_else(given_by_systemd);
    if arguments.print_bootstrap {
        // What is made at the start is shown as a pattern.
        let state = state_dir.unwrap_or_else(|| std::env::temp_dir().join("ferromesh-proxy-XXXXXX"));
        let files = relay::Files::below(&state, &settings.relay);
        return match bootstrap_text(&settings, "00000000-0000-0000-0000-000000000000", &files, parts) {
            Ok(bootstrap) => {
                println!("{bootstrap}");
                Ok(Exit::Success)
            }
            Err(problem) => Ok(Exit::usage([problem])),
        };
    }
    let binary = match envoy::find(
        arguments.envoy.as_deref(),
        std::env::var_os("FERROMESH_ENVOY"),
        std::env::var_os("PATH").as_deref(),
    ) {
        Ok(binary) => binary,
        Err(problem) => return Ok(Exit::usage([problem])),
    };
    let folder = StateFolder::open(state_dir)?;
    let relay_files = relay::Files::below(folder.path(), &settings.relay);
    let instance = uuid::Uuid::new_v4().to_string();
    let bootstrap = match bootstrap_text(&settings, &instance, &relay_files, parts) {
        Ok(bootstrap) => bootstrap,
        Err(problem) => return Ok(Exit::usage([problem])),
    };
    let files = envoy::Files {
        bootstrap: folder.path().join("bootstrap.json"),
        admin_address: folder.path().join("admin-address"),
    };
    std::fs::write(&files.bootstrap, bootstrap)
        .with_context(|| format!("cannot write {}", files.bootstrap.display()))?;
    let stop = CancellationToken::new();
    let running = if settings.is_relayed() {
        if matches!(folder, StateFolder::Temporary(_)) {
            tracing::info!(
                "the last good configuration is kept for as long as this process lives: --state-dir keeps it for the next"
            );
        }
        let started = relay::start(&settings, &relay_files, folder.path(), stop.clone()).await;
        let (address, socket) = (files.admin_address.clone(), relay_files.socket.clone());
        let reporter = report::Reporter::new(&settings, address, socket, instance.clone());
        tokio::spawn(reporter.run(stop.clone()));
        Some(started?)
    } else {
        None
    };
    let relay = running.as_ref().map(|running| running.relay.clone());
    let code = supervisor::run(&settings, &binary, &files, relay).await;
    stop.cancel();
    if let Some(running) = running {
        running.ended().await;
    }
    Ok(Exit::Code(code?))
}

/// The bootstrap as text. `instance` tells this run of the agent from others.
fn bootstrap_text(
    settings: &Settings,
    instance: &str,
    files: &relay::Files,
    parts: Vec<bootstrap::merge::Part>,
) -> Result<String, String> {
    let mut bootstrap = bootstrap::build(settings, instance, &files.socket);
    bootstrap::merge::merge(&mut bootstrap, parts)?;
    serde_json::to_string_pretty(&bootstrap).map_err(|error| error.to_string())
}

/// The first of the folders that systemd has made for this service (`StateDirectory=`).
fn given_by_systemd() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&folders).next();
    first.filter(|folder| folder.is_absolute())
}

/// Where the files of one run are.
enum StateFolder {
    /// Removed when dropped.
    Temporary(tempfile::TempDir),
    /// The user's.
    Kept(PathBuf),
}

impl StateFolder {
    fn open(kept: Option<PathBuf>) -> anyhow::Result<Self> {
        match kept {
            Some(path) => {
                std::fs::create_dir_all(&path)
                    .with_context(|| format!("cannot make the state folder {}", path.display()))?;
                Ok(Self::Kept(path))
            }
            // Made with mode 0700: the bootstrap may hold what others must not change.
            None => tempfile::Builder::new()
                .prefix("ferromesh-proxy-")
                .tempdir()
                .map(Self::Temporary)
                .context("cannot make a temporary folder"),
        }
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}
