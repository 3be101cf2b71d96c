//! Rollouts as people and programs see them: `/v1/rollouts`, and metrics.

use std::{fmt::Write, sync::Arc, time::Duration};

use ferromesh_api::MetricsSource;
use ferromesh_xds::Snapshot;
use serde_json::{json, Value};

use super::{
    engine::{unix, Running},
    Rollout,
};

/// One mesh.
pub(super) fn mesh(mesh: &str, running: &Running, now: Duration) -> Value {
    let trial = running.mesh.trial().map(|(candidate, stage, began, reached)| {
        json!({
            "id": candidate.id,
            "stage": stage,
            "stageBeganAtSeconds": (unix().saturating_sub(now.saturating_sub(began))).as_secs_f64(),
            "reached": reached,
            "streams": running.mesh.concerned(candidate),
            "proxies": candidate.keys.keys().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let held_back = running.contents.iter().filter_map(|(key, content)| {
        let held = content.held_back.as_ref()?;
        Some(json!({"id": held.id, "proxy": key.to_string(), "reason": held.reason}))
    });
    let rejected = running.record.rejected.iter().map(|rejected| {
        json!({
            "id": rejected.id,
            "reason": rejected.reason,
            "atSeconds": rejected.at_seconds,
            "proxies": rejected.proxies,
            // Whether it is still what the resources come to.
            "isNewest": running.is_newest(&rejected.marks),
        })
    });
    json!({
        "mesh": mesh,
        "isPaused": running.mesh.is_paused,
        "trial": trial,
        "heldBack": held_back.collect::<Vec<_>>(),
        "rolledBack": rejected.collect::<Vec<_>>(),
        "verdicts": running.history.iter().rev().collect::<Vec<_>>(),
    })
}

impl Running {
    fn is_newest(&self, marks: &std::collections::BTreeSet<String>) -> bool {
        self.contents.keys().any(|key| {
            let newest = self
                .mesh
                .newest(key)
                .filter(|newest| self.mesh.accepted(key) != Some(*newest));
            newest.is_some_and(|newest| marks.contains(&format!("{:016x}", super::wave::Mark::of(key, newest).0)))
        })
    }
}

impl Rollout {
    /// What a stream holds now, or is being given.
    pub fn held(&self, stream: u64) -> Option<Arc<Snapshot>> {
        let state = self.shared.lock();
        let (key, _) = state.streams.get(&stream)?;
        state.meshes.get(&key.mesh)?.held(stream, key)
    }

    /// Why a proxy does not have what its resources come to, if it does not: what is on trial, held back or rolled back.
    pub fn standing(&self, key: &crate::identity::ProxyKey) -> Option<Value> {
        let state = self.shared.lock();
        let running = state.meshes.get(&key.mesh)?;
        let (newest, accepted) = (running.mesh.newest(key)?, running.mesh.accepted(key));
        if accepted == Some(newest) {
            return None;
        }
        if let Some(held) = running.contents.get(key).and_then(|content| content.held_back.as_ref()) {
            return Some(json!({"state": "heldBack", "candidate": held.id, "reason": held.reason}));
        }
        if let Some((candidate, stage, _, reached)) = running.mesh.trial() {
            if candidate.keys.get(key) == Some(&newest) {
                return Some(
                    json!({"state": "onTrial", "candidate": candidate.id, "stage": stage, "reached": reached}),
                );
            }
        }
        let mark = format!("{:016x}", super::wave::Mark::of(key, newest).0);
        let rejected = running
            .record
            .rejected
            .iter()
            .rev()
            .find(|rejected| rejected.marks.contains(&mark));
        Some(match rejected {
            Some(rejected) => json!({"state": "rolledBack", "candidate": rejected.id, "reason": rejected.reason}),
            None => json!({"state": "waiting"}),
        })
    }
}

impl MetricsSource for Rollout {
    fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP ferromesh_rollouts_total Candidates by what became of them, since the start."
        );
        let _ = writeln!(text, "# TYPE ferromesh_rollouts_total counter");
        for (outcome, count) in self.shared.ended() {
            let _ = writeln!(
                text,
                "ferromesh_rollouts_total{{outcome=\"{}\"}} {count}",
                outcome.as_str()
            );
        }
        if let Some(validator) = &self.shared.validator {
            let _ = writeln!(
                text,
                "# HELP ferromesh_validations_total Candidates that Envoy was asked about before a proxy was given them, by what it said."
            );
            let _ = writeln!(text, "# TYPE ferromesh_validations_total counter");
            for (outcome, count) in validator.counts() {
                let _ = writeln!(text, "ferromesh_validations_total{{outcome=\"{outcome}\"}} {count}");
            }
        }
        let state = self.shared.lock();
        let count = |is: &dyn Fn(&Running) -> usize| state.meshes.values().map(is).sum::<usize>();
        let on_trial = count(&|running| usize::from(running.mesh.trial().is_some()));
        let held = count(&|running| {
            running
                .contents
                .values()
                .filter(|content| content.held_back.is_some())
                .count()
        });
        let behind = count(&|running| {
            let keys = running.contents.keys();
            keys.filter(|key| running.mesh.newest(key) != running.mesh.accepted(key))
                .count()
        });
        drop(state);
        for (name, help, value) in [
            (
                "ferromesh_rollouts_on_trial",
                "Meshes in which a candidate is on trial.",
                on_trial,
            ),
            (
                "ferromesh_rollouts_held_back",
                "Proxies whose newest configuration waits for approval.",
                held,
            ),
            (
                "ferromesh_rollouts_behind",
                "Proxies whose accepted configuration is not what the resources come to.",
                behind,
            ),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    }
}
