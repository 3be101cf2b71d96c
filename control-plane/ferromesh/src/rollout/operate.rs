//! What operators do to rollouts, and what proxies report.

use std::{sync::Arc, time::Duration};

use ferromesh_api::{ProxyReport, ReportRefused, Reporter, Rollouts, Turn, TurnRefused};
use serde_json::Value;

use super::{
    engine::{Running, Shared},
    evidence::Report,
    record::{self, Record},
    shown,
    wave::Mark,
    Rollout,
};

impl Rollouts for Rollout {
    fn list(&self) -> Vec<Value> {
        let now = self.shared.now();
        let state = self.shared.lock();
        state
            .meshes
            .iter()
            .map(|(mesh, running)| shown::mesh(mesh, running, now))
            .collect()
    }

    fn get(&self, mesh: &str) -> Option<Value> {
        let now = self.shared.now();
        let state = self.shared.lock();
        state.meshes.get(mesh).map(|running| shown::mesh(mesh, running, now))
    }

    fn turn(&self, mesh: &str, turn: &Turn) -> Result<Value, TurnRefused> {
        let marks = self.marks_of(mesh, turn)?;
        let written = record::change(self.shared.store.as_ref(), mesh, |record| change(record, turn, &marks));
        let (record, modified) = written.map_err(|error| TurnRefused::Unavailable(error.to_string()))?;
        let is_held_for_age = matches!(turn, Turn::Approve(_)) && self.is_held_for_age(mesh, &marks);
        if is_held_for_age {
            self.shared.older.approve(mesh);
        }
        {
            let mut state = self.shared.lock();
            if let Some(running) = state.meshes.get_mut(mesh) {
                if let Turn::Retry(id) | Turn::Skip(id) = turn {
                    running.unsettled.drop_all_of(id);
                }
                running.note_record(record, modified, &self.shared.me);
                if is_held_for_age {
                    running
                        .contents
                        .values_mut()
                        .for_each(|content| content.is_stale = true);
                }
                running.turn(&self.shared, mesh, turn, &marks);
            }
        }
        self.shared.wake.notify_one();
        self.get(mesh).ok_or_else(|| unknown_mesh(mesh))
    }

    fn take(&self, reporter: &Reporter, report: &ProxyReport) -> Result<(), ReportRefused> {
        let Reporter { mesh, kind, name } = reporter;
        let id = format!("mesh/{mesh}/{kind}/{name}");
        let key = self.shared.inner.proxy(&id);
        let key = key.ok_or_else(|| ReportRefused::NotYours(format!("{id:?} names no proxy")))?;
        let now = self.shared.now();
        let mut state = self.shared.lock();
        // Who has no stream here is not on trial here, and must not fill the memory.
        let is_known = state
            .meshes
            .get(&key.mesh)
            .is_some_and(|running| running.mesh.has_streams(&key));
        if !is_known {
            return Err(ReportRefused::NotNow(format!(
                "{key} has no configuration from here yet"
            )));
        }
        let said = Report {
            requests: report.requests,
            errors: report.errors,
            vm_failures: report.vm_failures,
            stalls: report.stalls,
            uptime: Duration::from_secs(report.uptime_seconds),
            is_draining: report.is_draining,
        };
        // What comes late is not taken for what was counted after a change that it knew nothing of.
        let at = now.saturating_sub(Duration::from_millis(report.age_millis));
        state.reports.take(at, &key, &report.instance, said);
        let on_trial = state.meshes.get(&key.mesh).and_then(|running| running.mesh.trial());
        if on_trial.is_some_and(|(candidate, ..)| candidate.keys.contains_key(&key)) {
            self.shared.wake.notify_one();
        }
        Ok(())
    }
}

fn unknown_mesh(mesh: &str) -> TurnRefused {
    TurnRefused::Unknown(format!("no proxy of mesh {mesh:?} is known here"))
}

impl Rollout {
    /// Whether one of these is held back because the store has gone back.
    fn is_held_for_age(&self, mesh: &str, marks: &[Mark]) -> bool {
        let state = self.shared.lock();
        let contents = state
            .meshes
            .get(mesh)
            .into_iter()
            .flat_map(|running| running.contents.values());
        let mut held = contents.filter_map(|content| content.held_back.as_ref());
        held.any(|held| held.is_older && marks.contains(&held.mark))
    }

    /// The configurations that a turn is about.
    fn marks_of(&self, mesh: &str, turn: &Turn) -> Result<Vec<Mark>, TurnRefused> {
        let state = self.shared.lock();
        let running = state.meshes.get(mesh).ok_or_else(|| unknown_mesh(mesh))?;
        let rejected = |id: &str| {
            let found = running.record.rejected.iter().find(|rejected| rejected.id == id);
            found.map(|rejected| record::parsed(&rejected.marks).collect::<Vec<_>>())
        };
        let current = |id: &str| {
            let trial = running.mesh.trial().filter(|(candidate, ..)| candidate.id == id);
            trial.map(|(candidate, ..)| candidate.marks().collect::<Vec<_>>())
        };
        let held_back = |id: &str| {
            let held = running
                .contents
                .values()
                .filter_map(|content| content.held_back.as_ref());
            let found: Vec<Mark> = held
                .filter(|held| held.id == id || id == "all")
                .map(|held| held.mark)
                .collect();
            (!found.is_empty()).then_some(found)
        };
        let (id, found, what) = match turn {
            Turn::Pause | Turn::Resume => return Ok(Vec::new()),
            Turn::Retry(id) => (id, rejected(id), "was rolled back"),
            Turn::Skip(id) => (
                id,
                current(id).or_else(|| rejected(id)),
                "is on trial or was rolled back",
            ),
            Turn::Approve(id) => (id, held_back(id), "is held back"),
        };
        found.ok_or_else(|| TurnRefused::Unknown(format!("no candidate {id:?} of mesh {mesh:?} {what}")))
    }
}

fn change(record: &mut Record, turn: &Turn, marks: &[Mark]) {
    match turn {
        Turn::Pause => record.is_paused = true,
        Turn::Resume => record.is_paused = false,
        Turn::Retry(id) | Turn::Skip(id) => record.rejected.retain(|rejected| rejected.id != *id),
        Turn::Approve(_) => record.approve(marks.iter().copied()),
    }
}

impl Running {
    fn turn(&mut self, shared: &Arc<Shared>, mesh: &str, turn: &Turn, marks: &[Mark]) {
        if let Turn::Skip(id) = turn {
            self.mesh.forced.extend(marks.iter().copied());
            if self.mesh.trial().is_some_and(|(candidate, ..)| candidate.id == *id) {
                let effects = self.mesh.accept();
                shared.apply(mesh, self, effects);
            }
        }
    }
}
