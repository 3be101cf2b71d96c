//! One certificate of the built-in authority, with its key.

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ferromesh_emit::Certificate;
use rcgen::{
    date_time_ymd, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    SanType,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{private_file, root::Root, AuthorityError};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a certificate is good for. With [`RENEW_BEFORE`], proxies that lose the control plane have 30 days at least.
const VALIDITY: Duration = Duration::from_secs(90 * DAY.as_secs());

/// How long before its end a certificate is issued anew.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * DAY.as_secs());

/// Clocks of peers that go slow by this much take a new certificate at once.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// X.509's limit on a common name.
const MAX_COMMON_NAME: usize = 64;

/// A certificate with its key, as it is kept. Has no `Debug`: it holds a private key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leaf {
    arn: String,
    names: BTreeSet<String>,
    not_after_seconds: u64,
    /// Fingerprint of the authority's certificate.
    issuer: String,
    certificate_pem: String,
    key_pem: String,
}

/// Why a certificate is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was none.
    NoneYet,
    /// The one there is lacks a name.
    OtherNames,
    /// The one there is expires soon, or has.
    Expires,
    /// The one there is was issued by another authority.
    OtherAuthority,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoneYet => "there was none",
            Self::OtherNames => "more names",
            Self::Expires => "the one before expires",
            Self::OtherAuthority => "the one before is another authority's",
        })
    }
}

impl Reason {
    /// Why a certificate must be issued, if it must.
    pub fn to_issue(known: Option<&Leaf>, names: &BTreeSet<String>, root: &Root, now: SystemTime) -> Option<Self> {
        let Some(leaf) = known else {
            return Some(Self::NoneYet);
        };
        if leaf.issuer != root.fingerprint() {
            Some(Self::OtherAuthority)
        } else if !leaf.names.is_superset(names) {
            Some(Self::OtherNames)
        } else if leaf.expires_soon(now) {
            Some(Self::Expires)
        } else {
            None
        }
    }
}

impl Leaf {
    /// Issues a certificate with a new key. It keeps the names of the one before: meshes that share an ARN would otherwise
    /// take it from each other.
    pub fn issue(
        arn: &str,
        names: &BTreeSet<String>,
        before: Option<&Self>,
        root: &Root,
        now: SystemTime,
    ) -> Result<Self, AuthorityError> {
        let mut names = names.clone();
        names.extend(before.into_iter().flat_map(|leaf| leaf.names.iter().cloned()));
        let not_after = now + VALIDITY;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().filter_map(|name| alternative_name(name)).collect();
        params.distinguished_name = DistinguishedName::new();
        let common_name = names
            .iter()
            .find(|name| name.len() <= MAX_COMMON_NAME && !is_identity(name));
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A node shows the same certificate to its clients and, as its identity, to its servers.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        good_from(&mut params, now);
        params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(not_after);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, root.issuer())?;
        Ok(Self {
            arn: arn.to_owned(),
            names,
            not_after_seconds: since_epoch(not_after).as_secs(),
            issuer: root.fingerprint().to_owned(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Reads the certificate of an ARN, if there is one. One that cannot be read is as good as none.
    pub fn read(folder: &Path, arn: &str) -> Result<Option<Self>, AuthorityError> {
        let path = path(folder, arn);
        let Some(text) = private_file::read(&path)? else {
            return Ok(None);
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(leaf) if leaf.arn == arn => Ok(Some(leaf)),
            Ok(_) => Ok(None),
            Err(error) => {
                // The error's text can quote the file, and with it the key: only the place is said.
                let (line, column) = (error.line(), error.column());
                tracing::warn!(path = %path.display(), line, column, "no certificate is in this file: another is issued");
                Ok(None)
            }
        }
    }

    /// Keeps the certificate.
    pub fn write(&self, folder: &Path) -> Result<(), AuthorityError> {
        private_file::write(&path(folder, &self.arn), &self.text(), 0o600)
    }

    /// As a text, private key and all.
    pub fn text(&self) -> String {
        // Strings and numbers only: it cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The certificate in a text, if there is one.
    pub fn of_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The ARN that it was issued for.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The names that it is good for.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Whether it expires within 30 days.
    pub fn expires_soon(&self, now: SystemTime) -> bool {
        UNIX_EPOCH + Duration::from_secs(self.not_after_seconds) < now + RENEW_BEFORE
    }

    /// As it is given to proxies.
    pub fn certificate(&self) -> Certificate {
        Certificate {
            chain: self.certificate_pem.clone(),
            key: self.key_pem.clone(),
        }
    }
}

/// Sets from when on a certificate is good that is issued now.
pub fn good_from(params: &mut CertificateParams, now: SystemTime) {
    params.not_before = date_time_ymd(1970, 1, 1) + since_epoch(now).saturating_sub(CLOCK_SKEW);
}

fn since_epoch(time: SystemTime) -> Duration {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // X.509 has no fractions.
    Duration::from_secs(since.as_secs())
}

/// The file of an ARN. ARNs have slashes and may be long, their hashes not.
fn path(folder: &Path, arn: &str) -> PathBuf {
    folder.join(format!("{}.json", hashed(arn)))
}

/// 32 digits that stand for an ARN.
pub fn hashed(arn: &str) -> String {
    let digest = Sha256::digest(arn.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a name is a SPIFFE identity.
fn is_identity(name: &str) -> bool {
    name.starts_with("spiffe://")
}

/// A name in a certificate; `None` for what can be neither a host name nor an address.
fn alternative_name(name: &str) -> Option<SanType> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some(SanType::IpAddress(address));
    }
    if is_identity(name) {
        return name.try_into().ok().map(SanType::URI);
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_host = name.len() <= 253 && name.split('.').all(is_label);
    is_host.then(|| name.try_into().ok().map(SanType::DnsName)).flatten()
}
