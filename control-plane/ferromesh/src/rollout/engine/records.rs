//! A mesh's record, in memory and in the store. What is decided holds here at once, and whatever is read before it is written
//! does not undo it: or what was rejected would be tried again by a race.

use std::{sync::Arc, time::Duration};

use ferromesh_store::{Revision, StoreError};
use tokio::sync::mpsc;

use super::{Running, Shared};
use crate::rollout::{
    record::{self, Record, Rejected},
    wave::Mark,
};

/// When a write that the store took no part of is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How a candidate has ended.
#[derive(Clone, Debug)]
pub(in crate::rollout) struct Ending {
    /// The candidate.
    pub id: String,
    /// That it was rejected, if it was.
    pub rejected: Option<Rejected>,
}

impl Ending {
    fn enter(&self, record: &mut Record) {
        if record.trial.as_ref().is_some_and(|trial| trial.id == self.id) {
            record.trial = None;
        }
        if let Some(rejected) = &self.rejected {
            record.reject(rejected.clone());
        }
    }
}

/// An ending that is to be written: of which mesh, and its number.
pub(in crate::rollout) type Write = (String, u64, Ending);

/// Endings of a mesh that are not in the store yet, by number.
#[derive(Default)]
pub(in crate::rollout) struct Unsettled {
    endings: Vec<(u64, Ending)>,
    last: u64,
    /// The revision in which what was read last was written.
    read: Option<Revision>,
}

impl Unsettled {
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.endings.is_empty()
    }

    /// Somebody has decided otherwise about a candidate.
    pub fn drop_all_of(&mut self, id: &str) {
        self.endings.retain(|(_, ending)| ending.id != id);
    }
}

impl Running {
    /// What is remembered has become something else; `modified`: the revision in which it was written.
    pub fn note_record(&mut self, mut record: Record, modified: Option<Revision>, me: &str) {
        if modified < self.unsettled.read {
            // Somebody was faster, and has read what came after it.
            return;
        }
        self.unsettled.read = modified;
        for (_, ending) in &self.unsettled.endings {
            ending.enter(&mut record);
        }
        if self.record == record {
            return;
        }
        let before = self.record.trial.as_ref().filter(|trial| trial.owner != me);
        let was_on_trial = before.map(|_| self.record.trial_marks()).unwrap_or_default();
        self.mesh.rejected = record.rejected_marks();
        self.mesh.on_trial = record.trial_marks();
        self.mesh.is_paused = record.is_paused;
        // Another control plane is done with it, and has not rejected it.
        let is_over = |mark: &&Mark| !self.mesh.on_trial.contains(mark) && !self.mesh.rejected.contains(mark);
        let accepted: Vec<_> = was_on_trial.iter().filter(is_over).copied().collect();
        self.mesh.forced.extend(accepted);
        self.record = record;
        // What is held back, or was never accepted, is looked at again.
        for content in self.contents.values_mut() {
            content.is_stale = true;
        }
    }
}

impl Shared {
    /// What has become of a candidate holds from now on, and is written later.
    pub fn settle(&self, mesh: &str, running: &mut Running, ending: Ending) {
        ending.enter(&mut running.record);
        let unsettled = &mut running.unsettled;
        unsettled.last += 1;
        unsettled.endings.push((unsettled.last, ending.clone()));
        // Nobody receives after the end, when nothing is decided either.
        let _ = self.writes.send((mesh.to_owned(), unsettled.last, ending));
    }

    /// Endings that are to be written, one after the other.
    pub async fn write(self: Arc<Self>, mut to_write: mpsc::UnboundedReceiver<Write>) {
        while let Some((mesh, number, ending)) = to_write.recv().await {
            let mut wait = Duration::ZERO;
            loop {
                tokio::time::sleep(wait).await;
                let (shared, mesh, ending) = (Arc::clone(&self), mesh.clone(), ending.clone());
                let written = tokio::task::spawn_blocking(move || shared.write_one(&mesh, number, &ending));
                match written.await {
                    Ok(Ok(())) => break,
                    Ok(Err(error @ (StoreError::Unavailable(_) | StoreError::Unsettled(_)))) => {
                        tracing::warn!(%error, "what was decided on a rollout cannot be stored; it is tried again");
                        wait = AGAIN_AFTER;
                    }
                    Ok(Err(error)) => {
                        tracing::error!(%error, "what was decided on a rollout cannot be stored");
                        break;
                    }
                    Err(error) => {
                        tracing::error!(%error, "storing what was decided on a rollout was interrupted");
                        break;
                    }
                }
            }
        }
    }

    fn write_one(&self, mesh: &str, number: u64, ending: &Ending) -> Result<(), StoreError> {
        let is_void = {
            let state = self.lock();
            let running = state.meshes.get(mesh);
            running.is_some_and(|running| running.unsettled.endings.iter().all(|(known, _)| *known != number))
        };
        if is_void {
            return Ok(());
        }
        let (record, modified) = record::change(self.store.as_ref(), mesh, |record| ending.enter(record))?;
        let mut state = self.lock();
        if let Some(running) = state.meshes.get_mut(mesh) {
            running.unsettled.endings.retain(|(known, _)| *known != number);
            running.note_record(record, modified, &self.me);
        }
        self.wake.notify_one();
        Ok(())
    }

    /// What other control planes have written.
    pub async fn read_records(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let names: Vec<String> = shared.lock().meshes.keys().cloned().collect();
            for mesh in names {
                match record::read_at(shared.store.as_ref(), &mesh) {
                    Ok((record, modified)) => shared.note_record(&mesh, record, modified),
                    Err(error) => tracing::warn!(%error, mesh, "what is remembered of rollouts cannot be read"),
                }
                shared.read_accepted(&mesh);
            }
        });
        if let Err(error) = read.await {
            tracing::error!(%error, "reading what is remembered of rollouts was interrupted");
        }
    }

    /// The same for one mesh.
    pub fn note_record(&self, mesh: &str, record: Record, modified: Option<Revision>) {
        let mut state = self.lock();
        if let Some(running) = state.meshes.get_mut(mesh) {
            running.note_record(record, modified, &self.me);
            self.wake.notify_one();
        }
    }
}
