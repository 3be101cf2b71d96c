//! The way of a candidate to its first stream: validated, claimed, begun.

use std::{sync::Arc, time::Duration};

use super::{millis, unix, Running, Shared};
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
        let is_judged = self.is_to_be_judged(running, &candidate);
        if is_judged && (self.is_elsewhere(running) || !running.capture(&candidate)) {
            running.wait_until = now + ASK_AGAIN;
            return;
        }
        let is_alone = running.mesh.concerned(&candidate) <= 1;
        if is_alone && !self.settings.is_shared && !is_judged {
            if running.capture(&candidate) {
                let effects = running.mesh.start(now, &candidate, worth);
                self.apply(mesh, running, effects);
            }
            return;
        }
        running.is_starting = true;
        let (shared, mesh) = (Arc::clone(self), mesh.to_owned());
        tokio::spawn(async move {
            if !is_judged || shared.judge(&mesh, &candidate).await {
                shared.begin(mesh, candidate).await;
            }
        });
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
            running.drop_candidate(&candidate);
            return;
        }
        // What was judged took its time, and is begun whatever has been published meanwhile: or a trickle of changes would
        // keep everything back.
        let is_judged = running.judged.as_ref() == Some(&candidate.id);
        if running.is_captured(&candidate) || running.capture(&candidate) {
            let worth = |key: &ProxyKey, instance: &str| reports.worth(now, key, instance);
            let effects = match is_judged {
                true => running.mesh.start_judged(now, &candidate, &worth),
                false => running.mesh.start(now, &candidate, &worth),
            };
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
        let (record, modified) = written.await??;
        let is_ours = record.trial.as_ref().is_some_and(|trial| trial.owner == self.me);
        self.note_record(mesh, record, modified);
        Ok(is_ours)
    }
}

impl Running {
    /// Whether what is to be tried is kept already.
    fn is_captured(&self, candidate: &Candidate) -> bool {
        candidate.keys.iter().all(|(key, fingerprint)| {
            let kept = self.contents.get(key).and_then(|content| content.candidate.as_ref());
            kept.is_some_and(|kept| kept.fingerprint == *fingerprint)
        })
    }

    pub fn drop_candidate(&mut self, candidate: &Candidate) {
        for key in candidate.keys.keys() {
            if let Some(content) = self.contents.get_mut(key) {
                content.candidate = None;
            }
        }
    }
}
