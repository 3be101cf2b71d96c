//! The way of a candidate to its first stream: claimed, begun.

use std::{sync::Arc, time::Duration};

use super::{unix, Running, Shared};
use crate::{
    identity::ProxyKey,
    rollout::{
        record::{self, Trial},
        wave::Candidate,
    },
};

/// How soon a mesh that another control plane tries something in is looked at again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// What a trial may take beyond its stages' time before other control planes take the mesh over.
const CLAIM_MARGIN: Duration = Duration::from_secs(30);

impl Shared {
    /// Begins what could be tried: at once, if it concerns one stream and nothing has to be asked before.
    pub fn propose(self: &Arc<Self>, mesh: &str, running: &mut Running, worth: &dyn Fn(&ProxyKey, &str) -> u64) {
        let now = self.now();
        if running.is_starting || now < running.wait_until {
            return;
        }
        let Some(candidate) = running.mesh.proposal() else {
            return;
        };
        let is_alone = running.mesh.concerned(&candidate) <= 1;
        if is_alone && !self.settings.is_shared {
            if running.capture(&candidate) {
                let effects = running.mesh.start(now, &candidate, worth);
                self.apply(mesh, running, effects);
            }
            return;
        }
        running.is_starting = true;
        let (shared, mesh) = (Arc::clone(self), mesh.to_owned());
        tokio::spawn(async move { shared.begin(mesh, candidate).await });
    }

    async fn begin(self: Arc<Self>, mesh: String, candidate: Candidate) {
        let claimed = self.claim(&mesh, &candidate).await;
        let now = self.now();
        let mut state = self.lock();
        let super::State { meshes, reports, .. } = &mut *state;
        let Some(running) = meshes.get_mut(&mesh) else { return };
        running.is_starting = false;
        let is_ours = claimed.unwrap_or_else(|error| {
            tracing::warn!(%error, mesh, "a trial cannot be stored; it goes on without");
            true
        });
        if !is_ours {
            running.wait_until = now + ASK_AGAIN;
            return;
        }
        if running.capture(&candidate) {
            let worth = |key: &ProxyKey, instance: &str| reports.worth(now, key, instance);
            let effects = running.mesh.start(now, &candidate, &worth);
            if effects.is_empty() {
                running.drop_candidate(&candidate);
            }
            self.apply(&mesh, running, effects);
        }
        self.wake.notify_one();
    }

    /// Tells other control planes, and this one after a restart, that something is on trial. Whether it may be.
    async fn claim(self: &Arc<Self>, mesh: &str, candidate: &Candidate) -> anyhow::Result<bool> {
        let now = unix();
        let long = 3 * (super::SILENCE + self.settings.observe) + CLAIM_MARGIN;
        let trial = Trial {
            id: candidate.id.clone(),
            owner: self.me.clone(),
            until_unix_millis: millis(now + long),
            marks: record::written(candidate.marks()),
        };
        let (shared, name) = (Arc::clone(self), mesh.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            record::change(shared.store.as_ref(), &name, |record| {
                if !record.is_claimed_by_another(&shared.me, millis(now)) {
                    record.trial = Some(trial.clone());
                }
            })
        });
        let record = written.await??;
        let is_ours = record.trial.as_ref().is_some_and(|trial| trial.owner == self.me);
        self.note_record(mesh, record);
        Ok(is_ours)
    }
}

impl Running {
    fn drop_candidate(&mut self, candidate: &Candidate) {
        for key in candidate.keys.keys() {
            if let Some(content) = self.contents.get_mut(key) {
                content.candidate = None;
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
