//! Which authority is behind a certificate, at a given time.

use std::{fmt, sync::Arc, time::Duration};

use ferromesh_xds::peer::Certificate;
use rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};

/// An authority that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The control plane's own.
    BuiltIn,
    /// One of `--client-ca`.
    Named,
}

/// Knows the authorities that are believed now.
pub trait Vouch: Send + Sync {
    /// The authority behind a certificate, if it is good at that time (seconds since 1970-01-01 UTC).
    fn vouch(&self, certificate: &Certificate, now_seconds: i64) -> Option<Authority>;
}

/// Believes nobody: for a server without TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Vouch for Nobody {
    fn vouch(&self, _: &Certificate, _: i64) -> Option<Authority> {
        None
    }
}

/// As TLS verifies certificates.
pub struct Verifiers {
    built_in: Arc<dyn ClientCertVerifier>,
    named: Option<Arc<dyn ClientCertVerifier>>,
}

impl fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifiers").finish_non_exhaustive()
    }
}

impl Verifiers {
    /// Those of the built-in authority and of those in `--client-ca`.
    pub fn new(built_in: Arc<dyn ClientCertVerifier>, named: Option<Arc<dyn ClientCertVerifier>>) -> Self {
        Self { built_in, named }
    }
}

impl Vouch for Verifiers {
    fn vouch(&self, certificate: &Certificate, now_seconds: i64) -> Option<Authority> {
        let (own, between) = certificate.chain.split_first()?;
        let own = CertificateDer::from(own.as_slice());
        let between: Vec<CertificateDer<'_>> = between.iter().map(|one| one.as_slice().into()).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now_seconds).ok()?));
        let is_good = |verifier: &Arc<dyn ClientCertVerifier>| verifier.verify_client_cert(&own, &between, now).is_ok();
        if is_good(&self.built_in) {
            return Some(Authority::BuiltIn);
        }
        self.named
            .as_ref()
            .filter(|named| is_good(named))
            .map(|_| Authority::Named)
    }
}
