//! TLS of listeners and towards upstreams.
//!
//! File paths are on the proxy's file system: the control plane never sees what is in those files.

use std::collections::{BTreeMap, BTreeSet};

use crate::Proxy;

/// What the clients of a port may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepts {
    /// Bytes as they come; where they are TLS, it is passed on and not ended here.
    AsItComes,
    /// Only TLS (`STRICT`).
    Tls(Server),
    /// TLS from those who begin it, plain text from the others (`PERMISSIVE`).
    TlsOrPlaintext(Server),
}

impl Accepts {
    /// The server's side of TLS, where there is one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::AsItComes => None,
            Self::Tls(server) | Self::TlsOrPlaintext(server) => Some(server),
        }
    }
}

/// The server's side of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What the listener shows.
    pub certificate: Certificate,
    /// How client certificates are checked; `None` asks for none, otherwise one is required.
    pub clients: Option<Validation>,
    /// Protocols offered in ALPN, the best first.
    pub alpn: &'static [&'static str],
}

/// The client's side of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Name asked for in SNI; `None` where the upstream is an IP address, which SNI cannot carry.
    pub server_name: Option<String>,
    /// What is shown to servers that ask for a certificate.
    pub certificate: Option<KeyPair>,
    /// How the server's certificate is checked; `None` takes any.
    pub server: Option<Validation>,
    /// Protocols offered in ALPN, the best first.
    pub alpn: &'static [&'static str],
}

/// A listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// From files.
    File(KeyPair),
    /// From the control plane, which issues it.
    Issued {
        /// The ARN by which the resources name it.
        arn: String,
        /// Host names and IP addresses that it must be good for: those of everything in the mesh that shows it.
        names: BTreeSet<String>,
    },
}

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Path of the certificate chain.
    pub chain: String,
    /// Path of the private key.
    pub key: String,
}

/// How a peer's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Who may have issued it.
    pub trust: Trust,
    /// Host names, IP addresses and URIs of which it must carry one; none takes any.
    pub names: Vec<String>,
}

/// Who may have issued a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities in a PEM file.
    File(String),
    /// The control plane's own authority.
    BuiltIn,
}

impl Proxy {
    /// The certificates that the control plane must issue for this proxy: ARNs, with the names that each must be good for.
    pub fn issued_certificates(&self) -> BTreeMap<&str, &BTreeSet<String>> {
        let chains = self.listeners.iter().flat_map(|listener| &listener.chains);
        chains
            .filter_map(|chain| match &chain.accepts.server()?.certificate {
                Certificate::Issued { arn, names } => Some((arn.as_str(), names)),
                Certificate::File(_) => None,
            })
            .collect()
    }
}
