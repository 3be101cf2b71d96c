//! One type on one stream: what the client subscribes to, what it holds, what it has not answered yet.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::entry::{Accepted, Due, Entry, Refused};
use super::holdings::{Held, Holdings};
use super::plan::Plan;
use super::request::{Rejection, Subscribe};
use super::{Protocol, Response};
use crate::resource::{Resource, SetVersion};
use crate::snapshot::{ResourceSet, Snapshot};
use crate::type_url::{self, Stage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcard {
    No,
    /// By an empty first request; lasts until a name is given.
    Implied,
    /// By the name `*`.
    Explicit,
}

/// A response without an answer.
#[derive(Debug)]
pub(crate) struct Outstanding {
    nonce: String,
    pub version: String,
    pub sent_at: Instant,
    pub resources: Vec<Arc<Resource>>,
    pub removed: Vec<Arc<str>>,
    view: SetVersion,
    /// The version of all there was of the type.
    target: SetVersion,
    /// Not all of it found room.
    is_cut: bool,
}

impl Outstanding {
    /// Whether nothing more is to be sent for this target.
    pub fn is_whole_of(&self, target: &ResourceSet) -> bool {
        !self.is_cut && self.target == target.version()
    }
}

pub(crate) struct Channel {
    pub type_url: Arc<str>,
    pub stage: Stage,
    pub(super) protocol: Protocol,
    pub(super) full_state: bool,
    pub(super) wildcard: Wildcard,
    /// Every name that is subscribed to or held. Names under a wildcard appear when they are answered.
    pub(super) entries: BTreeMap<Arc<str>, Entry>,
    /// How many entries are explicit, and the bytes of their names.
    pub names: usize,
    pub name_bytes: usize,
    pub outstanding: Option<Outstanding>,
    last_nonce: Option<String>,
    /// The version that the client says it has, until it can be compared.
    pub(super) claim: Option<String>,
    /// Whether the client waits for a response, be it empty.
    pub due: Due,
    /// The full state that the client has refused.
    pub(super) refused_view: Option<SetVersion>,
    /// State of the world: a parent has changed since everything was sent, so an unchanged request is
    /// not a repetition but a warming resource that needs an answer.
    pub warming: bool,
    /// The state that the client has been brought to, as far as it goes; saves comparing again.
    pub settled: Option<SetVersion>,
    pub(super) asked_before: bool,
}

impl Channel {
    pub fn new(protocol: Protocol, type_url: &str) -> Self {
        Self {
            type_url: type_url.into(),
            stage: type_url::stage(type_url),
            protocol,
            full_state: type_url::is_full_state(type_url),
            wildcard: Wildcard::No,
            entries: BTreeMap::new(),
            names: 0,
            name_bytes: 0,
            outstanding: None,
            last_nonce: None,
            claim: None,
            due: Due::No,
            refused_view: None,
            warming: false,
            settled: None,
            asked_before: false,
        }
    }

    /// Whether a response was sent on this stream.
    pub fn has_sent(&self) -> bool {
        self.last_nonce.is_some()
    }

    /// Whether a response of this kind is the full state: cluster, listener, state of the world.
    pub(super) fn sends_full_state(&self) -> bool {
        self.full_state && self.protocol == Protocol::StateOfTheWorld
    }

    /// Whether the client has refused the resource and holds no older version of it.
    pub fn lacks(&self, name: &str) -> bool {
        self.entries
            .get(name)
            .is_some_and(|e| e.refused.is_some() && !e.exists())
    }

    /// Whether the client has accepted the resource in some version, and is not just being told that it is gone.
    pub fn has_any(&self, name: &str) -> bool {
        let goes = self.outstanding.as_ref().is_some_and(|outstanding| {
            let leaves_out = || !outstanding.resources.iter().any(|r| &**r.name() == name);
            outstanding.removed.iter().any(|gone| &**gone == name) || (self.sends_full_state() && leaves_out())
        });
        !goes && self.entries.get(name).is_some_and(Entry::exists)
    }

    /// The resource will be sent again in its turn.
    pub fn renew(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.due = entry.due.max(Due::InTurn);
            self.settled = None;
        }
    }

    /// In a state-of-the-world response of most types, a name that is left out is not gone. So the client
    /// is not told; but when the resource comes again it is a new one.
    pub fn on_snapshot(&mut self, target: &ResourceSet) {
        if self.protocol == Protocol::Delta || self.full_state || self.settled == Some(target.version()) {
            return;
        }
        self.entries.retain(|name, entry| {
            let gone = target.get(name).is_none();
            if gone && entry.may_exist() {
                *entry = Entry {
                    explicit: entry.explicit,
                    due: entry.due,
                    ..Entry::default()
                };
            }
            !gone || entry.explicit
        });
    }

    pub fn on_request(
        &mut self,
        nonce: String,
        rejection: Option<Rejection>,
        subscribe: Subscribe,
    ) -> Option<(Outstanding, Option<Rejection>)> {
        let is_answer = self.outstanding.as_ref().is_some_and(|o| o.nonce == nonce);
        let answer = if is_answer { self.outstanding.take() } else { None };
        if let Some(outstanding) = &answer {
            self.settled = None;
            match rejection {
                None => self.on_accepted(outstanding),
                Some(_) => self.on_refused(outstanding),
            }
        }
        match subscribe {
            Subscribe::StateOfTheWorld { version, names } => {
                if self.last_nonce.as_ref().is_some_and(|last| *last != nonce) {
                    self.on_stale_request(&names);
                } else {
                    self.subscribe_to(version, names, is_answer);
                }
            }
            Subscribe::Delta {
                subscribe,
                unsubscribe,
                initial_versions,
            } => {
                self.subscribe_delta(subscribe, unsubscribe, initial_versions);
            }
        }
        self.asked_before = true;
        answer.map(|outstanding| (outstanding, rejection))
    }

    /// The first request on a stream tells what the client accepted on the stream before. Versions are
    /// hashes over what the response left the client with, so equality means that it has all it asks for.
    pub fn resolve_claim(&mut self, target: &ResourceSet, recalled: &Holdings) {
        let Some(claim) = self.claim.take() else { return };
        if claim.is_empty() {
            return;
        }
        let covered: Vec<&Arc<Resource>> = match self.wildcard {
            Wildcard::No => self.entries.keys().filter_map(|name| target.get(name)).collect(),
            Wildcard::Implied | Wildcard::Explicit => target.iter().collect(),
        };
        let view = covered.iter().fold(SetVersion::NONE, |view, r| view.with(r));
        let held = recalled.find(&self.type_url, &claim);
        if claim == view.to_string() && held.is_none_or(Held::is_certain) {
            self.due = Due::No;
            for resource in covered {
                let entry = self.entries.entry(resource.name().clone()).or_default();
                entry.due = Due::No;
                entry.on_accepted(resource.clone());
            }
        } else if let Some(held) = held {
            self.due = Due::No;
            for resource in &held.resources {
                if let Some(entry) = self.entry_of(resource.name()) {
                    entry.due = Due::No;
                    entry.on_accepted(resource.clone());
                }
            }
            for name in &held.doubtful {
                if let Some(entry) = self.entry_of(name) {
                    entry.doubtful = true;
                }
            }
        } else {
            self.due = self.due.min(Due::InTurn);
            for entry in self.entries.values_mut() {
                entry.accepted = Accepted::Foreign;
                entry.due = Due::No;
            }
        }
    }

    /// Which of the plan's resources the client has in another version.
    pub fn changed_by(&self, plan: &Plan) -> Vec<Arc<Resource>> {
        let changes = |r: &&Arc<Resource>| self.entries.get(r.name()).is_some_and(|e| e.may_exist() && !e.has(r));
        plan.resources.iter().filter(changes).cloned().collect()
    }

    pub fn send(&mut self, plan: Plan, nonce: String, snapshot: &Snapshot, now: Instant) -> Response {
        let Plan {
            resources,
            removed,
            covers_all,
            is_cut,
        } = plan;
        let view = self.view_after(&resources);
        let target = snapshot.resources(&self.type_url).version();
        let version = match self.protocol {
            Protocol::StateOfTheWorld => view.to_string(),
            Protocol::Delta => target.to_string(),
        };
        for name in resources.iter().map(|r| r.name()).chain(&removed) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.due = Due::No;
            }
        }
        self.due = Due::No;
        self.warming &= !covers_all;
        self.last_nonce = Some(nonce.clone());
        self.outstanding = Some(Outstanding {
            nonce: nonce.clone(),
            version: version.clone(),
            sent_at: now,
            resources: resources.clone(),
            removed: removed.clone(),
            view,
            target,
            is_cut,
        });
        let removed = (self.protocol == Protocol::Delta).then_some(removed);
        Response {
            type_url: self.type_url.clone(),
            nonce,
            version,
            resources,
            removed,
        }
    }

    /// What the client holds after it has taken the response (state of the world).
    fn view_after(&self, resources: &[Arc<Resource>]) -> SetVersion {
        let sent = resources.iter().fold(SetVersion::NONE, |view, r| view.with(r));
        if self.protocol == Protocol::Delta || self.full_state {
            return sent;
        }
        let in_response: HashSet<&str> = resources.iter().map(|r| &**r.name()).collect();
        self.entries
            .iter()
            .filter(|(name, _)| !in_response.contains(&***name))
            .fold(sent, |view, (_, entry)| match &entry.accepted {
                Accepted::Resource(resource) if !entry.doubtful => view.with(resource),
                _ => view,
            })
    }

    fn on_accepted(&mut self, answered: &Outstanding) {
        self.refused_view = None;
        for resource in &answered.resources {
            if let Some(entry) = self.entry_of(resource.name()) {
                entry.on_accepted(resource.clone());
            }
        }
        if self.sends_full_state() {
            let left: HashSet<&str> = answered.resources.iter().map(|r| &**r.name()).collect();
            for (_, entry) in self
                .entries
                .iter_mut()
                .filter(|(name, e)| e.may_exist() && !left.contains(&***name))
            {
                entry.on_removed();
            }
        }
        for name in &answered.removed {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.on_removed();
            }
        }
        let takes_more = !answered.resources.is_empty();
        self.entries.retain(|_, entry| {
            if takes_more && entry.refused == Some(Refused::Removal) {
                entry.refused = None;
            }
            entry.explicit || entry.may_exist() || entry.due != Due::No
        });
        if answered.resources.len() * 2 > self.entries.len() {
            self.compact();
        }
    }

    /// Entries that came one after the other, in the order of their names, have left half of the map's room empty, and each
    /// holds a name of its own: for thousands of clients with hundreds of names that is a third of what a client takes.
    fn compact(&mut self) {
        let entries = std::mem::take(&mut self.entries).into_iter();
        let shared = entries.map(|(name, entry)| match &entry.accepted {
            Accepted::Resource(resource) => (Arc::clone(resource.name()), entry),
            _ => (name, entry),
        });
        self.entries = shared.collect();
    }

    fn on_refused(&mut self, answered: &Outstanding) {
        self.refused_view = Some(answered.view);
        for resource in &answered.resources {
            if let Some(entry) = self.entry_of(resource.name()) {
                entry.on_refused(resource);
            }
        }
        for name in &answered.removed {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.on_removal_refused();
            }
        }
        if self.sends_full_state() {
            let left: HashSet<&str> = answered.resources.iter().map(|r| &**r.name()).collect();
            let gone = self.entries.iter_mut().filter(|(name, _)| !left.contains(&***name));
            gone.filter(|(_, entry)| entry.may_exist())
                .for_each(|(_, entry)| entry.on_removal_refused());
        }
    }

    /// The entry, if the client is still interested in the name.
    fn entry_of(&mut self, name: &Arc<str>) -> Option<&mut Entry> {
        if self.wildcard != Wildcard::No {
            return Some(self.entries.entry(name.clone()).or_default());
        }
        self.entries.get_mut(name)
    }
}
