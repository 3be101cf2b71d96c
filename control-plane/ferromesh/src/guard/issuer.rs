//! Certificates for proxies, as the API asks for them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ferromesh_api::{ApiError, ErrorKind, IssuedIdentity, ProxyIdentities};

use super::naming::Naming;
use crate::{
    authority::{identity::RequestedKey, Authority},
    identity::Identity,
};

/// The built-in authority, for proxies.
pub struct Issuer {
    authority: Arc<Authority>,
    naming: Naming,
    life: Duration,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// Issues certificates that are good for that long.
    pub fn new(authority: Arc<Authority>, naming: Naming, life: Duration) -> Self {
        Self {
            authority,
            naming,
            life,
        }
    }
}

impl ProxyIdentities for Issuer {
    fn issue(&self, proxy: &str, request: &str) -> Result<IssuedIdentity, ApiError> {
        let key = RequestedKey::read(request).map_err(|error| ApiError::bad_request(format!("csr: {error}")))?;
        let identity = Identity::parse(proxy).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let proxy = self.naming.key(&identity);
        let id = self.naming.issued(&proxy).ok_or_else(|| {
            ApiError::bad_request(format!("{proxy} has a name that cannot stand in a SPIFFE identity"))
        })?;
        let issued = self.authority.issue_identity(&id, &key, self.life, SystemTime::now());
        let issued = issued.map_err(|error| {
            tracing::error!(%error, proxy = %proxy, "a proxy's certificate cannot be issued");
            ApiError::new(ErrorKind::InternalServerError, "the certificate cannot be issued")
        })?;
        let not_after = issued.not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(IssuedIdentity {
            certificate_chain: issued.chain,
            root: self.authority.root().to_owned(),
            not_after: not_after.as_secs_f64(),
            serial: issued.serial,
        })
    }
}
