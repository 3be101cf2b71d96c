//! Addresses: where the control plane is, and where this machine listens.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use crate::{address::Address, proxy::environment::Environment};

/// Where the control plane listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XdsEndpoint {
    /// A TCP address.
    Tcp {
        /// Host name or IP address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// What kinds of unencrypted control plane connections are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdsTransport {
    /// Plaintext only to this machine.
    #[default]
    LocalPlaintext,
    /// Plaintext to anywhere: whoever can write to the network can then configure this Envoy.
    AnyPlaintext,
    /// None: connections are encrypted, except on Unix sockets.
    Tls,
}

const XDS: &str = "APPMESH_XDS_ENDPOINT";
/// Says that TLS is expected; a port always follows.
const HTTPS: &str = "https://";

/// Addresses of control planes. One for each availability zone is three.
const MAX_ADDRESSES: usize = 16;

impl XdsEndpoint {
    /// Reads a list with commas in between.
    pub(super) fn read_all(env: &mut Environment, transport: XdsTransport) -> Option<Vec<Self>> {
        let Some(text) = env.text(XDS) else {
            env.problem(format!(
                "{XDS} is not set: it says where the control plane is, as host:port, https://host:port or unix:///path; \
                 several have commas in between"
            ));
            return None;
        };
        let all: Vec<&str> = text.split(',').map(str::trim).collect();
        if all.len() > MAX_ADDRESSES {
            env.problem(format!(
                "{XDS} has {} addresses: expected at most {MAX_ADDRESSES}",
                all.len()
            ));
            return None;
        }
        let mut endpoints = Vec::with_capacity(all.len());
        for one in all {
            let endpoint = Self::read(env, one, transport)?;
            if endpoints.contains(&endpoint) {
                env.problem(format!("{XDS} is {text:?}: {one} stands there twice"));
                return None;
            }
            endpoints.push(endpoint);
        }
        Some(endpoints)
    }

    fn read(env: &mut Environment, text: &str, transport: XdsTransport) -> Option<Self> {
        let endpoint = match Self::parse(text) {
            Ok(endpoint) => endpoint,
            Err(reason) => {
                env.problem(format!("{XDS} is {text:?}: {reason}"));
                return None;
            }
        };
        if text.starts_with(HTTPS) && transport != XdsTransport::Tls {
            env.problem(format!(
                "{XDS} is {text:?} and FERROMESH_CA is not set: it names the PEM file of the authorities that the control \
                 plane is believed from"
            ));
            return None;
        }
        if !endpoint.is_local() {
            match transport {
                XdsTransport::Tls => {}
                XdsTransport::LocalPlaintext => {
                    env.problem(format!(
                        "{XDS} is {text:?}: the control plane is reached without TLS, which is only accepted on a \
                         loopback address or a Unix socket; FERROMESH_CA makes it TLS, --insecure-xds accepts it anywhere"
                    ));
                    return None;
                }
                XdsTransport::AnyPlaintext => env.warn(format!(
                    "--insecure-xds: the configuration comes from {text} without encryption or identity; whoever \
                     can change packets on the way controls this proxy"
                )),
            }
        }
        Some(endpoint)
    }

    /// Parses `host:port`, `[v6]:port`, either with `https://` before it, or `unix:///path`.
    ///
    /// # Errors
    /// The reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("unix://") {
            return match text.parse::<Address>() {
                Ok(Address::Unix(path)) => Ok(Self::Unix(path)),
                Ok(Address::Tcp(_)) => Err("expected unix:///path".into()),
                Err(error) => Err(error.reason.into()),
            };
        }
        const FORM: &str = "expected host:port, https://host:port or unix:///path";
        let text = text.strip_prefix(HTTPS).unwrap_or(text);
        let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
        let port = port
            .parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .ok_or("expected a port from 1 to 65535 after the last colon")?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) => {
                v6.parse::<Ipv6Addr>()
                    .map_err(|_| "expected an IPv6 address in the brackets")?;
                v6
            }
            None if host.contains(':') => return Err("an IPv6 address stands in brackets".into()),
            None => host,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
            return Err(FORM.into());
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether packets to it stay on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            // A name could resolve to anything, `localhost` by convention only to loopback (RFC 6761).
            Self::Tcp { host, .. } => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        }
    }
}

impl fmt::Display for XdsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// The variables that say where something listens.
pub(super) struct ListenVariables {
    pub mode: &'static str,
    pub address: &'static str,
    pub port: &'static str,
    pub default_port: u16,
    pub path: &'static str,
    pub default_path: &'static str,
    pub ipv6: Option<&'static str>,
}

impl ListenVariables {
    /// The address that the variables give; `address` goes before the variable for it.
    pub(super) fn read(self, env: &mut Environment, address: Option<IpAddr>) -> Address {
        let names = self;
        let port = env.port(names.port, names.default_port);
        if env.word(names.mode, &["tcp", "uds"]) == "uds" {
            let path = env.text(names.path);
            let path = path.as_deref().unwrap_or(names.default_path);
            if let Err(error) = format!("unix://{path}").parse::<Address>() {
                env.problem(format!("{} is {path:?}: {}", names.path, error.reason));
            }
            return Address::Unix(path.into());
        }
        let ipv6 = names.ipv6.is_some_and(|name| env.flag(name, false));
        let from_env = env.text(names.address).and_then(|text| {
            let bare = text.trim_start_matches('[').trim_end_matches(']');
            let parsed = bare.parse::<IpAddr>();
            if parsed.is_err() {
                env.problem(format!("{} is {text:?}: expected an IP address", names.address));
            }
            parsed.ok()
        });
        let default = if ipv6 {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        };
        (address.or(from_env).unwrap_or(default), port).into()
    }
}
