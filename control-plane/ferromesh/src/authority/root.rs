//! The authority's own key and certificate.

use std::{path::Path, time::SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sha2::{Digest, Sha256};

use super::{leaf, private_file, AuthorityError};

/// The authority's name. Its certificate can be made anew from the key, so the name must not depend on anything else.
const NAME: &str = "Ferromesh built-in CA";

/// Key and certificate.
pub struct Root {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    fingerprint: String,
}

impl Root {
    /// Reads both, or makes what is not there.
    pub fn open(folder: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let (key_path, certificate_path) = (folder.join("root.key"), folder.join("root.pem"));
        let found = match std::fs::read_to_string(&certificate_path) {
            Ok(certificate) => Some(certificate),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(AuthorityError::File {
                    action: "read",
                    path: certificate_path,
                    source,
                })
            }
        };
        let key = match private_file::read(&key_path)? {
            Some(pem) => KeyPair::from_pem(&pem).map_err(|reason| AuthorityError::KeyDamaged {
                path: key_path.clone(),
                reason,
            })?,
            None if found.is_some() => {
                return Err(AuthorityError::KeyMissing {
                    certificate: certificate_path,
                    key: key_path,
                })
            }
            None => {
                let key = KeyPair::generate()?;
                private_file::write(&key_path, &key.serialize_pem(), 0o600)?;
                key
            }
        };
        let params = params(now);
        let certificate = match found {
            Some(certificate) => certificate,
            None => {
                let certificate = params.self_signed(&key)?.pem();
                private_file::write(&certificate_path, &certificate, 0o644)?;
                tracing::info!(certificate = %certificate_path.display(), "built-in certificate authority made");
                certificate
            }
        };
        let digest = Sha256::digest(certificate.as_bytes());
        Ok(Self {
            issuer: Issuer::new(params, key),
            fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            certificate,
        })
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// SHA-256 of the certificate's file.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs.
    pub fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

fn params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    leaf::good_from(&mut params, now);
    // "No well-defined expiration" (RFC 5280 4.1.2.5): the authority lives as long as its data folder.
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    params
}
