//! The folder outside of the repository where fetched things stay, shared by all clones and all runs.
//!
//! Writers hold a lock per thing, so that runs that start together fetch once. Readers need no lock: a thing
//! gets its final name, or its stamp, only when it is whole.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::progress;

/// The cache folder.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$FERROMESH_CACHE`, else `$XDG_CACHE_HOME/ferromesh`, else `~/.cache/ferromesh`; made if missing.
    pub fn open() -> Result<Self> {
        let root = match (env::var_os("FERROMESH_CACHE"), env::var_os("XDG_CACHE_HOME")) {
            (Some(folder), _) if !folder.is_empty() => env::current_dir()?.join(folder),
            (_, Some(folder)) if Path::new(&folder).is_absolute() => Path::new(&folder).join("ferromesh"),
            _ => env::home_dir()
                .context("no home folder for the cache; set FERROMESH_CACHE")?
                .join(".cache/ferromesh"),
        };
        Self::at(root)
    }

    /// A cache in this folder, made if missing.
    pub fn at(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root).with_context(|| {
            format!(
                "cannot make the cache folder {}; set FERROMESH_CACHE to one that can be written",
                root.display()
            )
        })?;
        Ok(Self { root })
    }

    /// A path inside the cache.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Waits until nobody else makes `thing`, and keeps others waiting until the lock is dropped.
    /// The kernel drops it too when the process dies.
    pub fn lock(&self, thing: &str) -> Result<Lock> {
        let path = self.root.join(format!("{thing}.lock"));
        let file = File::create(&path).with_context(|| format!("cannot make the lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress::step(format!("{thing}: another run is making it; waiting"));
                file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        Ok(Lock { _file: file })
    }
}

/// Held while something is being made.
pub struct Lock {
    _file: File,
}

/// The sha256 of some bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("ferromesh xtask {name} {}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn only_one_at_a_time_holds_the_lock_of_a_thing() {
        let folder = scratch("lock");
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = Cache::at(folder.clone()).unwrap();
                    let _lock = cache.lock("thing").unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn sha256_is_the_published_one_of_abc() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
