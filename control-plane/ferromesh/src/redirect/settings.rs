//! What is redirected: App Mesh's variables, read and checked once.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `APPMESH_START_ENABLED` | `1` | `0`: `up` does nothing. App Mesh's image had `0`, here the command says it |
//! | `APPMESH_IGNORE_UID`, `APPMESH_IGNORE_GID` | | user and group of Envoy, one is required; ECS calls them `IgnoredUID`, `IgnoredGID` |
//! | `APPMESH_APP_PORTS` | | ports of the application; none: only what leaves is redirected |
//! | `APPMESH_ENVOY_INGRESS_PORT` | 15000 | Envoy's ingress listener |
//! | `APPMESH_ENVOY_EGRESS_PORT` | 15001 | Envoy's egress listener |
//! | `APPMESH_EGRESS_IGNORED_IP` | 169.254.169.254,169.254.170.2 | addresses and networks that are reached directly, of either IP version |
//! | `APPMESH_EGRESS_IGNORED_PORTS` | | ports that are reached directly; 22 always is |
//! | `APPMESH_ENABLE_IPV6` | `0` | whether IPv6 is redirected too |

use std::{fmt, net::IpAddr, str::FromStr};

use crate::proxy::environment::Environment;

/// SSH stays reachable: whoever locks themselves out of a machine cannot mend it.
const ALWAYS_IGNORED_PORT: u16 = 22;
/// The metadata and the credentials of EC2 instances and ECS tasks.
const IGNORED_ADDRESSES: &str = "169.254.169.254,169.254.170.2";

/// Whether anything is redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As `APPMESH_START_ENABLED=0` asks.
    Disabled,
    /// As these variables say.
    Enabled(Redirection),
}

/// What is redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The user whose traffic is let through.
    pub ignored_uid: Option<u32>,
    /// The group whose traffic is let through.
    pub ignored_gid: Option<u32>,
    /// The application's ports.
    pub app_ports: Vec<u16>,
    /// Envoy's ingress listener.
    pub ingress_port: u16,
    /// Envoy's egress listener.
    pub egress_port: u16,
    /// What is reached directly.
    pub ignored_networks: Vec<Network>,
    /// Ports that are reached directly, sorted.
    pub ignored_ports: Vec<u16>,
    /// Whether IPv6 is redirected too.
    pub ipv6: bool,
}

impl Redirection {
    /// Reads the environment; problems are left in `env`.
    pub fn read(env: &mut Environment) -> Start {
        let starts = env.flag("APPMESH_START_ENABLED", true);
        let ids = 0..=u64::from(u32::MAX - 1);
        let mut id = |name| {
            let number = env.optional_number(name, ids.clone());
            number.and_then(|number| u32::try_from(number).ok())
        };
        let (ignored_uid, ignored_gid) = (id("APPMESH_IGNORE_UID"), id("APPMESH_IGNORE_GID"));
        let mut ignored_ports = ports(env, "APPMESH_EGRESS_IGNORED_PORTS");
        ignored_ports.push(ALWAYS_IGNORED_PORT);
        ignored_ports.sort_unstable();
        ignored_ports.dedup();
        let redirection = Self {
            ignored_uid,
            ignored_gid,
            app_ports: ports(env, "APPMESH_APP_PORTS"),
            ingress_port: listener(env, "APPMESH_ENVOY_INGRESS_PORT", 15_000),
            egress_port: listener(env, "APPMESH_ENVOY_EGRESS_PORT", 15_001),
            ignored_networks: networks(env),
            ignored_ports,
            ipv6: env.flag("APPMESH_ENABLE_IPV6", false),
        };
        if !starts {
            return Start::Disabled;
        }
        let (uid, gid) = ("APPMESH_IGNORE_UID", "APPMESH_IGNORE_GID");
        if env.text(uid).is_none() && env.text(gid).is_none() {
            env.problem(format!(
                "neither {uid} nor {gid} is set: Envoy's own traffic would be led back to Envoy; name the user or the \
                 group that Envoy runs as"
            ));
        }
        for port in [redirection.ingress_port, redirection.egress_port] {
            if redirection.app_ports.contains(&port) {
                env.problem(format!("APPMESH_APP_PORTS has {port}, which is a listener of Envoy"));
            }
        }
        if redirection.ingress_port == redirection.egress_port {
            env.problem(format!(
                "APPMESH_ENVOY_INGRESS_PORT and APPMESH_ENVOY_EGRESS_PORT are both {}",
                redirection.egress_port
            ));
        }
        Start::Enabled(redirection)
    }
}

fn listener(env: &mut Environment, name: &str, default: u16) -> u16 {
    let number = env.number(name, default.into(), 1..=u16::MAX.into());
    u16::try_from(number).unwrap_or(default)
}

/// A list of ports, sorted, each once.
fn ports(env: &mut Environment, name: &str) -> Vec<u16> {
    let text = env.text(name).unwrap_or_default();
    let mut ports = Vec::new();
    for part in parts(&text) {
        match part.parse::<u16>() {
            Ok(port) if port != 0 => ports.push(port),
            _ => env.problem(format!(
                "{name} has {part:?}: expected ports from 1 to 65535, separated by commas"
            )),
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn networks(env: &mut Environment) -> Vec<Network> {
    const NAME: &str = "APPMESH_EGRESS_IGNORED_IP";
    let text = env.text(NAME).unwrap_or_else(|| IGNORED_ADDRESSES.to_owned());
    let mut networks = Vec::new();
    for part in parts(&text) {
        match part.parse::<Network>() {
            Ok(network) if !networks.contains(&network) => networks.push(network),
            Ok(_) => {}
            Err(reason) => env.problem(format!("{NAME} has {part:?}: {reason}")),
        }
    }
    networks
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// An address, or a network as `address/bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    bits: Option<u8>,
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| "expected an ip address, or a network such as 10.0.0.0/8")?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map(|bits| match bits.parse::<u8>() {
            Ok(bits) if bits <= most => Ok(bits),
            _ => Err("a network has at most 32 bits in IPv4 and 128 in IPv6"),
        });
        Ok(Self {
            address,
            bits: bits.transpose()?,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.bits.map_or(Ok(()), |bits| write!(f, "/{bits}"))
    }
}

#[cfg(test)]
mod tests;
