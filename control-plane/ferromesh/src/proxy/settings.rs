//! What `ferromesh proxy` was asked to do: App Mesh's environment variables and the flags, read and checked once.
//!
//! Names, defaults and limits are those of App Mesh's agent where it had them. Deviations, each for a reason:
//! the admin interface and the agent API listen on 127.0.0.1 (the agent bound all addresses, which lets anybody
//! on the network stop the proxy), and a wrong value is refused instead of being replaced by the default.

mod endpoint;
mod platform;
pub mod refused;
mod relay;
mod stats;
pub mod tracing;

use std::{net::IpAddr, path::PathBuf, time::Duration};

pub use endpoint::{XdsEndpoint, XdsTransport};
pub use platform::Platform;
pub use relay::RelayOptions;
pub use stats::Stats;
pub use tracing::Tracing;

use super::{credential::Credential, environment::Environment, log_files::LogFiles};
use crate::{address::Address, identity::Identity};

/// Everything that decides the bootstrap, Envoy's command line and the agent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which proxy this is.
    pub node: Node,
    /// Where the control plane is; several addresses are of several control planes over one store. Never empty.
    pub xds: Vec<XdsEndpoint>,
    /// How connections to it are encrypted, if they are.
    pub credential: Option<Credential>,
    /// How the agent stands between Envoy and the control plane.
    pub relay: RelayOptions,
    /// Envoy's admin interface.
    pub admin: Admin,
    /// The agent beside Envoy.
    pub agent: Agent,
    /// Envoy's command line.
    pub envoy: EnvoyOptions,
    /// Where spans go.
    pub tracing: Tracing,
    /// What statistics are called and where they go.
    pub stats: Stats,
    /// What else stands in the bootstrap.
    pub bootstrap: BootstrapOptions,
}

/// Which proxy this is.
#[derive(Clone, Debug)]
pub struct Node {
    /// The xDS node id, verbatim from the environment.
    pub id: String,
    /// The parsed node id.
    pub identity: Identity,
    /// The xDS node cluster: the node id unless the environment says otherwise.
    pub cluster: String,
    /// What it runs on.
    pub platform: Platform,
}

/// Envoy's admin interface.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where it listens.
    pub listen: Address,
    /// Its access log, if one is wanted.
    pub access_log: Option<PathBuf>,
}

/// The agent beside Envoy.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Where its API listens.
    pub listen: Address,
    /// How long a drain waits for connections to end.
    pub drain_wait: Duration,
    /// How long the proxy counts as healthy without a control plane.
    pub disconnected_timeout: Duration,
    /// How often health is looked at when nobody asks, so that the time of a disconnection is known.
    pub health_poll: Duration,
    /// How long another log level stays that was set through the API.
    pub log_level_reset: Duration,
    /// How often an Envoy that ended by itself is started again.
    pub restart_count: u64,
    /// How often `--envoy-readiness` asks.
    pub readiness_interval: Duration,
    /// How long `--envoy-readiness` asks.
    pub readiness_timeout: Duration,
}

/// Envoy's command line.
#[derive(Clone, Debug)]
pub struct EnvoyOptions {
    /// `-l`.
    pub log_level: &'static str,
    /// Worker threads; `None` leaves one for each core.
    pub concurrency: Option<u64>,
    /// Whether hot restart is left on.
    pub hot_restart: bool,
    /// Whether warnings on deprecated fields are left out.
    pub skip_deprecated_logs: bool,
    /// A bootstrap of the user's, used as it is.
    pub config_file: Option<PathBuf>,
    /// Where it logs to; `None`: standard error.
    pub log_files: Option<LogFiles>,
}

/// What else stands in the bootstrap.
#[derive(Clone, Debug)]
pub struct BootstrapOptions {
    /// How long Envoy waits for its first configuration before it opens what it has; zero waits for ever.
    pub initial_fetch_timeout: Duration,
    /// After how long a stuck worker thread ends Envoy; zero never.
    pub worker_kill_timeout: Duration,
    /// After how long a stuck main thread ends Envoy; zero never.
    pub main_kill_timeout: Duration,
    /// Where ejections are logged, if anywhere.
    pub outlier_log: Option<String>,
    /// Requests that one connection may start in one turn of the event loop.
    pub requests_per_io_cycle: Option<u64>,
    /// The socket of a secret discovery service on this machine, such as SPIRE's agent.
    pub sds_socket: Option<PathBuf>,
    /// A file with parts of a bootstrap that are merged into this one.
    pub resources_file: Option<PathBuf>,
}

/// Flags that go before the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Envoy's worker threads.
    pub concurrency: Option<u64>,
    /// Address of Envoy's admin interface.
    pub admin_address: Option<IpAddr>,
    /// Address of the agent API.
    pub agent_address: Option<IpAddr>,
    /// What kinds of unencrypted control plane connections are accepted.
    pub xds_transport: XdsTransport,
}

impl Settings {
    /// Reads the environment through `look_up`. `Ok` carries warnings.
    ///
    /// # Errors
    /// One message for each variable that is missing or wrong.
    pub fn read(
        look_up: &dyn Fn(&str) -> Option<String>,
        overrides: Overrides,
    ) -> Result<(Self, Vec<String>), Vec<String>> {
        let mut env = Environment::new(look_up);
        let node = Node::read(&mut env);
        let credential = Credential::read(look_up).unwrap_or_else(|problems| {
            for problem in problems {
                env.problem(problem);
            }
            None
        });
        let transport = match credential {
            Some(_) => XdsTransport::Tls,
            None => overrides.xds_transport,
        };
        let xds = XdsEndpoint::read_all(&mut env, transport);
        let relay = RelayOptions::read(&mut env);
        let admin = Admin::read(&mut env, overrides.admin_address);
        let agent = Agent::read(&mut env, overrides.agent_address);
        let envoy = EnvoyOptions::read(&mut env, overrides.concurrency);
        let tracing = Tracing::read(&mut env, node.as_ref().map(|node| &node.identity));
        let stats = Stats::read(&mut env);
        let bootstrap = BootstrapOptions::read(&mut env);
        refused::read(&mut env);
        let warnings = env.finish()?;
        match (node, xds) {
            (Some(node), Some(xds)) => Ok((
                Self {
                    node,
                    xds,
                    credential,
                    relay,
                    admin,
                    agent,
                    envoy,
                    tracing,
                    stats,
                    bootstrap,
                },
                warnings,
            )),
            // Each of the two has recorded its problem, so that `finish` has already failed.
            _ => Err(vec!["the environment names no proxy".to_owned()]),
        }
    }
}

impl Settings {
    /// Whether Envoy's configuration comes through the agent: always, unless a bootstrap of the user's says where it comes
    /// from. Such a bootstrap can lead to the agent's socket where that has a place of its own.
    pub fn is_relayed(&self) -> bool {
        self.envoy.config_file.is_none() || self.relay.socket.is_some()
    }
}

impl Node {
    fn read(env: &mut Environment) -> Option<Self> {
        const NAMES: [&str; 3] = [
            "APPMESH_RESOURCE_ARN",
            "APPMESH_RESOURCE_NAME",
            "APPMESH_VIRTUAL_NODE_NAME",
        ];
        let platform = Platform::read(env);
        let cluster = env
            .first(&["APPMESH_RESOURCE_CLUSTER", "APPMESH_VIRTUAL_NODE_CLUSTER"])
            .map(|(_, value)| value);
        let Some((name, id)) = env.first(&NAMES) else {
            env.problem(
                "APPMESH_RESOURCE_ARN is not set: it says which virtual node or virtual gateway this proxy is, \
                 for example mesh/shop/virtualNode/web"
                    .to_owned(),
            );
            return None;
        };
        if name != NAMES[0] {
            env.warn(format!("{name} is deprecated: use {}", NAMES[0]));
        }
        match Identity::parse(&id) {
            Ok(identity) => Some(Self {
                cluster: cluster.unwrap_or_else(|| id.clone()),
                id,
                identity,
                platform,
            }),
            Err(error) => {
                env.problem(format!("{name}: {error}"));
                None
            }
        }
    }
}

impl Admin {
    fn read(env: &mut Environment, address: Option<IpAddr>) -> Self {
        let variables = endpoint::ListenVariables {
            mode: "ENVOY_ADMIN_MODE",
            address: "FERROMESH_ADMIN_ADDRESS",
            port: "ENVOY_ADMIN_ACCESS_PORT",
            default_port: 9901,
            path: "FERROMESH_ADMIN_UDS_PATH",
            default_path: "/tmp/envoy_admin.sock",
            ipv6: Some("ENVOY_ADMIN_ACCESS_ENABLE_IPV6"),
        };
        Self {
            listen: variables.read(env, address),
            access_log: env.text("ENVOY_ADMIN_ACCESS_LOG_FILE").map(PathBuf::from),
        }
    }
}

impl Agent {
    fn read(env: &mut Environment, address: Option<IpAddr>) -> Self {
        let variables = endpoint::ListenVariables {
            mode: "APPNET_AGENT_ADMIN_MODE",
            address: "APPNET_AGENT_HTTP_BIND_ADDRESS",
            port: "APPNET_AGENT_HTTP_PORT",
            default_port: 9902,
            path: "APPNET_AGENT_ADMIN_UDS_PATH",
            default_path: "/tmp/ferromesh_agent.sock",
            ipv6: None,
        };
        Self {
            listen: variables.read(env, address),
            // App Mesh's limits are 5 to 110; shorter waits serve development and tests.
            drain_wait: env.seconds("LISTENER_DRAIN_WAIT_TIME_S", 20, 0..=110),
            disconnected_timeout: env.seconds("HC_DISCONNECTED_TIMEOUT_S", 604_800, 3_600..=604_800),
            health_poll: Duration::from_millis(env.number("HC_POLL_INTERVAL_MS", 10_000, 2_000..=30_000)),
            log_level_reset: env.seconds("APPNET_AGENT_LOGGING_RESET_TIMEOUT", 300, 1..=86_400),
            // The agent's code had 3, App Mesh's documentation 0. A proxy that ended is the supervisor's business.
            restart_count: env.number("APPNET_ENVOY_RESTART_COUNT", 0, 0..=10),
            readiness_interval: env.seconds("APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S", 5, 1..=3_600),
            readiness_timeout: env.seconds("APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S", 180, 1..=86_400),
        }
    }
}

impl EnvoyOptions {
    fn read(env: &mut Environment, concurrency: Option<u64>) -> Self {
        let from_env = env.optional_number("ENVOY_CONCURRENCY", 1..=1024);
        Self {
            log_level: env.word(
                "ENVOY_LOG_LEVEL",
                &["info", "trace", "debug", "warning", "warn", "error", "critical", "off"],
            ),
            concurrency: concurrency.or(from_env),
            hot_restart: !env.flag("DISABLE_HOT_RESTART", true),
            skip_deprecated_logs: env.flag("ENVOY_SKIP_DEPRECATED_LOGS", true),
            config_file: env.text("ENVOY_CONFIG_FILE").map(PathBuf::from),
            log_files: LogFiles::read(env),
        }
    }
}

impl BootstrapOptions {
    fn read(env: &mut Environment) -> Self {
        Self {
            initial_fetch_timeout: env.seconds("ENVOY_INITIAL_FETCH_TIMEOUT", 0, 0..=86_400),
            // A worker does nothing that may take seconds. The main thread compiles modules and builds large
            // configurations: on a loaded machine it needs room, and no request waits for it.
            worker_kill_timeout: env.seconds("FERROMESH_WORKER_KILL_TIMEOUT_S", 5, 0..=3_600),
            main_kill_timeout: env.seconds("FERROMESH_MAIN_KILL_TIMEOUT_S", 30, 0..=3_600),
            outlier_log: match env.text("ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH") {
                None => Some("/dev/stdout".to_owned()),
                Some(off) if off == "off" => None,
                path => path,
            },
            requests_per_io_cycle: env.optional_number("MAX_REQUESTS_PER_IO_CYCLE", 1..=1_000_000),
            sds_socket: sds_socket(env),
            resources_file: env.text("ENVOY_RESOURCES_CONFIG_FILE").map(PathBuf::from),
        }
    }
}

fn sds_socket(env: &mut Environment) -> Option<PathBuf> {
    const NAME: &str = "APPMESH_SDS_SOCKET_PATH";
    let text = env.text(NAME)?;
    let path = text.strip_prefix("unix://").unwrap_or(&text);
    if let Err(error) = format!("unix://{path}").parse::<Address>() {
        env.problem(format!("{NAME} is {text:?}: {}", error.reason));
    }
    Some(path.into())
}

#[cfg(test)]
mod tests;
