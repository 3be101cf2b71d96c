//! What Envoy's statistics are called and where they go: App Mesh's variables.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `ENABLE_ENVOY_STATS_TAGS` | `0` | the fixed tags `appmesh.mesh` and `appmesh.virtual_node` or `appmesh.virtual_gateway` |
//! | `ENVOY_STATS_CONFIG_FILE` | | a file with Envoy's own `stats_config`, in place of the tags above |
//! | `ENVOY_STATS_FLUSH_INTERVAL` | `5000ms` | how often statistics go to sinks |
//! | `ENABLE_ENVOY_DOG_STATSD` | `0` | DogStatsD to `STATSD_ADDRESS` (127.0.0.1, an IP) and `STATSD_PORT` (8125), or to `STATSD_SOCKET_PATH` |
//! | `ENVOY_STATS_SINKS_CFG_FILE` | | a file with Envoy's own `stats_sinks`, in place of DogStatsD |
//! | `APPMESH_METRIC_EXTENSION_VERSION` | | `1`: the agent tells App Mesh's metrics of connections too |

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{
    address::{Address, SOCKET_PATH_LIMIT},
    proxy::environment::Environment,
};

/// Names and ways of statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Whether statistics carry the fixed tags of the proxy.
    pub mesh_tags: bool,
    /// A file with Envoy's own `stats_config`.
    pub config_file: Option<PathBuf>,
    /// How often Envoy flushes statistics to sinks.
    pub flush_interval: Duration,
    /// Where DogStatsD goes, if anywhere: UDP, or a Unix socket for datagrams.
    pub dog_statsd: Option<Address>,
    /// A file with Envoy's own `stats_sinks`.
    pub sinks_file: Option<PathBuf>,
    /// Whether App Mesh's metrics extension was asked for.
    pub metrics_extension: bool,
}

impl Stats {
    pub(super) fn read(env: &mut Environment) -> Self {
        let mesh_tags = env.flag("ENABLE_ENVOY_STATS_TAGS", false);
        let config_file = env.text("ENVOY_STATS_CONFIG_FILE").map(PathBuf::from);
        let sinks_file = env.text("ENVOY_STATS_SINKS_CFG_FILE").map(PathBuf::from);
        let statsd = statsd(env);
        let dog_statsd = statsd.filter(|_| env.flag("ENABLE_ENVOY_DOG_STATSD", false));
        if config_file.is_some() && mesh_tags {
            env.warn("ENVOY_STATS_CONFIG_FILE is set: ENABLE_ENVOY_STATS_TAGS has no effect".to_owned());
        }
        if sinks_file.is_some() && dog_statsd.is_some() {
            env.warn("ENVOY_STATS_SINKS_CFG_FILE is set: ENABLE_ENVOY_DOG_STATSD has no effect".to_owned());
        }
        Self {
            mesh_tags: mesh_tags && config_file.is_none(),
            dog_statsd: dog_statsd.filter(|_| sinks_file.is_none()),
            config_file,
            sinks_file,
            flush_interval: flush_interval(env),
            metrics_extension: metrics_extension(env),
        }
    }
}

fn statsd(env: &mut Environment) -> Option<Address> {
    let port = env.number("STATSD_PORT", 8125, 1..=u16::MAX.into());
    let port = u16::try_from(port).unwrap_or(8125);
    let address = env.text("STATSD_ADDRESS");
    if let Some(path) = env.text("STATSD_SOCKET_PATH") {
        if !path.starts_with('/') || path.len() > SOCKET_PATH_LIMIT {
            env.problem(format!(
                "STATSD_SOCKET_PATH is {path:?}: expected an absolute path of at most {SOCKET_PATH_LIMIT} bytes"
            ));
            return None;
        }
        return Some(Address::Unix(path.into()));
    }
    let Some(text) = address else {
        return Some(Address::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    };
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(&text);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Some(Address::Tcp(SocketAddr::new(ip, port))),
        Err(_) => {
            env.problem(format!(
                "STATSD_ADDRESS is {text:?}: expected an ip address, because Envoy resolves no name there"
            ));
            None
        }
    }
}

fn metrics_extension(env: &mut Environment) -> bool {
    const NAME: &str = "APPMESH_METRIC_EXTENSION_VERSION";
    match env.text(NAME).as_deref() {
        None => false,
        Some("1") => true,
        Some(other) => {
            env.problem(format!("{NAME} is {other:?}: there is version 1 only"));
            false
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
