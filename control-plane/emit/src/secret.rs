//! Certificates, keys and trusted authorities that travel to proxies as resources of their own (SDS).
//!
//! Private keys are in here. Nothing prints them: [`std::fmt::Debug`] of everything that holds one says only that it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    secret, CertificateValidationContext, Secret, TlsCertificate,
};

use crate::{names, Reference, SECRET};

/// The secrets that are there. A proxy is given those that its listeners and clusters refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Certificates by ARN.
    pub certificates: BTreeMap<String, Certificate>,
    /// Certificate of the built-in authority, PEM.
    pub root: Option<String>,
}

/// A certificate with its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate and what leads to its authority, PEM.
    pub chain: String,
    /// The private key, PEM.
    pub key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("chain", &self.chain)
            .field("key", &"(private)")
            .finish()
    }
}

/// The secrets that some references name, as far as they are there. What is not stays a reference that does not resolve.
pub(crate) fn secrets(secrets: &Secrets, references: &[Reference]) -> Vec<Secret> {
    let wanted: BTreeSet<&str> = references
        .iter()
        .filter(|reference| reference.type_url == SECRET)
        .map(|reference| reference.name.as_str())
        .collect();
    let certificates = secrets
        .certificates
        .iter()
        .map(|(arn, one)| (names::certificate(arn), secret::Type::TlsCertificate(certificate(one))));
    let root = secrets
        .root
        .iter()
        .map(|root| (names::ROOT.to_owned(), secret::Type::ValidationContext(trust(root))));
    certificates
        .chain(root)
        .filter(|(name, _)| wanted.contains(name.as_str()))
        .map(|(name, secret)| Secret {
            name,
            r#type: Some(secret),
        })
        .collect()
}

fn certificate(certificate: &Certificate) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: Some(inline(&certificate.chain)),
        private_key: Some(inline(&certificate.key)),
        ..TlsCertificate::default()
    }
}

fn trust(root: &str) -> CertificateValidationContext {
    CertificateValidationContext {
        trusted_ca: Some(inline(root)),
        ..CertificateValidationContext::default()
    }
}

fn inline(text: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    }
}
