//! Whether the store has gone back: to a file of before, put in the place of the newer one. What it comes to is then older
//! than what proxies run, and nobody's wish before somebody says so.
//!
//! A store cannot tell that it has gone back, so the highest revision that was served stands beside it, in a file of the
//! data folder. A restore goes forward ([`ferromesh_store::backup::JUMP`]), and so is no going back. etcd's copy watches over
//! this by itself, see decision 0027.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use ferromesh_store::{backup::JUMP, Revision, Store};
use serde::{Deserialize, Serialize};

/// How often the file is written at most. What was served in the last seconds before a crash can go back unseen.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// What was served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Served {
    /// The highest revision of the store, as it is.
    revision: Revision,
    /// What had been served before it went back, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone_back_from: Option<Revision>,
    /// Meshes that are served nevertheless.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    approved: BTreeSet<String>,
}

impl Served {
    /// What holds for a store at this revision.
    fn opened(mut self, now: Revision) -> Self {
        if now < self.revision {
            self.gone_back_from = self.gone_back_from.max(Some(self.revision));
            self.approved.clear();
        } else if self.gone_back_from.is_some() && now - self.revision >= JUMP / 2 {
            // Only a restore goes so far.
            self.gone_back_from = None;
            self.approved.clear();
        }
        self.revision = now;
        self
    }
}

/// The watch over a store.
#[derive(Debug)]
pub(super) struct Older {
    /// `None`: nothing is remembered.
    path: Option<PathBuf>,
    state: Mutex<State>,
    /// One writes the file at a time.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    served: Served,
    written: Served,
    write_at: Duration,
}

impl Older {
    /// Over a store; what was served before stands in the file.
    pub fn over(store: &dyn Store, path: Option<PathBuf>) -> Self {
        match store.revision() {
            Ok(revision) => Self::open(path, revision),
            Err(error) => {
                tracing::error!(%error, "the store's revision cannot be read: an older store would not be noticed");
                Self::open(None, 0)
            }
        }
    }

    fn open(path: Option<PathBuf>, revision: Revision) -> Self {
        let known = path.as_deref().map(read).transpose();
        let known = known.unwrap_or_else(|error| {
            tracing::error!(
                error = format!("{error:#}"),
                "what was served before is not known: an older store would not be noticed"
            );
            None
        });
        let known = known.flatten().unwrap_or_default();
        let served = known.clone().opened(revision);
        if let Some(before) = served.gone_back_from {
            tracing::error!(
                revision,
                served = before,
                "the store has gone back; proxies keep what they have until `ferromesh rollout approve` or `ferromesh restore`"
            );
        }
        let older = Self {
            path,
            state: Mutex::new(State {
                served,
                written: known,
                write_at: Duration::ZERO,
            }),
            writing: Mutex::default(),
        };
        older.keep();
        older
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a mesh is not served, if it is not.
    pub fn reason(&self, mesh: &str) -> Option<String> {
        let state = self.lock();
        let before = state
            .served
            .gone_back_from
            .filter(|_| !state.served.approved.contains(mesh))?;
        Some(format!(
            "the store is older than what was served: it has been at revision {before}"
        ))
    }

    /// Somebody wants a mesh served as it is now.
    pub fn approve(&self, mesh: &str) {
        {
            let mut state = self.lock();
            if state.served.gone_back_from.is_none() {
                return;
            }
            state.served.approved.insert(mesh.to_owned());
        }
        self.keep();
    }

    /// The store is at this revision now. Whether the file is to be written.
    pub fn advance(&self, now: Duration, revision: Revision) -> bool {
        let mut state = self.lock();
        state.served.revision = state.served.revision.max(revision);
        let is_due = self.path.is_some() && state.served != state.written && now >= state.write_at;
        if is_due {
            state.write_at = now + WRITTEN_EVERY;
        }
        is_due
    }

    /// Writes the file, if there is something to write. Blocks on the disk.
    pub fn keep(&self) {
        let Some(path) = &self.path else { return };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let served = {
            let state = self.lock();
            if state.served == state.written {
                return;
            }
            state.served.clone()
        };
        match write(path, &served) {
            Ok(()) => self.lock().written = served,
            Err(error) => tracing::warn!(error = format!("{error:#}"), "what is served cannot be remembered"),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Served>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let served = serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Some(served))
}

fn write(path: &Path, served: &Served) -> anyhow::Result<()> {
    let folder = path.parent().context("the file has no folder")?;
    let mut file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("a file in {}", folder.display()))?;
    file.write_all(&serde_json::to_vec(served)?)?;
    file.persist(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(folder: &Path, revision: Revision) -> Older {
        Older::open(Some(folder.join("served.json")), revision)
    }

    #[test]
    fn a_store_that_goes_back_is_noticed_and_stays_so_however_far_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let older = opened(folder.path(), 100);
        assert_eq!(older.reason("m"), None, "the first time");
        assert!(older.advance(WRITTEN_EVERY, 150));
        assert!(!older.advance(WRITTEN_EVERY, 151), "not so often");
        older.keep();
        let older = opened(folder.path(), 90);
        assert!(older
            .reason("m")
            .is_some_and(|reason| reason.contains("at revision 151")));
        older.advance(WRITTEN_EVERY, 500);
        older.keep();
        let older = opened(folder.path(), 500);
        assert!(older.reason("m").is_some(), "nobody has said anything");
    }

    #[test]
    fn somebody_approves_a_mesh_and_no_other_until_it_goes_back_again() {
        let folder = tempfile::tempdir().unwrap();
        drop(opened(folder.path(), 100));
        opened(folder.path(), 90).approve("m");
        let older = opened(folder.path(), 95);
        assert_eq!(older.reason("m"), None);
        assert!(older.reason("other").is_some());
        older.approve("other");
        assert_eq!(older.reason("other"), None);
        drop(older);
        assert!(opened(folder.path(), 80).reason("m").is_some());
    }

    #[test]
    fn a_restore_goes_forward_and_is_somebodys_wish() {
        let folder = tempfile::tempdir().unwrap();
        drop(opened(folder.path(), 100));
        assert!(opened(folder.path(), 90).reason("m").is_some());
        assert_eq!(opened(folder.path(), 90 + JUMP).reason("m"), None);
        assert_eq!(opened(folder.path(), 95 + JUMP).reason("m"), None);
        drop(opened(folder.path(), 96 + JUMP));
        assert_eq!(opened(folder.path(), 96 + 2 * JUMP).reason("m"), None, "restored again");
    }

    #[test]
    fn a_file_that_cannot_be_read_holds_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("served.json"), "{").unwrap();
        assert_eq!(opened(folder.path(), 1).reason("m"), None);
    }
}
