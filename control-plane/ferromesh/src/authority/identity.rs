//! Certificates of proxies: short-lived, for one SPIFFE identity, good for clients only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    date_time_ymd, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use x509_parser::{
    certification_request::X509CertificationRequest, oid_registry, prelude::FromDer, public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use super::{identity_serial, Authority, AuthorityError};

/// Clocks of control planes that go slow by this much take a new certificate at once. Only they verify it.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// The subject says nothing: the identity is the URI.
const COMMON_NAME: &str = "ferromesh proxy";
/// Shorter RSA keys are broken.
const MIN_RSA_BITS: usize = 2048;

/// What is wrong with a signing request. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// No PEM, or of something else.
    #[error("must be one CERTIFICATE REQUEST in PEM")]
    Form,
    /// No request in it.
    #[error("holds no certificate request (PKCS #10)")]
    Content,
    /// Not signed with the key that it is for.
    #[error("is not signed with its own key")]
    Signature,
    /// A key that is not taken.
    #[error(
        "has a key that is not taken: expected ECDSA P-256 or P-384, Ed25519, or RSA with at least {MIN_RSA_BITS} bits"
    )]
    Key,
}

/// A proxy's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyCertificate {
    /// The certificate, PEM.
    pub chain: String,
    /// Its number, lower case hexadecimal digits.
    pub serial: String,
    /// Until when it is good.
    pub not_after: SystemTime,
}

/// The public key of a signing request, whose owner has proved to have the private one. Nothing else in it is believed.
#[derive(Debug)]
pub struct RequestedKey {
    algorithm: &'static SignatureAlgorithm,
    key: Vec<u8>,
}

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl RequestedKey {
    /// Reads a request.
    ///
    /// # Errors
    /// It is none, or its key is not taken.
    pub fn read(text: &str) -> Result<Self, InvalidRequest> {
        let request = pem::parse(text).map_err(|_| InvalidRequest::Form)?;
        if !matches!(request.tag(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(InvalidRequest::Form);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(request.contents()).map_err(|_| InvalidRequest::Content)?;
        if !rest.is_empty() {
            return Err(InvalidRequest::Content);
        }
        let info = &request.certification_request_info.subject_pki;
        let algorithm = algorithm(info).ok_or(InvalidRequest::Key)?;
        request.verify_signature().map_err(|_| InvalidRequest::Signature)?;
        let key = info.subject_public_key.data.to_vec();
        Ok(Self { algorithm, key })
    }
}

fn algorithm(info: &SubjectPublicKeyInfo<'_>) -> Option<&'static SignatureAlgorithm> {
    let oid = info.algorithm.oid();
    if *oid == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = info.algorithm.parameters()?.as_oid().ok()?;
        return match curve {
            curve if curve == oid_registry::OID_EC_P256 => Some(&rcgen::PKCS_ECDSA_P256_SHA256),
            curve if curve == oid_registry::OID_NIST_EC_P384 => Some(&rcgen::PKCS_ECDSA_P384_SHA384),
            _ => None,
        };
    }
    if *oid == oid_registry::OID_SIG_ED25519 {
        return Some(&rcgen::PKCS_ED25519);
    }
    match info.parsed().ok()? {
        PublicKey::RSA(key) if *oid == oid_registry::OID_PKCS1_RSAENCRYPTION && key.key_size() >= MIN_RSA_BITS => {
            Some(&rcgen::PKCS_RSA_SHA256)
        }
        _ => None,
    }
}

impl Authority {
    /// Issues a proxy's certificate: for exactly this identity, for that long.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn issue_identity(
        &self,
        id: &str,
        key: &RequestedKey,
        life: Duration,
        now: SystemTime,
    ) -> Result<ProxyCertificate, AuthorityError> {
        let serial = identity_serial::new(now).map_err(|_| rcgen::Error::RingUnspecified)?;
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // X.509 has no fractions.
        let since = Duration::from_secs(since.as_secs());
        let epoch = date_time_ymd(1970, 1, 1);
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // For clients only: this tells it from the certificates of listeners.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = epoch + since.saturating_sub(CLOCK_SKEW);
        params.not_after = epoch + since + life;
        let certificate = params.signed_by(key, self.root.issuer())?;
        Ok(ProxyCertificate {
            chain: certificate.pem(),
            serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            not_after: UNIX_EPOCH + since + life,
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;
    use rustls::pki_types::{pem::PemObject, CertificateDer};

    use super::*;

    const ID: &str = "spiffe://ferromesh.local/mesh/m/virtualNode/n";
    const LIFE: Duration = Duration::from_secs(3600);

    fn request(key: &KeyPair) -> String {
        let mut params = CertificateParams::new(vec!["admin.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.subject_alt_names.push(SanType::URI(
            "spiffe://ferromesh.local/mesh/m/virtualNode/other".try_into().unwrap(),
        ));
        params.serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn nothing_of_a_request_is_believed_but_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        let authority = Authority::open(folder.path(), now).unwrap();
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let requested = RequestedKey::read(&request(&key)).unwrap();
            let issued = authority.issue_identity(ID, &requested, LIFE, now).unwrap();
            let der = CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap();
            let read = crate::server::tls::read(&[der]).unwrap();
            assert_eq!(read.uris, [ID]);
            assert_eq!(read.serial, issued.serial);
            assert_eq!(identity_serial::made_at(&read.serial), Some(1_700_000_000.5));
            assert_eq!(read.not_after_seconds, 1_700_003_600);
            assert_eq!(read.not_before_seconds, 1_700_000_000 - 60);
            assert!(!read.is_for_servers);
            let (_, whole) = x509_parser::parse_x509_certificate(&read.chain[0]).unwrap();
            assert!(!whole.is_ca());
            let names = whole.subject_alternative_name().unwrap().unwrap();
            assert_eq!(names.value.general_names.len(), 1);
            assert_eq!(
                whole.public_key().subject_public_key.data.as_ref(),
                key.public_key_raw()
            );
        }
    }

    #[test]
    fn a_request_that_proves_nothing_is_refused() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        assert_eq!(RequestedKey::read("x").unwrap_err(), InvalidRequest::Form);
        assert_eq!(
            RequestedKey::read(&key.serialize_pem()).unwrap_err(),
            InvalidRequest::Form
        );
        let empty = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", Vec::new()));
        assert_eq!(RequestedKey::read(&empty).unwrap_err(), InvalidRequest::Content);
        // The key of another in it: signed by who does not have that one.
        let mut der = pem::parse(request(&key)).unwrap().into_contents();
        let at = der
            .windows(65)
            .position(|window| window == key.public_key_raw())
            .unwrap();
        der[at..at + 65].copy_from_slice(other.public_key_raw());
        let swapped = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", der));
        assert_eq!(RequestedKey::read(&swapped).unwrap_err(), InvalidRequest::Signature);
    }
}
