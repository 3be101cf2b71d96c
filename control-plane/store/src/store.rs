//! What a store promises, whatever engine it runs on.

use tokio::sync::watch;

use crate::Availability;

/// Number of a committed state. Each commit that changes something makes the next one; it never goes back, not across
/// restarts either. 0 is the empty store.
pub type Revision = u64;

/// One stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub value: Vec<u8>,
    /// Revision in which the key came into being.
    pub created: Revision,
    /// Revision in which the value was last written.
    pub modified: Revision,
}

/// Values under a prefix at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Revision of the state that was read.
    pub revision: Revision,
    /// The values in the order of their keys.
    pub entries: Vec<Stored>,
}

/// Something that must hold for a transaction to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// The key was last written in this revision; with `None` it does not exist.
    Unchanged {
        /// The key.
        key: String,
        /// Revision of its last write.
        modified: Option<Revision>,
    },
    /// No key under the prefix was written after this revision. Deletions do not count.
    NothingNewer {
        /// The prefix.
        prefix: String,
        /// Latest revision that is allowed.
        revision: Revision,
    },
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a value.
    Put {
        /// The key.
        key: String,
        /// Its new bytes.
        value: Vec<u8>,
    },
    /// Removes a key; nothing happens when it does not exist.
    Delete {
        /// The key.
        key: String,
    },
}

impl Change {
    /// Writes a value.
    pub fn put(key: impl Into<String>, value: Vec<u8>) -> Self {
        Self::Put { key: key.into(), value }
    }

    /// Removes a key.
    pub fn delete(key: impl Into<String>) -> Self {
        Self::Delete { key: key.into() }
    }
}

/// Writes that happen all or not at all, and only if everything compared still holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What must hold.
    pub compares: Vec<Compare>,
    /// What is written, in this order.
    pub changes: Vec<Change>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something compared does not hold any more; nothing was written. Read again and retry.
    #[error("the store has changed since it was read: {0}")]
    Conflict(String),
    /// Another process has the store open.
    #[error("{path} is in use by another process")]
    InUse {
        /// Path of the file.
        path: String,
    },
    /// A stored value is not what this version of the control plane writes.
    #[error("value of key {key} cannot be read: {reason}")]
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine failed: file damaged, no permission.
    #[error("the store failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store can be read and not written now, or not even read: the disk is full, etcd is away. Nothing was written.
    #[error("the store takes no writes now: {0}")]
    Unavailable(String),
    /// The answer to a write was lost: it may have happened. Only etcd does this.
    #[error("the write may have happened or not, its answer was lost ({0}): read before writing again")]
    Unsettled(String),
    /// The store was written by a newer version.
    #[error("the store has schema {found}, this version of Ferromesh knows {known}: start a version that is as new as the one that wrote it")]
    TooNew {
        /// Schema of the store.
        found: u64,
        /// Newest schema that is known here.
        known: u64,
    },
}

/// A store with revisions, shaped after etcd.
///
/// Calls block on the disk or the network; asynchronous callers make them on a thread for blocking work. An error of a
/// read or commit means that nothing was written, except [`StoreError::Unsettled`].
pub trait Store: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &str) -> Result<Option<Stored>, StoreError>;

    /// The values whose keys begin with `prefix`, in the order of their keys and all of one revision: those after the key
    /// `after`, at most `limit`.
    fn list(&self, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Result<Listing, StoreError>;

    /// Several prefixes at one revision, each with all its values.
    fn snapshot(&self, prefixes: &[&str]) -> Result<(Revision, Vec<Vec<Stored>>), StoreError>;

    /// The latest committed revision.
    fn revision(&self) -> Result<Revision, StoreError>;

    /// Writes all changes, or none. Returns when they are on disk; the revision is the one they made, or the latest when
    /// there were none.
    fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError>;

    /// Follows the latest committed revision. A follower that is slow misses revisions but never the latest.
    fn watch(&self) -> watch::Receiver<Revision>;

    /// Whether writes are taken now. A store over another one passes on what that says.
    fn availability(&self) -> Availability {
        Availability::Full
    }
}
