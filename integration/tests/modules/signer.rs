//! Signatures as minisign makes them.

use base64::prelude::{Engine, BASE64_STANDARD};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A pair of keys.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Signer {
    /// The same for the same number.
    pub fn new(number: u8) -> Self {
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).expect("a key"),
            id: [number; 8],
        }
    }

    /// For `--module-key`.
    pub fn public(&self) -> String {
        let key = [b"Ed".as_slice(), &self.id, self.pair.public_key().as_ref()].concat();
        BASE64_STANDARD.encode(key)
    }

    /// The text of a `.minisig` file, in minisign's older form: over the bytes themselves.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(bytes);
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let first = BASE64_STANDARD.encode([b"Ed".as_slice(), &self.id, signature.as_ref()].concat());
        let second = BASE64_STANDARD.encode(global.as_ref());
        format!("untrusted comment: of a test\n{first}\ntrusted comment: {comment}\n{second}\n")
    }
}
