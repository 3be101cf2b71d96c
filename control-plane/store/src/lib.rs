//! Where the control plane keeps its resources: a key-value store with revisions, watch and atomic transactions.
//!
//! The [`Store`] trait is shaped after etcd, so that the embedded engine ([`RedbStore`]) and etcd ([`EtcdStore`]) stand
//! behind the same callers. Keys are paths ([`key`]), values are bytes; [`catalog`] reads and writes the control plane's
//! own records, [`backup`] carries them from one store to another, [`schema`] brings those of an older version up to date.
//!
//! ```
//! use ferromesh_store::{Change, Compare, RedbStore, Store, Transaction};
//!
//! let folder = tempfile::tempdir()?;
//! let store = RedbStore::open(folder.path().join("store.redb"))?;
//! let first = store.commit(Transaction {
//!     compares: vec![Compare::Unchanged { key: "a/1".into(), modified: None }], // not there yet
//!     changes: vec![Change::put("a/1", b"one".to_vec())],
//! })?;
//! let read = store.list("a/", None, None)?;
//! assert_eq!(read.revision, first);
//! assert_eq!(read.entries[0].value, b"one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod backup;
pub mod catalog;
pub mod key;
pub mod schema;

mod account_store;
mod availability;
mod etcd;
mod redb_store;
mod store;

pub use account_store::AccountStore;
pub use availability::Availability;
pub use etcd::{EtcdOptions, EtcdStore, Member, User, DEFAULT_PREFIX};
pub use redb_store::RedbStore;
pub use store::{Change, Compare, Listing, Revision, Store, StoreError, Stored, Transaction};
