//! Whether somebody may have a proxy's configuration, and how they are told that they may not.
//!
//! What they are told says what is wrong with what they showed, and nothing of what there is: a node that does not exist is
//! refused in the same words as one that does.

use std::sync::Arc;

use ferromesh_xds::{peer::Certificate, Peer};
use tonic::Status;

use super::{
    naming::Naming,
    revoked::Revoked,
    vouch::{Authority, Vouch},
    Requirement,
};
use crate::identity::{InvalidIdentity, ProxyKey};

/// Why somebody may not have a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node id names no proxy.
    NoProxy(InvalidIdentity),
    /// Nothing is known of the connection.
    NoTransport,
    /// Over TLS, no certificate was shown.
    NoCertificate,
    /// The certificate is over.
    Expired,
    /// No authority that is believed now vouches for it.
    Unvouched,
    /// It, or every certificate of its proxy from before a time, was revoked.
    Revoked,
    /// It has none or several URIs, so that it stands for nobody or for several.
    NotOneUri(usize),
    /// It was issued by the built-in authority for listeners, which several proxies may show.
    ForServers,
    /// It stands for somebody else.
    AnotherProxy,
    /// As many Envoys of the proxy are connected as may be.
    TooMany {
        /// The proxy.
        proxy: ProxyKey,
        /// How many may be.
        most: usize,
    },
}

impl Refusal {
    /// The word in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoProxy(_) => "no_proxy",
            Self::NoTransport => "no_transport",
            Self::NoCertificate => "no_certificate",
            Self::Expired => "expired",
            Self::Unvouched => "unvouched",
            Self::Revoked => "revoked",
            Self::NotOneUri(_) => "not_one_uri",
            Self::ForServers => "for_servers",
            Self::AnotherProxy => "another_proxy",
            Self::TooMany { .. } => "too_many",
        }
    }

    /// What the applicant is told, and the log.
    pub fn detail(&self) -> String {
        match self {
            Self::NoProxy(error) => error.to_string(),
            Self::NoTransport => "it is not known how the connection was made".to_owned(),
            Self::NoCertificate => {
                "no certificate was shown: over TLS a proxy shows one with its SPIFFE identity. ferromesh \
                 proxy takes FERROMESH_TLS_CERTIFICATE or a join token"
                    .to_owned()
            }
            Self::Expired => "the certificate has expired".to_owned(),
            Self::Unvouched => "no authority that is believed here vouches for the certificate".to_owned(),
            Self::Revoked => "the certificate is revoked".to_owned(),
            Self::NotOneUri(count) => {
                format!("the certificate has {count} URI names: a proxy's has exactly one, its SPIFFE identity")
            }
            Self::ForServers => {
                "the certificate was issued for a listener: a proxy shows one that was issued for its join \
                 token"
                    .to_owned()
            }
            Self::AnotherProxy => "the certificate does not stand for this proxy".to_owned(),
            Self::TooMany { proxy, most } => {
                format!("{proxy} has {most} connected Envoys, and the quota is {most}")
            }
        }
    }

    /// The end of the stream.
    pub fn status(&self) -> Status {
        let detail = self.detail();
        match self {
            Self::NoProxy(_) => Status::invalid_argument(detail),
            Self::NoTransport | Self::NoCertificate | Self::Expired | Self::Unvouched | Self::Revoked => {
                Status::unauthenticated(detail)
            }
            Self::NotOneUri(_) | Self::ForServers | Self::AnotherProxy => Status::permission_denied(detail),
            Self::TooMany { .. } => Status::resource_exhausted(detail),
        }
    }
}

/// A certificate that was let in.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub certificate: Arc<Certificate>,
    /// Who vouched for it.
    pub by: Authority,
}

/// Everything that a verdict depends on, at one time.
pub(super) struct Judge<'a> {
    pub requirement: Requirement,
    pub naming: &'a Naming,
    pub vouch: Arc<dyn Vouch>,
    pub revoked: Arc<Revoked>,
    /// Seconds since 1970-01-01 UTC.
    pub now: f64,
}

impl Judge<'_> {
    /// Whether another judge goes by the same authorities and revocations.
    pub fn is_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.vouch, &other.vouch) && Arc::ptr_eq(&self.revoked, &other.revoked)
    }

    /// Whether somebody may have a proxy's configuration; if by a certificate, by which.
    pub fn admit(&self, proxy: &ProxyKey, peer: Option<&Peer>) -> Result<Option<Shown>, Refusal> {
        match (peer, self.requirement) {
            (None, _) => Err(Refusal::NoTransport),
            (Some(Peer::Local), _) | (Some(Peer::Unidentified), Requirement::Optional) => Ok(None),
            (Some(Peer::Unidentified), Requirement::Required) => Err(Refusal::NoCertificate),
            (Some(Peer::Certificate(certificate)), _) => Ok(Some(Shown {
                by: self.stands_for(proxy, certificate)?,
                certificate: Arc::clone(certificate),
            })),
        }
    }

    fn stands_for(&self, proxy: &ProxyKey, certificate: &Certificate) -> Result<Authority, Refusal> {
        let (authority, id) = self.identity(certificate)?;
        let is_its = match authority {
            Authority::BuiltIn => self.naming.issued(proxy).as_deref() == Some(id),
            Authority::Named => self.naming.of_others(proxy).iter().any(|its| its == id),
        };
        if !is_its {
            return Err(Refusal::AnotherProxy);
        }
        self.is_not_revoked(proxy, certificate, authority)?;
        Ok(authority)
    }

    /// The proxy that a certificate of the built-in authority stands for.
    pub fn issued(&self, certificate: &Certificate) -> Result<ProxyKey, Refusal> {
        let (authority, id) = self.identity(certificate)?;
        if authority != Authority::BuiltIn {
            return Err(Refusal::Unvouched);
        }
        let proxy = self.naming.proxy(id).ok_or(Refusal::AnotherProxy)?;
        self.is_not_revoked(&proxy, certificate, authority)?;
        Ok(proxy)
    }

    /// Whether what was let in with a certificate may stay.
    pub fn still(&self, proxy: &ProxyKey, shown: &Shown, ask_authorities: bool) -> Result<(), Refusal> {
        if ask_authorities {
            return self.stands_for(proxy, &shown.certificate).map(drop);
        }
        self.is_in_time(&shown.certificate)?;
        self.is_not_revoked(proxy, &shown.certificate, shown.by)
    }

    /// The authority behind a certificate and the one identity in it.
    fn identity<'c>(&self, certificate: &'c Certificate) -> Result<(Authority, &'c str), Refusal> {
        self.is_in_time(certificate)?;
        let authority = self
            .vouch
            .vouch(certificate, self.now as i64)
            .ok_or(Refusal::Unvouched)?;
        let [id] = certificate.uris.as_slice() else {
            return Err(Refusal::NotOneUri(certificate.uris.len()));
        };
        // Certificates for listeners go to every proxy that shows them, and keep the names that they had.
        if authority == Authority::BuiltIn && certificate.is_for_servers {
            return Err(Refusal::ForServers);
        }
        Ok((authority, id))
    }

    fn is_in_time(&self, certificate: &Certificate) -> Result<(), Refusal> {
        if certificate.not_after_seconds as f64 <= self.now {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    fn is_not_revoked(&self, proxy: &ProxyKey, certificate: &Certificate, by: Authority) -> Result<(), Refusal> {
        match self.revoked.has(proxy, certificate, by) {
            true => Err(Refusal::Revoked),
            false => Ok(()),
        }
    }
}
