//! What is published, and what is decided, becomes what streams hold.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    content::{fingerprint, leaves_differ, structure, Content, Kind},
    records::Ending,
    unix, Running, Shared,
};
use crate::{
    identity::ProxyKey,
    rollout::{
        accepted,
        record::Rejected,
        wave::{short, Candidate, Effect, End, Holds, Mark},
        ModuleChange, Outcome, Verdict,
    },
};

impl Shared {
    /// Looks at what is published for a mesh. Endpoints and secrets go on at once, to whoever holds whichever configuration.
    pub fn take_published(&self, mesh: &str, running: &mut Running, now: Duration) {
        let keys: Vec<ProxyKey> = running.contents.keys().cloned().collect();
        for key in &keys {
            self.take_one(mesh, running, key, now);
        }
    }

    /// Looks at what is published for one proxy.
    pub fn take_one(&self, mesh: &str, running: &mut Running, key: &ProxyKey, now: Duration) {
        let Some(content) = running.contents.get_mut(key) else {
            return;
        };
        let Some(snapshot) = content.fresh() else { return };
        let fingerprint = fingerprint(&snapshot);
        let modules = match content.newest.as_ref().filter(|known| known.fingerprint == fingerprint) {
            Some(known) => Arc::clone(&known.modules),
            None => Arc::new(self.inner.modules(key)),
        };
        let newest = Kind {
            snapshot,
            fingerprint,
            modules,
        };
        content.newest = Some(newest.clone());
        let older = self.older.reason(mesh).and_then(|reason| content.is_older(key, reason));
        let held_back = older.or_else(|| content.shrink(key, &running.record));
        let held_back = held_back.filter(|_| self.settings.is_staged);
        let is_news = held_back != content.held_back;
        content.held_back.clone_from(&held_back);
        let had = running.mesh.accepted(key);
        let is_accepted = running.mesh.offer(key, fingerprint, held_back.is_some());
        let changed_accepted = renew(&mut content.accepted, &newest, is_accepted);
        let changed_candidate = content.candidate.is_some() && renew(&mut content.candidate, &newest, false);
        // Who has nothing gets what there is.
        let is_bare = content.accepted.is_none() && !running.empty.is_empty();
        if is_accepted && had != Some(fingerprint) && self.settings.is_staged {
            running.remember(key, fingerprint, now);
        }
        if changed_accepted || changed_candidate || is_bare {
            let streams: Vec<u64> = running.mesh.streams_of(key).collect();
            for stream in streams {
                running.give(stream, key);
            }
        }
        if let Some(held_back) = held_back.filter(|_| is_news) {
            let verdict = Verdict {
                id: held_back.id,
                reason: Some(held_back.reason),
                ..self.verdict(mesh, running, [key], Outcome::HeldBack, 0)
            };
            self.tell(running, verdict);
        }
    }

    /// Does what was decided.
    pub fn apply(&self, mesh: &str, running: &mut Running, effects: Vec<Effect>) {
        let mut to_give = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Holds(stream) => {
                    to_give.insert(stream);
                }
                Effect::Staged { id, stage, reached } => {
                    tracing::info!(mesh, candidate = id, ?stage, reached, "rollout");
                    self.events.staged(mesh, &id, stage, reached);
                }
                Effect::Ended {
                    candidate,
                    end,
                    reached,
                } => self.end(mesh, running, &candidate, end, reached),
            }
        }
        for stream in to_give {
            if let Some(key) = running.mesh.key_of(stream).cloned() {
                running.give(stream, &key);
            }
        }
    }

    fn end(&self, mesh: &str, running: &mut Running, candidate: &Candidate, end: End, reached: usize) {
        let (outcome, reason) = match end {
            End::Accepted => (Outcome::Accepted, None),
            End::Withdrawn => (Outcome::Withdrawn, None),
            End::Rejected(reason) => (Outcome::RolledBack, Some(reason)),
        };
        let verdict = Verdict {
            id: candidate.id.clone(),
            reason: reason.clone(),
            ..self.verdict(mesh, running, candidate.keys.keys(), outcome, reached)
        };
        for key in candidate.keys.keys() {
            let Some(content) = running.contents.get_mut(key) else {
                continue;
            };
            let tried = content.candidate.take();
            let tried = tried.filter(|kind| running.mesh.accepted(key) == Some(kind.fingerprint));
            if let Some(kind) = tried {
                let fingerprint = kind.fingerprint;
                content.accepted = Some(kind);
                running.remember(key, fingerprint, self.now());
            }
        }
        let rejected = reason.map(|reason| Rejected {
            id: candidate.id.clone(),
            reason,
            at_seconds: verdict.at_seconds,
            proxies: verdict.proxies.clone(),
            marks: crate::rollout::record::written(candidate.marks()),
        });
        let was_stored = running
            .record
            .trial
            .as_ref()
            .is_some_and(|trial| trial.id == candidate.id);
        if was_stored || rejected.is_some() {
            let ending = Ending {
                id: candidate.id.clone(),
                rejected,
            };
            self.settle(mesh, running, ending);
        }
        self.tell(running, verdict);
        self.wake.notify_one();
    }

    /// A verdict over what the newest, or what is tried, of some proxies changes.
    fn verdict<'a>(
        &self,
        mesh: &str,
        running: &Running,
        keys: impl IntoIterator<Item = &'a ProxyKey>,
        outcome: Outcome,
        reached: usize,
    ) -> Verdict {
        let (mut types, mut modules, mut proxies) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for key in keys {
            proxies.push(key.to_string());
            let Some(content) = running.contents.get(key) else {
                continue;
            };
            let Some(after) = content.candidate.as_ref().or(content.newest.as_ref()) else {
                continue;
            };
            let before = content.accepted.as_ref();
            // Of what was accepted before a restart there is a mark, which says whether the modules are others.
            let remembered = running.mesh.remembered.get(&Mark::of_proxy(key));
            let has_same_modules = before.is_none()
                && remembered.is_some_and(|known| known.modules == accepted::of_modules(&after.modules));
            let version = |kind: Option<&Kind>, type_url: &str| kind.map(|k| k.snapshot.resources(type_url).version());
            let all = structure(&after.snapshot).chain(before.into_iter().flat_map(|b| structure(&b.snapshot)));
            for type_url in all {
                if version(before, type_url) != version(Some(after), type_url) {
                    types.insert(short(type_url).to_owned());
                }
            }
            let named = |kind: Option<&Kind>, name: &String| kind.and_then(|kind| kind.modules.get(name).cloned());
            let names = after
                .modules
                .keys()
                .filter(|_| !has_same_modules)
                .chain(before.into_iter().flat_map(|b| b.modules.keys()));
            for name in names {
                let (was, is) = (named(before, name), named(Some(after), name));
                if was != is {
                    modules.insert((name.clone(), was, is));
                }
            }
        }
        let modules = modules
            .into_iter()
            .map(|(name, before, after)| ModuleChange { name, before, after });
        Verdict {
            id: String::new(),
            mesh: mesh.to_owned(),
            proxies,
            types: types.into_iter().collect(),
            modules: modules.collect(),
            outcome,
            reason: None,
            reached,
            at_seconds: unix().as_secs_f64(),
        }
    }
}

/// Brings what is held up to date with the newest: wholly, if it is the same or is to be; else in its endpoints and secrets.
/// Whether anything has changed.
fn renew(held: &mut Option<Kind>, newest: &Kind, is_whole: bool) -> bool {
    let Some(known) = held else {
        if is_whole {
            *held = Some(newest.clone());
        }
        return is_whole;
    };
    if is_whole || known.fingerprint == newest.fingerprint {
        let is_same = Arc::ptr_eq(&known.snapshot, &newest.snapshot);
        *known = newest.clone();
        return !is_same;
    }
    if !leaves_differ(&known.snapshot, &newest.snapshot) {
        return false;
    }
    let renewed = known.snapshot.with_leaves_of(&newest.snapshot);
    let is_other = leaves_differ(&known.snapshot, &renewed);
    if is_other {
        known.snapshot = Arc::new(renewed);
    }
    is_other
}

impl Running {
    /// What a stream of a proxy is to hold.
    pub fn held(&self, stream: u64, key: &ProxyKey) -> Option<Arc<ferromesh_xds::Snapshot>> {
        let content = self.contents.get(key)?;
        let held = match self.mesh.holds(stream)? {
            Holds::Accepted => content.accepted.as_ref().or_else(|| self.for_nothing(stream, key)),
            Holds::Candidate => content.candidate.as_ref().or(content.accepted.as_ref()),
        };
        held.map(|kind| Arc::clone(&kind.snapshot))
    }

    /// What a stream gets that has nothing, of a proxy of which nothing is accepted here: it has nothing to lose, and must
    /// not wait for a trial to end.
    fn for_nothing(&self, stream: u64, key: &ProxyKey) -> Option<&Kind> {
        let content = self.contents.get(key)?;
        let newest = content.newest.as_ref().filter(|_| self.empty.contains(&stream))?;
        let is_rejected = self.mesh.rejected.contains(&Mark::of(key, newest.fingerprint));
        (!is_rejected && content.held_back.is_none()).then_some(newest)
    }

    pub fn give(&self, stream: u64, key: &ProxyKey) {
        let (Some(sender), Some(snapshot)) = (self.senders.get(&stream), self.held(stream, key)) else {
            return;
        };
        let is_same = |held: &Option<Arc<_>>| held.as_ref().is_some_and(|held| Arc::ptr_eq(held, &snapshot));
        if !is_same(&sender.borrow()) {
            sender.send_replace(Some(snapshot));
        }
    }

    /// Takes what is newest of a candidate's proxies as what is tried; whether it is still what was proposed.
    pub fn capture(&mut self, candidate: &Candidate) -> bool {
        let is_newest = |content: &Content, mark: &Mark, key: &ProxyKey| {
            let newest = content.newest.as_ref();
            newest.is_some_and(|newest| Mark::of(key, newest.fingerprint) == *mark)
        };
        let is_current = candidate.keys.iter().all(|(key, fingerprint)| {
            let mark = Mark::of(key, *fingerprint);
            self.contents
                .get(key)
                .is_some_and(|content| is_newest(content, &mark, key))
        });
        if is_current {
            for key in candidate.keys.keys() {
                if let Some(content) = self.contents.get_mut(key) {
                    content.candidate.clone_from(&content.newest);
                }
            }
        }
        is_current
    }
}
