//! Signatures of modules: minisign's, by keys that the operator trusts.
//!
//! Whoever can write to the store, or holds an admin's key, must not be able to put code into every proxy: with a trusted key
//! configured, only who holds its other half can.

use std::{fmt, path::Path};

use anyhow::{bail, Context};
use base64::prelude::{Engine, BASE64_STANDARD};
use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// Most bytes of a signature's text; minisign's own are below 1 KiB, of which a comment is the most.
const MAX_SIGNATURE: usize = 8 << 10;

/// Public keys by which modules may be signed; several, so that one can follow another.
#[derive(Clone, Default)]
pub struct TrustedKeys(Vec<(String, PublicKey)>);

/// What a good signature says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signed {
    /// The key's id as minisign prints it: 16 hexadecimal digits.
    pub key_id: String,
    /// What the signer says of the module; it is signed too.
    pub trusted_comment: String,
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustedKeys").field(&self.ids()).finish()
    }
}

impl TrustedKeys {
    /// Reads keys, each as base64 (`RW…`) or as the path of a file of minisign (`minisign.pub`).
    ///
    /// # Errors
    /// One is neither.
    pub fn read<'a>(named: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let keys = named.into_iter().map(|text| {
            if let Ok(key) = PublicKey::from_base64(text) {
                return Ok((key_id(text)?, key));
            }
            let path = Path::new(text);
            let file = std::fs::read_to_string(path).with_context(|| {
                format!("module key {text:?} is no minisign public key, and no file that can be read")
            })?;
            let mut lines = file.lines().map(str::trim);
            let line = lines.find(|line| !line.is_empty() && !line.starts_with("untrusted comment:"));
            let line = line.with_context(|| format!("module key {text}: the file is empty"))?;
            match PublicKey::from_base64(line) {
                Ok(key) => Ok((key_id(line)?, key)),
                Err(error) => bail!("module key {text}: it is no minisign public key: {error}"),
            }
        });
        keys.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Whether modules must be signed.
    pub fn are_asked_for(&self) -> bool {
        !self.0.is_empty()
    }

    /// The keys' ids.
    pub fn ids(&self) -> Vec<&str> {
        self.0.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// What a module's signature says; `None` where no key is configured, so that nothing can be said.
    ///
    /// # Errors
    /// Why the module is not one that a trusted key has signed.
    pub fn verify(&self, bytes: &[u8], signature: Option<&str>) -> Result<Option<Signed>, String> {
        if let Some(length) = signature.map(str::len).filter(|length| *length > MAX_SIGNATURE) {
            return Err(format!("must have at most {MAX_SIGNATURE} bytes, has {length}"));
        }
        if self.0.is_empty() {
            return Ok(None);
        }
        let known = self.ids().join(", ");
        let Some(text) = signature else {
            return Err(format!("is missing: modules must be signed by one of the keys {known}"));
        };
        let signature = Signature::decode(text).map_err(|error| format!("is no minisign signature: {error}"))?;
        let named = key_id(text.lines().nth(1).unwrap_or_default()).unwrap_or_default();
        let mut trusted = self.0.iter().filter(|(id, _)| *id == named).peekable();
        if trusted.peek().is_none() {
            return Err(format!(
                "is by key {named}, which is not among the trusted ones: {known}"
            ));
        }
        if trusted.any(|(_, key)| key.verify(bytes, &signature, true).is_ok()) {
            return Ok(Some(Signed {
                key_id: named,
                trusted_comment: signature.trusted_comment().to_owned(),
            }));
        }
        Err(format!("is not that of this module by key {named}"))
    }
}

/// The id in a key or signature in base64: two bytes of the algorithm, then the id with its least byte first.
fn key_id(text: &str) -> anyhow::Result<String> {
    let bytes = BASE64_STANDARD.decode(text.trim()).context("it is no base64")?;
    let id = bytes.get(2..10).context("it is too short")?;
    Ok(id.iter().rev().map(|byte| format!("{byte:02X}")).collect())
}
