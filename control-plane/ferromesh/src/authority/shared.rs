//! The authority's root in the store, sealed: all control planes over one store issue certificates of one authority, and a
//! backup of the store brings it back.
//!
//! The first control plane puts its root there; every other one takes it over into its own folder. It is sealed with the
//! first key of the secret key file, so all of them need the same file.

use std::path::{Path, PathBuf};

use ferromesh_store::{Change, Compare, Store, StoreError, Stored, Transaction};
use serde::{Deserialize, Serialize};

use super::{private_file, root::Root, AuthorityError};
use crate::certificates::keyring::{Keyring, Sealed, Unsealable};

/// Key of the root in the store.
pub const KEY: &str = "authority/root";

/// Attempts at being the first.
const ATTEMPTS: usize = 8;

/// What kept the root from being shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The folder.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no authority yet, and the one that would be made could not be shared.
    #[error(
        "there is no certificate authority yet, and the store takes no writes now ({0}): another control plane would make \
         another one. Start again when the store takes writes"
    )]
    NotNow(String),
    /// The store's root is sealed with a key that is not here.
    #[error(
        "the certificate authority in the store cannot be opened: {0}. All control planes over one store, and whoever \
         restores a backup of it, need the same secret key file (--secret-key-file)"
    )]
    OtherKey(Unsealable),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SharedRoot {
    certificate: String,
    key: Sealed,
}

/// Makes folder and store have the same root: the store's, if it has one. Blocks.
///
/// # Errors
/// [`ShareError::OtherKey`] when the store's root cannot be opened; folder or store failed.
pub fn share(
    folder: &Path,
    store: &dyn Store,
    keyring: &Keyring,
    now: std::time::SystemTime,
) -> Result<(), ShareError> {
    private_file::make_folder(folder)?;
    let (key_path, certificate_path) = (folder.join("root.key"), folder.join("root.pem"));
    let has_one = key_path.exists() || certificate_path.exists();
    for _ in 0..ATTEMPTS {
        if let Some(stored) = store.get(KEY)? {
            return take_over(folder, store, keyring, &stored);
        }
        let root = Root::open(folder, now)?;
        let certificate = root.certificate().to_owned();
        let pem = private_file::read(&key_path)?.unwrap_or_default();
        let key = keyring
            .seal(&pem, &context(&certificate))
            .map_err(ShareError::OtherKey)?;
        match put(store, &SharedRoot { certificate, key }, None) {
            // Another control plane was first: its root is taken over.
            Err(StoreError::Conflict(_)) => {}
            Err(StoreError::Unavailable(reason)) if !has_one => {
                // Whoever kept it would have issued by it before the store has another one.
                for path in [&certificate_path, &key_path] {
                    remove(path)?;
                }
                return Err(ShareError::NotNow(reason));
            }
            Err(StoreError::Unavailable(reason)) => {
                tracing::warn!(reason, "the certificate authority is not in the store yet");
                return Ok(());
            }
            done => return Ok(done?),
        }
    }
    Err(StoreError::Conflict(KEY.to_owned()).into())
}

fn take_over(folder: &Path, store: &dyn Store, keyring: &Keyring, stored: &Stored) -> Result<(), ShareError> {
    let shared: SharedRoot = ferromesh_store::catalog::read(stored)?;
    let (key_path, certificate_path) = (folder.join("root.key"), folder.join("root.pem"));
    let own = std::fs::read_to_string(&certificate_path).ok();
    let pem = match keyring.open(&shared.key, &context(&shared.certificate)) {
        Ok(pem) => pem,
        Err(error) => return Err(ShareError::OtherKey(error)),
    };
    if !keyring.is_newest(&shared.key) {
        let key = keyring
            .seal(&pem, &context(&shared.certificate))
            .map_err(ShareError::OtherKey)?;
        let certificate = shared.certificate.clone();
        match put(store, &SharedRoot { certificate, key }, Some(stored)) {
            Ok(()) => {
                tracing::info!("the certificate authority is sealed anew with the first key of the secret key file")
            }
            // Another control plane did it, or the next start does.
            Err(StoreError::Conflict(_) | StoreError::Unavailable(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if own.as_ref() == Some(&shared.certificate) && key_path.exists() {
        return Ok(());
    }
    if own.is_some_and(|own| own != shared.certificate) {
        // Clients may trust it: it is kept, and not used.
        for path in [&certificate_path, &key_path] {
            set_aside(path)?;
        }
        tracing::warn!(
            folder = %folder.display(),
            "the certificate authority of this folder is replaced by that of the store; the one before is kept as *.before"
        );
    }
    private_file::write(&key_path, &pem, 0o600)?;
    private_file::write(&certificate_path, &shared.certificate, 0o644)?;
    Ok(())
}

fn remove(path: &Path) -> Result<(), AuthorityError> {
    std::fs::remove_file(path).map_err(|source| AuthorityError::File {
        action: "remove",
        path: path.to_owned(),
        source,
    })
}

fn set_aside(path: &PathBuf) -> Result<(), AuthorityError> {
    let mut name = path.clone().into_os_string();
    name.push(".before");
    match std::fs::rename(path, name) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(AuthorityError::File {
            action: "rename",
            path: path.clone(),
            source,
        }),
        _ => Ok(()),
    }
}

fn put(store: &dyn Store, root: &SharedRoot, before: Option<&Stored>) -> Result<(), StoreError> {
    let value = serde_json::to_vec(root).map_err(|error| StoreError::Engine(error.into()))?;
    let compares = vec![Compare::Unchanged {
        key: KEY.to_owned(),
        modified: before.map(|stored| stored.modified),
    }];
    let changes = vec![Change::put(KEY, value)];
    store.commit(Transaction { compares, changes }).map(drop)
}

/// The key is sealed for its certificate: with another one it does not open.
fn context(certificate: &str) -> Vec<u8> {
    [KEY.as_bytes(), b"\n", certificate.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use ferromesh_store::RedbStore;

    use super::*;
    use crate::authority::Authority;

    fn keyring(path: &Path) -> Keyring {
        Keyring::open_file(path, true).unwrap()
    }

    #[test]
    fn control_planes_over_one_store_have_one_authority() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("s.redb")).unwrap();
        let ring = keyring(&folder.path().join("secret.key"));
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let now = SystemTime::now();
        // The second had one of its own before.
        let before = Authority::open(&b, now).unwrap().root().to_owned();
        for of in [&a, &b, &a] {
            share(of, &store, &ring, now).unwrap();
        }
        let (first, second) = (Authority::open(&a, now).unwrap(), Authority::open(&b, now).unwrap());
        assert_eq!(first.root(), second.root());
        assert_ne!(first.root(), before);
        assert_eq!(std::fs::read_to_string(b.join("root.pem.before")).unwrap(), before);
        let key = std::fs::read_to_string(a.join("root.key")).unwrap();
        assert_eq!(std::fs::read_to_string(b.join("root.key")).unwrap(), key);
        let stored = store.get(KEY).unwrap().unwrap();
        let secret = key.lines().nth(1).unwrap();
        assert!(!String::from_utf8_lossy(&stored.value).contains(secret), "sealed");
    }

    #[test]
    fn another_secret_key_file_is_refused_and_a_new_first_key_seals_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("s.redb")).unwrap();
        let path = folder.path().join("secret.key");
        let a = folder.path().join("a");
        share(&a, &store, &keyring(&path), SystemTime::now()).unwrap();
        let other = keyring(&folder.path().join("other.key"));
        let refused = share(&folder.path().join("b"), &store, &other, SystemTime::now()).unwrap_err();
        assert!(refused.to_string().contains("same secret key file"), "{refused}");
        assert!(!folder.path().join("b/root.key").exists());

        let old = std::fs::read_to_string(&path).unwrap();
        let new = "07".repeat(32);
        std::fs::write(&path, format!("{new}\n{old}")).unwrap();
        share(&a, &store, &keyring(&path), SystemTime::now()).unwrap();
        std::fs::write(&path, &new).unwrap();
        share(&folder.path().join("c"), &store, &keyring(&path), SystemTime::now()).unwrap();
    }
}
