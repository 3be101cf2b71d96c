//! The built-in certificate authority: certificates for listeners whose resources name one by ARN.
//!
//! App Mesh exported such certificates from a certificate manager. Here there is none, so the control plane issues them
//! itself: one for each ARN, kept so that a restart changes nothing. Clients trust them by the file `root.pem`.
//!
//! ```text
//! DATA/certificates/root.key        the authority's key, mode 0600
//! DATA/certificates/root.pem        its certificate: what clients may trust
//! DATA/certificates/leaf/….json     one certificate with its key for each ARN, mode 0600
//! ```
//!
//! Control planes over one store have one authority ([`shared`]) and the same certificates for listeners ([`leaves`]): those
//! in the store are what counts, and the folder has copies. Each has a certificate of its own for its own TLS.
//!
//! Private keys go from here to the proxies that need them and nowhere else: nothing here prints them.

pub mod identity;
pub mod identity_serial;
mod leaf;
pub mod leaves;
pub mod private_file;
mod root;
pub mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        Mutex, PoisonError,
    },
    time::SystemTime,
};

use ferromesh_emit::Secrets;
use ferromesh_store::{Revision, StoreError};
use tokio::sync::Notify;

use crate::certificates::keyring::Unsealable;
use leaf::{Leaf, Reason};
use leaves::{Leaves, Put};
use root::Root;

/// What kept the authority from working.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write` or `make`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with a key that others may read, or write.
    #[error("{} has mode {mode:03o}: a private key must be its owner's alone (chmod 600)", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The authority's certificate is there and its key is not.
    #[error("{} is there, but {} is not: restore the key, or remove the certificate to begin a new authority",
        certificate.display(), key.display())]
    KeyMissing {
        /// Path of the certificate.
        certificate: PathBuf,
        /// Path of the key.
        key: PathBuf,
    },
    /// The authority's key cannot be used.
    #[error("{} holds no usable private key: {reason}", path.display())]
    KeyDamaged {
        /// Path of the key.
        path: PathBuf,
        /// Why.
        reason: rcgen::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A certificate cannot be sealed for the store.
    #[error("cannot seal a certificate: {0}")]
    Seal(#[from] Unsealable),
    /// The store takes no writes now.
    #[error("the store takes no writes now: the certificate before stays")]
    ReadOnly,
    /// Other control planes wrote the same certificate again and again.
    #[error("the certificate of {0} is being changed by other control planes")]
    Contended(String),
    /// A certificate could not be made.
    #[error("cannot issue a certificate: {0}")]
    Issue(#[from] rcgen::Error),
}

/// The authority, with its folder.
pub struct Authority {
    root: Root,
    leaves: PathBuf,
    /// Where they are shared with other control planes.
    shared: Option<Leaves>,
    served: Mutex<BTreeMap<String, Served>>,
    /// Changes whenever certificates should be asked for again.
    generation: AtomicU64,
    /// Whether the last request could not be met.
    owes: Mutex<bool>,
    /// A certificate was renewed on demand.
    renewed: Notify,
}

/// A certificate that is served.
struct Served {
    leaf: Leaf,
    /// The revision of the store that it is from; `None`: it is not there, or not yet.
    modified: Option<Revision>,
}

/// A certificate as it was issued, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The ARN that it was issued for.
    pub arn: String,
    /// The certificate, PEM.
    pub chain: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("leaves", &self.leaves)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority in a folder, and makes folder, key and certificate if there are none yet.
    ///
    /// # Errors
    /// A file cannot be read or written, or is no key, or is not its owner's alone.
    pub fn open(folder: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let leaves = folder.join("leaf");
        private_file::make_folder(folder)?;
        private_file::make_folder(&leaves)?;
        Ok(Self {
            root: Root::open(folder, now)?,
            leaves,
            shared: None,
            served: Mutex::default(),
            generation: AtomicU64::new(0),
            owes: Mutex::new(false),
            renewed: Notify::new(),
        })
    }

    /// The authority's certificate, PEM.
    pub fn root(&self) -> &str {
        self.root.certificate()
    }

    /// Certificates for some ARNs, each good for the names beside it, and the authority's own. One that is there already is
    /// given again, unless it lacks a name or expires within 30 days.
    ///
    /// Blocks on files.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn secrets(
        &self,
        wanted: &BTreeMap<&str, &BTreeSet<String>>,
        now: SystemTime,
    ) -> Result<Secrets, AuthorityError> {
        let certificates: Result<_, AuthorityError> = wanted
            .iter()
            .map(|(arn, names)| {
                let certificate = match &self.shared {
                    Some(leaves) => self.shared_certificate(leaves, arn, names, now)?,
                    None => self.certificate(arn, names, now)?,
                };
                Ok(((*arn).to_owned(), certificate))
            })
            .collect();
        *self.owes.lock().unwrap_or_else(PoisonError::into_inner) = certificates.is_err();
        Ok(Secrets {
            certificates: certificates?,
            root: Some(self.root().to_owned()),
            authorities: BTreeMap::new(),
        })
    }

    /// The certificate of one ARN, good for some names: the one in the folder, unless it lacks a name or expires within 30 days.
    ///
    /// Blocks on files.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn certificate(
        &self,
        arn: &str,
        names: &BTreeSet<String>,
        now: SystemTime,
    ) -> Result<ferromesh_emit::Certificate, AuthorityError> {
        // Held while the file is written: two requests for one ARN must not issue two certificates.
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match served.remove(arn) {
            Some(served) => Some(served.leaf),
            None => Leaf::read(&self.leaves, arn)?,
        };
        let leaf = match (Reason::to_issue(known.as_ref(), names, &self.root, now), known) {
            (None, Some(leaf)) => leaf,
            (reason, known) => {
                let leaf = self.issue(arn, names, known.as_ref(), reason, now)?;
                leaf.write(&self.leaves)?;
                leaf
            }
        };
        let certificate = leaf.certificate();
        served.insert(arn.to_owned(), Served { leaf, modified: None });
        Ok(certificate)
    }

    fn issue(
        &self,
        arn: &str,
        names: &BTreeSet<String>,
        before: Option<&Leaf>,
        reason: Option<Reason>,
        now: SystemTime,
    ) -> Result<Leaf, AuthorityError> {
        let reason = reason.unwrap_or(Reason::NoneYet);
        let leaf = Leaf::issue(arn, names, before, &self.root, now)?;
        tracing::info!(
            arn,
            names = ?leaf.names(),
            reason = %reason,
            "certificate ARN is not imported: serving one issued by the built-in CA"
        );
        Ok(leaf)
    }

    /// Begins a new generation if a certificate should be renewed, or could not be issued.
    pub fn review(&self, now: SystemTime) {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let owes = *self.owes.lock().unwrap_or_else(PoisonError::into_inner);
        if owes || served.values().any(|known| known.leaf.expires_soon(now)) {
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The certificates that were asked for since the start.
    pub fn issued(&self) -> Vec<Issued> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = |(arn, known): (&String, &Served)| Issued {
            arn: arn.clone(),
            chain: known.leaf.certificate().chain,
        };
        served.iter().map(issued).collect()
    }

    /// Issues the certificate of an ARN anew, with a new key, and begins a new generation; `None` if none was issued yet.
    ///
    /// Blocks on files.
    ///
    /// # Errors
    /// A file cannot be read or written; the certificate before stays.
    pub fn renew(&self, arn: &str, now: SystemTime) -> Result<Option<Issued>, AuthorityError> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        // The one in memory stays until the new one is kept.
        let shared = self.shared.as_ref().filter(|_| leaves::is_shared(arn));
        let known = shared.map(|leaves| leaves.get(arn)).transpose()?;
        let known = known.unwrap_or_default();
        let before = match known.leaf {
            Some(leaf) => Some(leaf),
            None => Leaf::read(&self.leaves, arn)?,
        };
        let Some(before) = before else {
            return Ok(None);
        };
        let leaf = Leaf::issue(arn, &BTreeSet::new(), Some(&before), &self.root, now)?;
        let modified = match shared.map(|leaves| leaves.put(&leaf, known.modified)).transpose()? {
            None => None,
            Some(Put::Stored(revision)) => Some(revision),
            Some(Put::Late) => return Err(AuthorityError::Contended(arn.to_owned())),
            Some(Put::NotNow) => return Err(AuthorityError::ReadOnly),
        };
        leaf.write(&self.leaves)?;
        let issued = Issued {
            arn: arn.to_owned(),
            chain: leaf.certificate().chain,
        };
        served.insert(arn.to_owned(), Served { leaf, modified });
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.renewed.notify_one();
        Ok(Some(issued))
    }

    /// Returns when a certificate was renewed on demand: whoever serves it should ask again.
    pub async fn renewal(&self) {
        self.renewed.notified().await;
    }

    /// A number that changes when certificates should be asked for again.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
