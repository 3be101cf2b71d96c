//! Certificates of listeners in the store, sealed: all control planes over one store serve the same ones.
//!
//! With certificates of its own at each, an Envoy that goes from one control plane to another would be sent other ones each
//! time, and what is renewed at one would stay what it was at the others. A control plane's own certificate for TLS is not
//! among them: its key never leaves its machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::SystemTime,
};

use ferromesh_store::{catalog, Availability, Compare, Revision, Store, StoreError, Stored, Transaction};
use serde::{Deserialize, Serialize};

use super::{
    leaf::{Leaf, Reason},
    Authority, AuthorityError, Served,
};
use crate::certificates::keyring::{Keyring, Sealed};

/// Prefix of their keys in the store. What follows is a hash of the ARN.
pub const PREFIX: &str = "authority/leaf/";

/// Name of the control plane's own certificate, which stands for an ARN.
pub const OWN: &str = "ferromesh:control-plane";

/// Attempts at storing a certificate that other control planes store too.
const ATTEMPTS: usize = 8;

/// The certificates of listeners in a store.
pub struct Leaves {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
}

/// As it is stored: everything but the ARN is sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    arn: String,
    leaf: Sealed,
}

/// What is stored for an ARN.
#[derive(Default)]
pub struct Found {
    /// `None`: there is nothing, or nothing that can be opened.
    pub leaf: Option<Leaf>,
    /// When it was last written.
    pub modified: Option<Revision>,
}

/// What became of a certificate that was to be stored.
pub enum Put {
    /// It is stored.
    Stored(Revision),
    /// Another control plane was first, or it is not known who was.
    Late,
    /// The store takes no writes now.
    NotNow,
}

impl Leaves {
    /// In a store, sealed with the first key of a ring.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>) -> Self {
        Self { store, keyring }
    }

    /// What is stored for an ARN.
    pub fn get(&self, arn: &str) -> Result<Found, StoreError> {
        let Some(stored) = self.store.get(&key(arn))? else {
            return Ok(Found::default());
        };
        Ok(Found {
            leaf: self.open(&stored),
            modified: Some(stored.modified),
        })
    }

    /// Stores a certificate in the place of one that was written then.
    pub fn put(&self, leaf: &Leaf, before: Option<Revision>) -> Result<Put, AuthorityError> {
        // Asked first: a write that waits for etcd would hold up everybody.
        if self.store.availability() != Availability::Full {
            return Ok(Put::NotNow);
        }
        let arn = leaf.arn();
        let sealed = self.keyring.seal(&leaf.text(), &context(arn))?;
        let record = Record {
            arn: arn.to_owned(),
            leaf: sealed,
        };
        let compares = vec![Compare::Unchanged {
            key: key(arn),
            modified: before,
        }];
        let changes = vec![catalog::put(key(arn), &record)?];
        match self.store.commit(Transaction { compares, changes }) {
            Ok(revision) => Ok(Put::Stored(revision)),
            Err(StoreError::Conflict(_) | StoreError::Unsettled(_)) => Ok(Put::Late),
            Err(StoreError::Unavailable(_)) => Ok(Put::NotNow),
            Err(error) => Err(error.into()),
        }
    }

    /// Everything that is stored, by key.
    pub fn all(&self) -> Result<BTreeMap<String, Stored>, StoreError> {
        let listing = self.store.list(PREFIX, None, None)?;
        let by_key = listing.entries.into_iter();
        Ok(by_key.map(|stored| (stored.key.clone(), stored)).collect())
    }

    /// The certificate in a value; `None` if it cannot be opened, which the log says.
    pub fn open(&self, stored: &Stored) -> Option<Leaf> {
        let opened = || -> Result<Option<Leaf>, String> {
            let record: Record = catalog::read(stored).map_err(|error| error.to_string())?;
            let text = self.keyring.open(&record.leaf, &context(&record.arn));
            let leaf = Leaf::of_text(&text.map_err(|error| error.to_string())?);
            Ok(leaf.filter(|leaf| leaf.arn() == record.arn))
        };
        match opened() {
            Ok(Some(leaf)) => Some(leaf),
            Ok(None) => {
                tracing::warn!(key = stored.key, "no certificate is in this value: another is issued");
                None
            }
            Err(reason) => {
                let key = &stored.key;
                tracing::warn!(
                    key,
                    reason,
                    "the certificate in the store cannot be opened: another is issued"
                );
                None
            }
        }
    }

    /// Seals anew what was sealed with another key than the first of the ring.
    pub fn seal_anew(&self) -> Result<(), AuthorityError> {
        for stored in self.all()?.into_values() {
            let record: Record = catalog::read(&stored)?;
            if self.keyring.is_newest(&record.leaf) {
                continue;
            }
            if let Some(leaf) = self.open(&stored) {
                // Another control plane does it, or the next start.
                self.put(&leaf, Some(stored.modified)).map(drop)?;
            }
        }
        Ok(())
    }
}

/// The key of an ARN's certificate. ARNs have slashes and may be long, their hashes not.
pub fn key(arn: &str) -> String {
    format!("{PREFIX}{}", super::leaf::hashed(arn))
}

/// Whether the certificate of a name is for all control planes.
pub fn is_shared(arn: &str) -> bool {
    arn != OWN
}

/// A certificate is sealed for its ARN: moved to another in the store, it does not open.
fn context(arn: &str) -> Vec<u8> {
    [PREFIX.as_bytes(), b"\n", arn.as_bytes()].concat()
}

impl Authority {
    /// With certificates for listeners that are shared with other control planes. What another key has sealed is sealed anew.
    ///
    /// Blocks on the store.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn sharing(mut self, leaves: Leaves) -> Result<Self, AuthorityError> {
        leaves.seal_anew()?;
        self.shared = Some(leaves);
        Ok(self)
    }

    /// The certificate of one ARN, good for some names, which other control planes serve too.
    pub(super) fn shared_certificate(
        &self,
        leaves: &Leaves,
        arn: &str,
        names: &BTreeSet<String>,
        now: SystemTime,
    ) -> Result<ferromesh_emit::Certificate, AuthorityError> {
        // Held while it is stored: two requests must not store two certificates.
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |leaf: &Leaf| Reason::to_issue(Some(leaf), names, &self.root, now).is_none();
        if let Some(known) = served.get(arn).filter(|known| known.modified.is_some()) {
            if is_good(&known.leaf) {
                return Ok(known.leaf.certificate());
            }
        }
        let mut here = match served.get(arn) {
            Some(known) => Some(known.leaf.clone()),
            // Of a version that did not share them, or copied.
            None => Leaf::read(&self.leaves, arn)?,
        };
        for _ in 0..ATTEMPTS {
            let found = leaves.get(arn)?;
            let (leaf, put) = match found.leaf {
                Some(leaf) if is_good(&leaf) => (leaf, found.modified.map_or(Put::NotNow, Put::Stored)),
                stored => {
                    let before = stored.or_else(|| here.take());
                    let leaf = match before {
                        Some(leaf) if is_good(&leaf) => leaf,
                        before => {
                            let reason = Reason::to_issue(before.as_ref(), names, &self.root, now);
                            self.issue(arn, names, before.as_ref(), reason, now)?
                        }
                    };
                    let put = leaves.put(&leaf, found.modified)?;
                    (leaf, put)
                }
            };
            let modified = match put {
                Put::Stored(revision) => Some(revision),
                // What is there now is looked at again.
                Put::Late => continue,
                Put::NotNow => {
                    tracing::warn!(arn, "the store takes no writes now: this certificate is not shared yet");
                    None
                }
            };
            let is_new = served.get(arn).is_none_or(|known| known.leaf.text() != leaf.text());
            if is_new {
                leaf.write(&self.leaves)?;
            }
            let certificate = leaf.certificate();
            served.insert(arn.to_owned(), Served { leaf, modified });
            return Ok(certificate);
        }
        Err(AuthorityError::Contended(arn.to_owned()))
    }

    /// Takes over what other control planes have issued in the place of what is served. [`Authority::issued`] then has that.
    ///
    /// Blocks on the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn follow(&self) -> Result<(), StoreError> {
        let Some(leaves) = &self.shared else { return Ok(()) };
        let stored = leaves.all()?;
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        for (arn, known) in served.iter_mut() {
            let Some(stored) = stored.get(&key(arn)) else {
                continue;
            };
            if known.modified == Some(stored.modified) {
                continue;
            }
            // One that cannot be opened is issued anew when it is asked for.
            if let Some(leaf) = leaves.open(stored) {
                *known = Served {
                    leaf,
                    modified: Some(stored.modified),
                };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
