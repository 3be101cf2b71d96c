//! Who is at the other end of a connection, as far as the transport knows.
//!
//! Whoever accepts connections puts a [`Peer`] into the extensions of every request on them.

use std::sync::Arc;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Unencrypted, from this machine: a loopback address or a Unix socket.
    Local,
    /// Over TLS, without a certificate.
    Unidentified,
    /// Over TLS, with a certificate that an authority vouches for which the server was told to believe.
    Certificate(Arc<Certificate>),
}

/// What a peer's certificate says. It was good when it was shown; whether it still is must be asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Its names that are URIs, in their order: `spiffe://…`.
    pub uris: Vec<String>,
    /// Its serial number, lower case hexadecimal digits without colons.
    pub serial: String,
    /// Until when it is good, with those between it and its authority, in seconds since 1970-01-01 UTC.
    pub not_after_seconds: i64,
    /// From when on it is good, in seconds since 1970-01-01 UTC.
    pub not_before_seconds: i64,
    /// Whether servers may show it, too.
    pub is_for_servers: bool,
    /// The certificates that were shown, in DER: its own first, then those that lead to its authority.
    pub chain: Vec<Vec<u8>>,
}

impl Peer {
    /// The verified certificate, if there is one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Local | Self::Unidentified => None,
        }
    }
}
