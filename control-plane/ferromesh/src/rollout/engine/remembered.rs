//! What was accepted, and which revision was served, is written down, some time later and together.

use std::{sync::Arc, time::Duration};

use ferromesh_store::Revision;

use super::{Running, Shared};
use crate::{
    identity::ProxyKey,
    rollout::{
        accepted::{self, Known, Marks},
        wave::{Fingerprint, Mark},
    },
};

/// When a write that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What of a mesh's accepted configurations is not in the store.
#[derive(Default)]
pub(in crate::rollout) struct Unwritten {
    marks: Marks,
    /// When it is to be written.
    due: Option<Duration>,
    is_writing: bool,
    /// The revision in which what was read was written.
    read: Option<Revision>,
}

impl Running {
    /// A proxy has proven to take a configuration.
    pub fn remember(&mut self, key: &ProxyKey, fingerprint: Fingerprint, now: Duration) {
        let modules = self.contents.get(key).and_then(|content| content.accepted.as_ref());
        let known = Known {
            mark: Mark::of(key, fingerprint),
            modules: modules.map_or(Mark(0), |kind| accepted::of_modules(&kind.modules)),
        };
        let proxy = Mark::of_proxy(key);
        if self.mesh.remembered.insert(proxy, known) != Some(known) {
            self.unwritten.marks.insert(proxy, known);
            let wait = accepted::collected_for(self.mesh.remembered.len());
            self.unwritten.due.get_or_insert(now + wait);
        }
    }

    /// What the store remembers has become something else.
    pub fn note_accepted(&mut self, (mut marks, read): (Marks, Option<Revision>)) {
        marks.extend(self.unwritten.marks.iter().map(|(proxy, known)| (*proxy, *known)));
        self.mesh.remembered = marks;
        self.unwritten.read = read;
        // What another control plane has accepted meanwhile need not be tried here.
        for content in self.contents.values_mut().filter(|content| content.accepted.is_none()) {
            content.is_stale = true;
        }
    }

    /// When what is known here was written.
    pub fn accepted_read(&self) -> Option<Revision> {
        self.unwritten.read
    }
}

impl Shared {
    /// What proxies have accepted at other control planes.
    pub fn read_accepted(&self, mesh: &str) {
        let known = self.lock().meshes.get(mesh).and_then(Running::accepted_read);
        match accepted::read(self.store.as_ref(), mesh, known) {
            Ok(None) => {}
            Ok(Some(read)) => {
                if let Some(running) = self.lock().meshes.get_mut(mesh) {
                    running.note_accepted(read);
                }
            }
            Err(error) => tracing::warn!(%error, mesh, "what proxies have accepted cannot be read"),
        }
    }

    /// What is served now was this revision of the store.
    pub fn note_revision(self: &Arc<Self>, revision: Revision) {
        if self.older.advance(self.now(), revision) {
            let shared = Arc::clone(self);
            tokio::task::spawn_blocking(move || shared.older.keep());
        }
    }

    /// Writes what is due of a mesh.
    pub fn write_accepted(self: &Arc<Self>, mesh: &str, running: &mut Running, now: Duration) {
        let unwritten = &mut running.unwritten;
        if unwritten.is_writing || unwritten.due.is_none_or(|due| due > now) {
            return;
        }
        unwritten.is_writing = true;
        unwritten.due = None;
        let marks = std::mem::take(&mut unwritten.marks);
        let (shared, mesh) = (Arc::clone(self), mesh.to_owned());
        tokio::task::spawn_blocking(move || {
            let written = accepted::add(shared.store.as_ref(), &mesh, &marks);
            let mut state = shared.lock();
            let Some(running) = state.meshes.get_mut(&mesh) else {
                return;
            };
            let unwritten = &mut running.unwritten;
            unwritten.is_writing = false;
            if let Err(error) = written {
                tracing::warn!(%error, mesh, "what proxies have accepted cannot be stored; it is tried again");
                for (proxy, known) in marks {
                    unwritten.marks.entry(proxy).or_insert(known);
                }
                unwritten.due = Some(shared.now() + AGAIN_AFTER);
            }
        });
    }

    /// Writes everything before the end.
    pub async fn write_all_accepted(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            let mut left = Vec::new();
            for (mesh, running) in &mut shared.lock().meshes {
                left.push((mesh.clone(), std::mem::take(&mut running.unwritten.marks)));
            }
            for (mesh, marks) in left.iter().filter(|(_, marks)| !marks.is_empty()) {
                if let Err(error) = accepted::add(shared.store.as_ref(), mesh, marks) {
                    tracing::warn!(%error, mesh, "what proxies have accepted cannot be stored: it is tried once more after the next start");
                }
            }
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "storing what proxies have accepted was interrupted");
        }
    }
}
