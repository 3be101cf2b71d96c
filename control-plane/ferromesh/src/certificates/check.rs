//! Whether a certificate can be imported: everything that would make Envoy refuse it, or callers, is said here and now.

use std::time::{SystemTime, UNIX_EPOCH};

use ferromesh_api::Import;
use ferromesh_model::Violation;
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use x509_parser::{extensions::GeneralName, prelude::*, public_key::PublicKey};

/// Most bytes of each member.
const MAX_BYTES: usize = 64 << 10;
/// Most certificates of a chain. Envoy and others follow few.
const MAX_CHAIN: usize = 10;
/// Fewest bits of an RSA key that Envoy takes.
const MIN_RSA_BITS: usize = 2048;

/// What can be kept.
pub struct Checked {
    /// Chain and key, PEM.
    pub identity: Option<(String, String)>,
    /// Authorities, PEM.
    pub trust: String,
}

/// What a certificate says.
pub struct Summary {
    /// Host names, addresses and URIs.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before: f64,
    /// Seconds since 1970.
    pub not_after: f64,
    /// `RSA-2048`, `EC-256`.
    pub key_type: String,
    /// Of the certificate, hexadecimal.
    pub sha256: String,
}

/// Checks an import.
pub fn import(import: &Import, now: SystemTime) -> Result<Checked, Vec<Violation>> {
    let now = i64::try_from(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
    let one = |field: &'static str, message: String| vec![Violation::new(field, message)];
    for (field, member) in [
        ("certificateChain", &import.certificate_chain),
        ("privateKey", &import.private_key),
        ("trust", &import.trust),
    ] {
        if let Some(length) = member.as_ref().map(String::len).filter(|length| *length > MAX_BYTES) {
            return Err(one(field, format!("must have at most {MAX_BYTES} bytes, has {length}")));
        }
    }
    let trust = import.trust.as_deref().map(|text| ders("trust", text)).transpose()?;
    for (index, der) in trust.iter().flatten().enumerate() {
        let certificate = parse("trust", index, der)?;
        in_time("trust", index, &certificate, now)?;
    }
    let (chain, key) = match (&import.certificate_chain, &import.private_key) {
        (None, None) => {
            let Some(trust) = trust else {
                let message = "certificateChain with privateKey, or trust, must be there".to_owned();
                return Err(one("body", message));
            };
            return Ok(Checked {
                identity: None,
                trust: as_pem(&trust),
            });
        }
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => return Err(one("privateKey", "must be there beside certificateChain".to_owned())),
        (None, Some(_)) => return Err(one("certificateChain", "must be there beside privateKey".to_owned())),
    };
    let chain = ders("certificateChain", chain)?;
    if chain.len() > MAX_CHAIN {
        let message = format!("must have at most {MAX_CHAIN} certificates, has {}", chain.len());
        return Err(one("certificateChain", message));
    }
    let parsed = chain.iter().enumerate();
    let parsed = parsed.map(|(index, der)| parse("certificateChain", index, der));
    let parsed: Vec<X509Certificate<'_>> = parsed.collect::<Result<_, _>>()?;
    for (index, certificate) in parsed.iter().enumerate() {
        in_time("certificateChain", index, certificate, now)?;
    }
    if let Some(leaf) = parsed.first() {
        key_type(leaf).map_err(|message| one("certificateChain", message))?;
        if leaf.is_ca() && parsed.len() > 1 {
            let message = "the first certificate is an authority's: the one of the private key must be first";
            return Err(one("certificateChain", message.to_owned()));
        }
    }
    for (index, pair) in parsed.windows(2).enumerate() {
        if let [certificate, issuer] = pair {
            if !is_issued_by(certificate, issuer) {
                let (this, next) = (index + 1, index + 2);
                let message = format!(
                    "certificate {this} was not issued by certificate {next}: each must be followed by its issuer"
                );
                return Err(one("certificateChain", message));
            }
        }
    }
    fits(&chain, key)?;
    let trust = trust_of(&chain, &parsed, trust)?;
    Ok(Checked {
        identity: Some((as_pem(&chain), key.clone())),
        trust,
    })
}

/// What the first certificate of a chain says.
pub fn summary(chain: &str) -> Option<Summary> {
    let der = CertificateDer::pem_slice_iter(chain.as_bytes()).next()?.ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let digest = Sha256::digest(der.as_ref());
    Some(Summary {
        names: names(&certificate),
        not_before: certificate.validity().not_before.timestamp() as f64,
        not_after: certificate.validity().not_after.timestamp() as f64,
        key_type: key_type(&certificate).unwrap_or_else(|_| "other".to_owned()),
        sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| std::net::Ipv4Addr::from(octets).to_string());
    let v6 = || <[u8; 16]>::try_from(bytes).map(|octets| std::net::Ipv6Addr::from(octets).to_string());
    v4.or_else(|_| v6()).ok()
}

fn ders(field: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, Vec<Violation>> {
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    let certificates: Result<Vec<_>, _> = certificates.collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(vec![Violation::new(field, "holds no certificate in PEM")]),
        Err(_) => Err(vec![Violation::new(field, "is not PEM")]),
    }
}

fn parse<'a>(field: &'static str, index: usize, der: &'a [u8]) -> Result<X509Certificate<'a>, Vec<Violation>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => {
            let message = format!("certificate {} is not X.509", index + 1);
            Err(vec![Violation::new(field, message)])
        }
    }
}

fn in_time(
    field: &'static str,
    index: usize,
    certificate: &X509Certificate<'_>,
    now: i64,
) -> Result<(), Vec<Violation>> {
    let validity = certificate.validity();
    let when = |time: ASN1Time| crate::timestamp::rfc3339(time.timestamp() as f64);
    let number = index + 1;
    let message = if validity.not_after.timestamp() <= now {
        format!("certificate {number} expired at {}", when(validity.not_after))
    } else if validity.not_before.timestamp() > now {
        format!("certificate {number} is not good before {}", when(validity.not_before))
    } else {
        return Ok(());
    };
    Err(vec![Violation::new(field, message)])
}

/// `RSA-2048`, `EC-256`; or why Envoy would not take it.
fn key_type(certificate: &X509Certificate<'_>) -> Result<String, String> {
    const EXPECTED: &str = "expected RSA of at least 2048 bits, or ECDSA on P-256 or P-384";
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() >= MIN_RSA_BITS => Ok(format!("RSA-{}", key.key_size())),
        Ok(PublicKey::RSA(key)) => Err(format!("its key has {} bits: {EXPECTED}", key.key_size())),
        Ok(PublicKey::EC(point)) if matches!(point.key_size(), 256 | 384) => Ok(format!("EC-{}", point.key_size())),
        _ => Err(format!("its key is of a type that Envoy does not take: {EXPECTED}")),
    }
}

fn is_issued_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

/// Whether a private key is that of the first certificate. What is wrong with it is not said in a library's words, which
/// could quote it.
fn fits(chain: &[CertificateDer<'static>], key: &str) -> Result<(), Vec<Violation>> {
    let one = |message: &str| vec![Violation::new("privateKey", message)];
    let mut keys = PrivateKeyDer::pem_slice_iter(key.as_bytes());
    let (Some(Ok(der)), None) = (keys.next(), keys.next()) else {
        return Err(one("must hold one private key in PEM, not encrypted"));
    };
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain.to_vec(), der, &provider) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(one("is not the key of the first certificate")),
        Err(_) => Err(one("is not a key that can be used")),
    }
}

/// The authorities that were given, or else the last certificate of the chain.
fn trust_of(
    chain: &[CertificateDer<'static>],
    parsed: &[X509Certificate<'_>],
    given: Option<Vec<CertificateDer<'static>>>,
) -> Result<String, Vec<Violation>> {
    let one = |message: &str| Err(vec![Violation::new("trust", message)]);
    let (Some(last), Some(top)) = (chain.last(), parsed.last()) else {
        return one("has no chain to check");
    };
    let Some(given) = given else {
        return if top.is_ca() || is_issued_by(top, top) {
            Ok(as_pem(std::slice::from_ref(last)))
        } else {
            one("must hold the authority, because the chain does not end with one: callers check against it")
        };
    };
    let leads_to = |authority: &CertificateDer<'_>| {
        authority == last
            || X509Certificate::from_der(authority).is_ok_and(|(_, authority)| is_issued_by(top, &authority))
    };
    if given.iter().any(leads_to) {
        Ok(as_pem(&given))
    } else {
        one("has no certificate that issued the last one of certificateChain")
    }
}

/// PEM without anything between the certificates.
fn as_pem(certificates: &[CertificateDer<'_>]) -> String {
    let pems = certificates
        .iter()
        .map(|der| ::pem::Pem::new("CERTIFICATE", der.as_ref()));
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    ::pem::encode_many_config(&pems.collect::<Vec<_>>(), lines)
}
