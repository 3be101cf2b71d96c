//! TLS of listeners and towards upstreams.
//!
//! File paths are on the proxy's file system: the control plane never sees what is in those files.

use std::collections::{BTreeMap, BTreeSet};

use crate::Proxy;

/// The secret of the SDS server that stands for an identity of the proxy's own, issued by the control plane's authority.
pub const OWN_IDENTITY: &str = "ferromesh:identity";
/// The secret of the SDS server that stands for the control plane's authority, which issues those identities.
pub const OWN_AUTHORITY: &str = "ferromesh:authority";

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
    pub certificate: Identity,
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
    pub certificate: Option<Identity>,
    /// How the server's certificate is checked; `None` takes any.
    pub server: Option<Validation>,
    /// Protocols offered in ALPN, the best first.
    pub alpn: &'static [&'static str],
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// From files, which the control plane never sees.
    File(KeyPair),
    /// From the SDS server beside the proxy, by the secret's name; the control plane never sees it either.
    Local(String),
    /// From the control plane: what was imported for the ARN, or else what its authority issues.
    Served {
        /// The ARN by which the resources name it, or [`OWN_IDENTITY`] with the proxy behind it.
        arn: String,
        /// Host names, IP addresses and SPIFFE identities that it must be good for if it is issued: those of everything
        /// in the mesh that shows it.
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
    /// Those of a secret of the SDS server beside the proxy.
    Local(String),
    /// The control plane's own authority.
    BuiltIn,
    /// Authorities that were imported.
    Imported {
        /// The ARNs that they were imported for, one at least.
        authorities: BTreeSet<String>,
        /// Whether the control plane's own authority is one more.
        built_in: bool,
    },
}

impl Proxy {
    /// The certificates that listeners and clusters show.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        let clusters = self.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
        let shown = self.servers().map(|server| &server.certificate);
        shown.chain(clusters.filter_map(|client| client.certificate.as_ref()))
    }

    /// How listeners and clusters check their peers.
    pub fn validations(&self) -> impl Iterator<Item = &Validation> {
        let clusters = self.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
        let clients = self.servers().filter_map(|server| server.clients.as_ref());
        clients.chain(clusters.filter_map(|client| client.server.as_ref()))
    }

    /// The certificates that the control plane must serve to this proxy: ARNs, with the names that each must be good for if
    /// it is issued.
    pub fn issued_certificates(&self) -> BTreeMap<&str, &BTreeSet<String>> {
        self.identities()
            .filter_map(|identity| match identity {
                Identity::Served { arn, names } => Some((arn.as_str(), names)),
                Identity::File(_) | Identity::Local(_) => None,
            })
            .collect()
    }

    /// The ARNs whose imported authorities the proxy must be given.
    pub fn imported_authorities(&self) -> BTreeSet<&str> {
        self.validations()
            .filter_map(|validation| match &validation.trust {
                Trust::Imported { authorities, .. } => Some(authorities),
                Trust::File(_) | Trust::Local(_) | Trust::BuiltIn => None,
            })
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// The secrets that the proxy gets from the SDS server beside it.
    pub fn local_secrets(&self) -> BTreeSet<&str> {
        let shown = self.identities().filter_map(|identity| match identity {
            Identity::Local(secret) => Some(secret.as_str()),
            Identity::File(_) | Identity::Served { .. } => None,
        });
        let trusted = self.validations().filter_map(|validation| match &validation.trust {
            Trust::Local(secret) => Some(secret.as_str()),
            Trust::File(_) | Trust::BuiltIn | Trust::Imported { .. } => None,
        });
        shown.chain(trusted).collect()
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        let chains = self.listeners.iter().flat_map(|listener| &listener.chains);
        chains.filter_map(|chain| chain.accepts.server())
    }
}
