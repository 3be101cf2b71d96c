//! Certificates, keys and trusted authorities that travel to proxies as resources of their own (SDS).
//!
//! Private keys are in here. Nothing prints them: [`std::fmt::Debug`] of everything that holds one says only that it does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource, WatchedDirectory};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    secret, CertificateValidationContext, Secret, TlsCertificate,
};

use ferromesh_ir::tls::{Identity, KeyPair, Trust};
use ferromesh_ir::Proxy;

use crate::tls;

/// The secrets that are there. A proxy is given those that its listeners and clusters refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Certificates by ARN.
    pub certificates: BTreeMap<String, Certificate>,
    /// Certificate of the built-in authority, PEM.
    pub root: Option<String>,
    /// Authorities that were imported, PEM, by ARN.
    pub authorities: BTreeMap<String, String>,
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

/// The secrets that a proxy's listeners and clusters name, as far as they are there. What is not stays a reference that does
/// not resolve.
pub(crate) fn secrets(proxy: &Proxy, there: &Secrets) -> Vec<Secret> {
    let certificates = proxy.identities().filter_map(|identity| {
        let secret = match identity {
            Identity::File(files) => from_files(files),
            Identity::Served { arn, .. } => certificate(there.certificates.get(arn)?),
            Identity::Local(_) => return None,
        };
        Some((tls::identity_name(identity)?, secret::Type::TlsCertificate(secret)))
    });
    let authorities = proxy.validations().filter_map(|validation| {
        let secret = match &validation.trust {
            Trust::File(path) => trusted_file(path),
            Trust::BuiltIn => trusted(there.root.clone()?),
            Trust::Imported { authorities, built_in } => trusted(bundle(there, authorities, *built_in)?),
            Trust::Local(_) => return None,
        };
        Some((
            tls::trust_name(&validation.trust)?,
            secret::Type::ValidationContext(secret),
        ))
    });
    let by_name: BTreeMap<String, secret::Type> = certificates.chain(authorities).collect();
    by_name
        .into_iter()
        .map(|(name, secret)| Secret {
            name,
            r#type: Some(secret),
        })
        .collect()
}

/// All of some authorities in one text; `None` if one is not there.
fn bundle<'a>(there: &Secrets, authorities: impl IntoIterator<Item = &'a String>, built_in: bool) -> Option<String> {
    let root = built_in.then_some(there.root.as_deref());
    let mut text = String::new();
    for one in authorities
        .into_iter()
        .map(|arn| there.authorities.get(arn).map(String::as_str))
        .chain(root)
    {
        text.push_str(one?.trim_end());
        text.push('\n');
    }
    Some(text)
}

fn certificate(certificate: &Certificate) -> TlsCertificate {
    TlsCertificate {
        certificate_chain: Some(inline(&certificate.chain)),
        private_key: Some(inline(&certificate.key)),
        ..TlsCertificate::default()
    }
}

/// Envoy looks for files that are moved into the watched folder: a rename, or a symbolic link that is changed. It watches
/// one folder for both files, or else each file by itself.
fn from_files(files: &KeyPair) -> TlsCertificate {
    let folder = folder(&files.chain).filter(|_| folder(&files.chain) == folder(&files.key));
    TlsCertificate {
        certificate_chain: Some(file(&files.chain)),
        private_key: Some(file(&files.key)),
        watched_directory: folder.map(watched),
        ..TlsCertificate::default()
    }
}

fn trusted_file(path: &str) -> CertificateValidationContext {
    CertificateValidationContext {
        trusted_ca: Some(file(path)),
        watched_directory: folder(path).map(watched),
        ..CertificateValidationContext::default()
    }
}

fn trusted(authorities: String) -> CertificateValidationContext {
    CertificateValidationContext {
        trusted_ca: Some(inline(&authorities)),
        ..CertificateValidationContext::default()
    }
}

/// The folder of an absolute path. Where a relative one lies is the proxy's business.
fn folder(path: &str) -> Option<&str> {
    let path = Path::new(path);
    path.parent().filter(|_| path.is_absolute()).and_then(Path::to_str)
}

fn watched(folder: &str) -> WatchedDirectory {
    WatchedDirectory {
        path: folder.to_owned(),
        ..WatchedDirectory::default()
    }
}

fn file(path: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::Filename(path.to_owned())),
        ..DataSource::default()
    }
}

fn inline(text: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::InlineString(text.to_owned())),
        ..DataSource::default()
    }
}
