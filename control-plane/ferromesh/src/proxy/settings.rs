//! What `ferromesh proxy` was asked to do: App Mesh's environment variables and the flags, read and checked once.
//!
//! Names, defaults and limits are those of App Mesh's agent where it had them. Deviations, each for a reason:
//! the admin interface and the agent API listen on 127.0.0.1 (the agent bound all addresses, which lets anybody
//! on the network stop the proxy), and a wrong value is refused instead of being replaced by the default.

mod endpoint;

use std::{net::IpAddr, path::PathBuf, time::Duration};

pub use endpoint::{XdsEndpoint, XdsTransport};

use super::environment::Environment;
use crate::{address::Address, identity::Identity};

/// Everything that decides the bootstrap, Envoy's command line and the agent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which proxy this is.
    pub node: Node,
    /// Where the control plane is.
    pub xds: XdsEndpoint,
    /// Envoy's admin interface.
    pub admin: Admin,
    /// The agent beside Envoy.
    pub agent: Agent,
    /// Envoy's command line.
    pub envoy: EnvoyOptions,
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
}

/// What else stands in the bootstrap.
#[derive(Clone, Debug)]
pub struct BootstrapOptions {
    /// How long Envoy waits for its first configuration before it opens what it has; zero waits for ever.
    pub initial_fetch_timeout: Duration,
    /// Whether statistics carry the fixed tags `appmesh.mesh` and `appmesh.virtual_node` or `appmesh.virtual_gateway`.
    pub mesh_stats_tags: bool,
    /// How often Envoy flushes statistics to sinks.
    pub stats_flush_interval: Duration,
    /// After how long a stuck worker thread ends Envoy; zero never.
    pub worker_kill_timeout: Duration,
    /// After how long a stuck main thread ends Envoy; zero never.
    pub main_kill_timeout: Duration,
    /// Where ejections are logged, if anywhere.
    pub outlier_log: Option<String>,
    /// Requests that one connection may start in one turn of the event loop.
    pub requests_per_io_cycle: Option<u64>,
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

/// Variables of App Mesh's agent that have no effect here, said once instead of ignored in silence.
const WITHOUT_EFFECT: &[&str] = &[
    "ENABLE_ENVOY_XRAY_TRACING",
    "ENABLE_ENVOY_DATADOG_TRACING",
    "ENABLE_ENVOY_JAEGER_TRACING",
    "ENABLE_ENVOY_DOG_STATSD",
    "ENVOY_TRACING_CFG_FILE",
    "ENVOY_STATS_CONFIG_FILE",
    "ENVOY_STATS_SINKS_CFG_FILE",
    "ENVOY_RESOURCES_CONFIG_FILE",
    "ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT",
    "APPMESH_SDS_SOCKET_PATH",
    "APPMESH_METRIC_EXTENSION_VERSION",
    "APPNET_ENABLE_RELAY_MODE_FOR_XDS",
    "APPNET_ENVOY_LOG_DESTINATION",
    "ENABLE_STATS_SNAPSHOT",
    "APPMESH_PREVIEW",
    "APPMESH_DUALSTACK_ENDPOINT",
    "APPMESH_FIPS_ENDPOINT",
    // Envoy 1.40 no longer has the runtime guards behind these two.
    "APPMESH_SET_TRACING_DECISION",
    "ENVOY_NO_EXTENSION_LOOKUP_BY_NAME",
];

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
        let xds = XdsEndpoint::read(&mut env, overrides.xds_transport);
        let admin = Admin::read(&mut env, overrides.admin_address);
        let agent = Agent::read(&mut env, overrides.agent_address);
        let envoy = EnvoyOptions::read(&mut env, overrides.concurrency);
        let bootstrap = BootstrapOptions::read(&mut env);
        for name in WITHOUT_EFFECT {
            if env.text(name).is_some_and(|value| value != "0") {
                env.warn(format!("{name} is set and has no effect in this version"));
            }
        }
        let warnings = env.finish()?;
        match (node, xds) {
            (Some(node), Some(xds)) => Ok((
                Self {
                    node,
                    xds,
                    admin,
                    agent,
                    envoy,
                    bootstrap,
                },
                warnings,
            )),
            // Each of the two has recorded its problem, so that `finish` has already failed.
            _ => Err(vec!["the environment names no proxy".to_owned()]),
        }
    }
}

impl Node {
    fn read(env: &mut Environment) -> Option<Self> {
        const NAMES: [&str; 3] = [
            "APPMESH_RESOURCE_ARN",
            "APPMESH_RESOURCE_NAME",
            "APPMESH_VIRTUAL_NODE_NAME",
        ];
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
        }
    }
}

impl BootstrapOptions {
    fn read(env: &mut Environment) -> Self {
        Self {
            initial_fetch_timeout: env.seconds("ENVOY_INITIAL_FETCH_TIMEOUT", 0, 0..=86_400),
            mesh_stats_tags: env.flag("ENABLE_ENVOY_STATS_TAGS", false),
            stats_flush_interval: flush_interval(env),
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
        }
    }
}

/// App Mesh wrote this one as a duration: `5000ms`, `5s`.
fn flush_interval(env: &mut Environment) -> Duration {
    const NAME: &str = "ENVOY_STATS_FLUSH_INTERVAL";
    const DEFAULT: Duration = Duration::from_millis(5000);
    let Some(text) = env.text(NAME) else {
        return DEFAULT;
    };
    let millis = match text.strip_suffix("ms") {
        Some(number) => number.parse::<u64>().ok(),
        None => text
            .strip_suffix('s')
            .and_then(|number| number.parse::<u64>().ok())
            .and_then(|seconds| seconds.checked_mul(1000)),
    };
    match millis {
        // Envoy's own limits: at least one millisecond, at most five minutes.
        Some(millis @ 1..=300_000) => Duration::from_millis(millis),
        _ => {
            env.problem(format!(
                "{NAME} is {text:?}: expected a duration from 1ms to 300s, such as 5000ms or 5s"
            ));
            DEFAULT
        }
    }
}

#[cfg(test)]
mod tests;
