//! Envoy is asked about a candidate before anybody is given it.

use std::sync::Arc;

use serde_json::json;

use super::{millis, unix, Running, Shared};
use crate::rollout::{
    validate::{Judgement, Part},
    wave::Candidate,
};

impl Shared {
    /// Whether Envoy is asked: not again, and not where somebody has said that everybody shall have it.
    pub fn is_to_be_judged(&self, running: &Running, candidate: &Candidate) -> bool {
        self.validator.is_some() && running.judged.as_ref() != Some(&candidate.id) && !running.mesh.is_forced(candidate)
    }

    /// Whether another control plane is trying something: then there is nothing to ask yet.
    pub fn is_elsewhere(&self, running: &Running) -> bool {
        self.settings.is_shared && running.record.is_claimed_by_another(&self.me, millis(unix()))
    }

    /// Asks Envoy; whether the candidate may be begun. If not, everything is done.
    pub async fn judge(self: &Arc<Self>, mesh: &str, candidate: &Candidate) -> bool {
        let Some(validator) = &self.validator else { return true };
        let judgement = validator.judge(self.parts(mesh, candidate)).await;
        let mut state = self.lock();
        let Some(running) = state.meshes.get_mut(mesh) else {
            return false;
        };
        match judgement {
            Judgement::Takes => {}
            Judgement::Unknown(reason) => {
                tracing::warn!(
                    mesh,
                    candidate = candidate.id,
                    reason,
                    "Envoy has not validated a candidate; it is tried all the same"
                );
                self.events.add(
                    "unvalidated",
                    mesh,
                    json!({"candidate": candidate.id, "reason": reason}),
                );
            }
            Judgement::Refuses(reason) => {
                running.is_starting = false;
                let effects = running.mesh.refuse(candidate, reason);
                self.apply(mesh, running, effects);
                running.drop_candidate(candidate);
                self.wake.notify_one();
                return false;
            }
        }
        if !running.mesh.may_be_tried(candidate) {
            // It was changed back, or paused, while Envoy looked at it.
            running.is_starting = false;
            running.drop_candidate(candidate);
            self.wake.notify_one();
            return false;
        }
        running.judged = Some(candidate.id.clone());
        true
    }

    /// What the proxies of a candidate would get, and what they have.
    fn parts(&self, mesh: &str, candidate: &Candidate) -> Vec<Part> {
        let state = self.lock();
        let Some(running) = state.meshes.get(mesh) else {
            return Vec::new();
        };
        let parts = candidate.keys.keys().filter_map(|key| {
            let content = running.contents.get(key)?;
            Some(Part {
                key: key.clone(),
                candidate: Arc::clone(&content.candidate.as_ref()?.snapshot),
                accepted: content.accepted.as_ref().map(|kind| Arc::clone(&kind.snapshot)),
            })
        });
        parts.collect()
    }
}
