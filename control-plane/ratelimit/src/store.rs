//! Where counts are kept.

use std::fmt;
use std::future::Future;

use sha2::{Digest, Sha256};

use crate::bucket::Bucket;

/// What a bucket is found by: a hash of domain, key and limit's name. Of one length whatever clients send, and it tells
/// nobody who reads the store what that was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// The key of these parts; other parts, or the same split otherwise, have another.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is asked of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which bucket.
    pub key: Key,
    /// Its numbers.
    pub bucket: Bucket,
    /// Hits: at most 32 bits. 0 only asks, fewer give back.
    pub hits: i64,
}

/// What a store did.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Whether every charge fitted and so all were taken; otherwise none was.
    pub admitted: bool,
    /// What was used of each bucket before.
    pub used: Vec<f64>,
    /// The store's time in microseconds since its epoch.
    pub now_micros: u64,
}

/// Why a store did nothing, or cannot say what it did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection.
    #[error("the store is not reachable")]
    Lost,
    /// It took longer than it may.
    #[error("the store did not answer in time")]
    Late,
    /// It refused.
    #[error("the store refused: {0}")]
    Refused(String),
}

/// Where counts are kept.
pub trait Store: Send + Sync + 'static {
    /// Takes all charges or none, as one step. Their keys are distinct. Does not wait for a store that is not there.
    fn take(&self, charges: &[Charge]) -> impl Future<Output = Result<Decision, StoreError>> + Send;

    /// Whether charges can be taken now.
    fn is_ready(&self) -> bool;
}
