//! The issued certificate on disk, so that a restart needs neither the token nor the control plane.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::{pem::Pem, prelude::Validity};

use crate::authority::{private_file, AuthorityError};

/// A certificate with its key. Has no `Debug`: it holds a private key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kept {
    /// SHA-256 of the token that it was issued for: another token stands for another proxy.
    pub token_sha256: String,
    pub chain: String,
    pub key: String,
}

impl Kept {
    pub fn path(state_folder: &Path) -> PathBuf {
        state_folder.join("credential.json")
    }

    /// What is kept, unless it cannot be read: then it is as good as nothing, and the log says so.
    pub fn read(path: &Path) -> Option<Self> {
        let text = match private_file::read(path) {
            Ok(text) => text?,
            Err(error) => {
                tracing::warn!(%error, "the kept certificate is not used");
                return None;
            }
        };
        match serde_json::from_str(&text) {
            Ok(kept) => Some(kept),
            Err(error) => {
                // The error's text can quote the file, and with it the key: only the place is said.
                let (line, column) = (error.line(), error.column());
                tracing::warn!(path = %path.display(), line, column, "no certificate is in this file");
                None
            }
        }
    }

    pub fn write(&self, path: &Path) -> Result<(), AuthorityError> {
        // Strings only: it cannot fail.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        private_file::write(path, &text, 0o600)
    }

    /// From when and until when it is good, in seconds since 1970; `None` for what is no certificate.
    pub fn life(&self) -> Option<(i64, i64)> {
        let pem = Pem::iter_from_buffer(self.chain.as_bytes()).next()?.ok()?;
        let certificate = pem.parse_x509().ok()?;
        let Validity { not_before, not_after } = *certificate.validity();
        Some((not_before.timestamp(), not_after.timestamp()))
    }
}

pub(super) fn digest(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
