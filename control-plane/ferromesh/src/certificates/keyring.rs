//! The keys that imported private keys are sealed with: ChaCha20-Poly1305 (RFC 8439).
//!
//! A file with mode 0600, one key a line, 64 hexadecimal digits each; lines that begin with `#` are comments. The first key
//! seals, all of them open. To change the key, put a new line first and restart: everything is then sealed anew, and the old
//! line can go.

use std::{fmt, path::Path};

use ring::{
    aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305, NONCE_LEN},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::authority::{private_file, AuthorityError};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file could not be read or written, or others may read it.
    #[error(transparent)]
    File(#[from] AuthorityError),
    /// There is no file where one was named, or where one must be.
    #[error("{0} is not there: restore it; without it, imported private keys cannot be read")]
    Missing(String),
    /// A line is no key.
    #[error("line {line} of {path} is no key: expected 64 hexadecimal digits")]
    NoKey {
        /// Path of the file.
        path: String,
        /// Which line, from 1.
        line: usize,
    },
    /// A file without a key.
    #[error("{0} holds no key: expected a line of 64 hexadecimal digits")]
    Empty(String),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoChance,
}

/// Why something was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// Sealed with a key that is not there.
    #[error("it is sealed with the key {0}, which is not in the secret key file")]
    OtherKey(String),
    /// What is stored was changed, or belongs to something else.
    #[error("what is stored was changed since it was sealed")]
    Damaged,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoChance,
}

/// A text that only the keyring can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// Name of the key: the first 16 digits of a hash of it.
    key_id: String,
    nonce: String,
    sealed: String,
}

/// The keys. Nothing prints them.
pub struct Keyring {
    keys: Vec<(String, LessSafeKey)>,
    chance: SystemRandom,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|(id, _)| id.as_str()).collect();
        f.debug_struct("Keyring").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads a file of keys. With `make`, one with a new key is made where there is none.
    ///
    /// # Errors
    /// There is no file, others may read it, or a line of it is no key.
    pub fn open_file(path: &Path, make: bool) -> Result<Self, KeyringError> {
        let shown = || path.display().to_string();
        let text = match private_file::read(path)? {
            Some(text) => text,
            None if make => {
                let mut key = [0; KEY_BYTES];
                let chance = SystemRandom::new();
                chance.fill(&mut key).map_err(|_| KeyringError::NoChance)?;
                let text = format!("{}\n", hex(&key));
                private_file::write(path, &text, 0o600)?;
                text
            }
            None => return Err(KeyringError::Missing(shown())),
        };
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(index, line)| {
            key(line).ok_or_else(|| KeyringError::NoKey {
                path: shown(),
                line: index + 1,
            })
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyringError::Empty(shown()));
        }
        Ok(Self {
            keys,
            chance: SystemRandom::new(),
        })
    }

    /// Seals a text for a context, in which alone it opens.
    ///
    /// # Errors
    /// The system gave no random numbers.
    pub fn seal(&self, text: &str, context: &[u8]) -> Result<Sealed, Unsealable> {
        let Some((id, key)) = self.keys.first() else {
            return Err(Unsealable::OtherKey("(none)".to_owned()));
        };
        // By chance: a million imports under one key share a nonce with a probability below 10^-16.
        let mut nonce = [0; NONCE_LEN];
        self.chance.fill(&mut nonce).map_err(|_| Unsealable::NoChance)?;
        let mut sealed = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|_| Unsealable::Damaged)?;
        Ok(Sealed {
            key_id: id.clone(),
            nonce: hex(&nonce),
            sealed: hex(&sealed),
        })
    }

    /// Opens what was sealed for a context.
    ///
    /// # Errors
    /// The key is not there, or what was sealed or its context is another.
    pub fn open(&self, sealed: &Sealed, context: &[u8]) -> Result<String, Unsealable> {
        let key = self.keys.iter().find(|(id, _)| *id == sealed.key_id);
        let (_, key) = key.ok_or_else(|| Unsealable::OtherKey(sealed.key_id.clone()))?;
        let nonce = unhex(&sealed.nonce).and_then(|nonce| <[u8; NONCE_LEN]>::try_from(nonce).ok());
        let (Some(nonce), Some(mut bytes)) = (nonce, unhex(&sealed.sealed)) else {
            return Err(Unsealable::Damaged);
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = key.open_in_place(nonce, Aad::from(context), &mut bytes);
        let opened = opened.map_err(|_| Unsealable::Damaged)?;
        String::from_utf8(opened.to_vec()).map_err(|_| Unsealable::Damaged)
    }

    /// Whether something was sealed with the key that seals now.
    pub fn is_newest(&self, sealed: &Sealed) -> bool {
        self.keys.first().is_some_and(|(id, _)| *id == sealed.key_id)
    }
}

fn key(line: &str) -> Option<(String, LessSafeKey)> {
    let bytes = unhex(line).filter(|bytes| bytes.len() == KEY_BYTES)?;
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok()?;
    let digest = Sha256::new()
        .chain_update(b"ferromesh secret key\n")
        .chain_update(&bytes)
        .finalize();
    Some((hex(digest.get(..8)?), LessSafeKey::new(unbound)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}
