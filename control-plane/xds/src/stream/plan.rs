//! What to send next: the difference between what the client holds and what it shall hold.

use std::sync::Arc;

use super::address;
use super::channel::{Channel, Wildcard};
use super::entry::{Accepted, Due, Entry, Refused};
use super::{Limits, Protocol};
use crate::resource::{Resource, SetVersion};
use crate::snapshot::ResourceSet;
use crate::type_url;

/// What the order of a push allows at the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// What the client asks for may be answered: whatever it may refer to has been sent.
    pub asks: bool,
    /// Whatever comes before has been acknowledged.
    pub changes: bool,
    /// What comes instead of what is removed is there, and nothing refers to it any more.
    pub removals: bool,
}

/// The content of a response.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub resources: Vec<Arc<Resource>>,
    pub removed: Vec<Arc<str>>,
    /// Everything that the client subscribes to is in it.
    pub covers_all: bool,
    /// More would have been sent, had there been room.
    pub is_cut: bool,
}

/// What is to be done for one type.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub plan: Option<Plan>,
    /// Something differs that cannot be sent now, removals aside.
    pub lagging: bool,
    /// Something is to be removed later.
    pub deferred: bool,
}

type Blocked<'a> = &'a dyn Fn(&Resource) -> bool;

impl Channel {
    pub(super) fn work(&self, target: &ResourceSet, turn: Turn, blocked: Blocked<'_>, limits: &Limits) -> Work {
        if self.sends_full_state() {
            self.full_work(target, turn, blocked)
        } else {
            self.partial_work(target, turn, blocked, limits)
        }
    }

    /// Clusters and listeners, state of the world: all or nothing.
    fn full_work(&self, target: &ResourceSet, turn: Turn, blocked: Blocked<'_>) -> Work {
        let mut plan = Plan {
            covers_all: true,
            ..Plan::default()
        };
        let (mut asked, mut differs) = (self.due == Due::Now, self.due == Due::InTurn);
        let mut held_back = false;
        let mut new = Vec::new();
        for (_, entry, resource) in self.pairs(target) {
            if let Some(resource) = resource {
                asked |= entry.is_some_and(|e| e.due == Due::Now);
                let news = entry.is_none_or(|e| !e.has(resource));
                differs |= news || entry.is_some_and(|e| e.due == Due::InTurn);
                held_back |= news && blocked(resource);
                if news {
                    new.push(resource);
                }
                plan.resources.push(resource.clone());
            }
        }
        let mut deferred = false;
        for (_, entry, _) in self
            .pairs(target)
            .filter(|(_, e, r)| r.is_none() && e.is_some_and(Entry::may_exist))
        {
            let is_told = turn.removals || entry.is_some_and(|e| e.refused == Some(Refused::Removal));
            match entry.map(|e| &e.accepted) {
                Some(Accepted::Resource(kept)) if !is_told && !self.is_in_the_way(kept, &new) => {
                    deferred = true;
                    plan.resources.push(kept.clone());
                }
                _ => differs = true,
            }
        }
        let view = plan.resources.iter().fold(SetVersion::NONE, |view, r| view.with(r));
        let refused = self.refused_view == Some(view);
        if (asked && turn.asks) || ((asked || differs) && turn.changes && !held_back && (asked || !refused)) {
            return Work {
                plan: Some(plan),
                lagging: false,
                deferred,
            };
        }
        Work {
            plan: None,
            lagging: differs || asked,
            deferred,
        }
    }

    /// Delta, and the other types of the state of the world: only what is new to the client.
    fn partial_work(&self, target: &ResourceSet, turn: Turn, blocked: Blocked<'_>, limits: &Limits) -> Work {
        let mut work = Work::default();
        let mut plan = Plan::default();
        let (mut bytes, mut unchanged, mut held) = (0, Vec::new(), Vec::new());
        let asked_for_all = self.due == Due::Now && turn.asks;
        for (name, entry, resource) in self.pairs(target) {
            let due = entry.map_or(Due::No, |e| e.due);
            match (resource, entry) {
                (Some(resource), _) => {
                    let news = entry.is_none_or(|e| e.wants(resource));
                    let now = (due == Due::Now && turn.asks) || (asked_for_all && news);
                    let in_turn = turn.changes && (news || due != Due::No) && !blocked(resource);
                    if !(now || in_turn) {
                        let has = due == Due::No && entry.is_some_and(|e| e.has(resource));
                        work.lagging |= !has;
                        if has && self.warming {
                            unchanged.push(resource);
                        }
                    } else if !plan.resources.is_empty() && bytes + resource.encoded_len() > limits.max_response_bytes {
                        work.lagging = true;
                        plan.is_cut = true;
                    } else {
                        bytes += resource.encoded_len();
                        plan.resources.push(resource.clone());
                    }
                }
                // Silence is what the state of the world has for a name that does not exist.
                (None, _) if self.protocol == Protocol::StateOfTheWorld => {}
                (None, Some(_)) if due == Due::Now => plan.removed.push(name.clone()),
                // A removal that was refused comes again when something else was taken: by itself it would never end.
                (None, Some(entry)) if !entry.may_exist() || entry.refused == Some(Refused::Removal) => {}
                (None, Some(_)) if turn.removals => plan.removed.push(name.clone()),
                (None, Some(entry)) => held.push((name, entry)),
                (None, None) => {}
            }
        }
        let new: Vec<_> = plan.resources.iter().collect();
        for (name, entry) in held {
            match &entry.accepted {
                Accepted::Resource(kept) if self.is_in_the_way(kept, &new) => plan.removed.push(name.clone()),
                _ => work.deferred = true,
            }
        }
        work.lagging |= self.due == Due::Now && !turn.asks;
        let answers = asked_for_all && self.full_state;
        if plan.resources.is_empty() && plan.removed.is_empty() && !answers {
            return work;
        }
        // What warms in a changed parent has been asked for before this response is seen, or will be
        // asked for in a way that cannot be told from an acknowledgement: let it have everything.
        for resource in unchanged {
            plan.resources.push(resource.clone());
        }
        plan.covers_all = !work.lagging;
        work.plan = Some(plan);
        work
    }

    /// Whether what the client holds must go before it can have the new ones. Not known of what it says it has from
    /// an earlier stream: that stays.
    fn is_in_the_way(&self, held: &Resource, new: &[&Arc<Resource>]) -> bool {
        &*self.type_url == type_url::LISTENER && new.iter().any(|new| address::collide(held, new))
    }

    /// Every name that the client subscribes to or holds, with what it holds and what there is.
    fn pairs<'a>(
        &'a self,
        target: &'a ResourceSet,
    ) -> impl Iterator<Item = (&'a Arc<str>, Option<&'a Entry>, Option<&'a Arc<Resource>>)> {
        let held = self
            .entries
            .iter()
            .map(|(name, entry)| (name, Some(entry), target.get(name)));
        let unheld = (self.wildcard != Wildcard::No)
            .then(|| target.iter().filter(|r| !self.entries.contains_key(r.name())))
            .into_iter()
            .flatten()
            .map(|resource| (resource.name(), None, Some(resource)));
        held.chain(unheld)
    }
}
