//! Identities of proxies, as the API and the store know them: join tokens, revocations, and that somebody issues
//! certificates.

use std::sync::{Mutex, PoisonError};

use ferromesh_store::{catalog, key, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::{ApiError, ErrorKind};

/// A proxy's certificate as it was issued.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedIdentity {
    /// The certificate and those that lead to its authority, PEM.
    pub certificate_chain: String,
    /// The authority's own certificate, PEM: the control plane is believed by it, if nothing else was arranged.
    pub root: String,
    /// Until when it is good, in seconds since 1970-01-01 UTC.
    pub not_after: f64,
    /// Its serial number, by which it is revoked.
    pub serial: String,
}

/// Issues certificates to proxies.
pub trait ProxyIdentities: Send + Sync {
    /// A certificate for a proxy, named as in node ids (`mesh/M/virtualNode/N`), for the key of a signing request (PEM).
    ///
    /// # Errors
    /// The request cannot be read, the proxy's name can stand in no certificate, or the authority failed.
    fn issue(&self, proxy: &str, request: &str) -> Result<IssuedIdentity, ApiError>;
}

/// Issues nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProxyIdentities;

impl ProxyIdentities for NoProxyIdentities {
    fn issue(&self, _: &str, _: &str) -> Result<IssuedIdentity, ApiError> {
        let why = "this server issues no certificates to proxies";
        Err(ApiError::new(ErrorKind::ServiceUnavailable, why))
    }
}

/// What a connection proves of the proxy at its other end: its name as in node ids, or why nothing is proven. Whoever
/// accepts connections puts it into the extensions of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenProxy(pub Result<String, String>);

/// A certificate that counts no more, or a proxy whose certificates from before a time don't.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revocation {
    /// Serial number of the certificate, lower case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The proxy, named as in node ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// When it was revoked, in seconds since 1970-01-01 UTC. Certificates of the proxy that are made later count.
    pub created_at: f64,
}

/// Everything that was revoked.
///
/// # Errors
/// The store failed.
pub fn revocations(store: &dyn Store) -> Result<Vec<Revocation>, StoreError> {
    let listing = store.list(key::REVOCATIONS, None, None)?;
    listing.entries.iter().map(catalog::read).collect()
}

/// A join token, as it is kept: without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinToken {
    pub(crate) id: String,
    /// The proxy that certificates are issued for, named as in node ids.
    pub(crate) proxy: String,
    /// Its mesh, as its owner calls it.
    pub(crate) mesh: String,
    /// Account of the mesh.
    pub(crate) account: String,
    /// SHA-256 of the whole token, hexadecimal. It has 256 random bits: nothing can be tried out.
    pub(crate) sha256: String,
    pub(crate) created_at: f64,
    pub(crate) expires_at: f64,
    /// How many certificates may be issued for it.
    pub(crate) uses: u32,
    /// How many were.
    pub(crate) used: u32,
}

/// Refused requests for certificates, so that a flood of them costs little.
#[derive(Debug, Default)]
pub struct JoinRefusals(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    since: f64,
    count: u32,
}

impl JoinRefusals {
    /// Seconds of a window, and refusals in it that are said in full.
    const WINDOW: f64 = 60.0;
    const MOST: u32 = 100;

    /// Counts one; whether there were too many in this minute.
    pub(crate) fn is_one_too_many(&self, now: f64) -> bool {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(window.since..window.since + Self::WINDOW).contains(&now) {
            *window = Window { since: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count > Self::MOST
    }
}
