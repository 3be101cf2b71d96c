//! What a resource says, whole or in pieces.
//!
//! A protobuf message is the concatenation of its fields, so a message whose parts are shared by many resources (a virtual
//! host by the route tables of all callers, a filter module by the configurations of all proxies) is held as a list of
//! pieces and put together on the wire only. Each piece is hashed once, wherever it occurs.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// SHA-256 of some bytes.
pub type Digest = [u8; 32];

/// Bytes with their hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    bytes: Bytes,
    digest: Digest,
}

impl Piece {
    /// Hashes the bytes.
    pub fn new(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest }
    }

    /// Bytes that were hashed before. `digest` must be their SHA-256, as that is what they are known by from here on.
    pub fn hashed(bytes: Bytes, digest: Digest) -> Self {
        debug_assert!(Self::new(bytes.clone()).digest == digest, "another's hash");
        Self { bytes, digest }
    }

    /// `bytes`, which have the hash of `as_before`.
    pub(crate) fn exchanged(bytes: Bytes, as_before: &Self) -> Self {
        Self {
            bytes,
            digest: as_before.digest,
        }
    }

    /// The bytes. Cheap to clone.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their SHA-256.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Without the bytes, which may be a private key.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

/// The encoded message of a resource, without the `Any` around it. Where it is cut counts: the same bytes in other pieces
/// are another version, so whoever makes them must always cut alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(Vec<Piece>);

impl Content {
    /// The message is these pieces, one after the other.
    pub fn of(pieces: Vec<Piece>) -> Self {
        Self(pieces)
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    pub(crate) fn pieces_mut(&mut self) -> &mut [Piece] {
        &mut self.0
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self(vec![Piece::new(bytes)])
    }
}

impl From<Piece> for Content {
    fn from(piece: Piece) -> Self {
        Self(vec![piece])
    }
}
