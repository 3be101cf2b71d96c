//! What goes next: the order of a push over all types.

use std::sync::Arc;
use std::time::Instant;

use super::entry::Due;
use super::plan::{Plan, Turn};
use super::{Protocol, Response, Stream};
use crate::resource::Resource;
use crate::snapshot::{Snapshot, Target};
use crate::type_url::{self, Stage};

impl Stream {
    /// The next response to send, if there is one at `now`. To be called until it gives `None` after
    /// each request, each snapshot, and when the time of [`Self::wake_at`] has come; it need not be called
    /// while nothing can be sent.
    pub fn next_response(&mut self, now: Instant) -> Option<Response> {
        let snapshot = self.snapshot.clone()?;
        let mut in_turn = true;
        let mut all_there = true;
        // Whether the clusters have been sent as they are now, be it without an answer yet.
        let mut clusters_sent = true;
        // Whether some of them take so long to warm that the rest goes on without them.
        let mut without_warming = false;
        // Whether listeners and all they are made of are there as they are now.
        let mut serves = true;
        for i in 0..self.channels.len() {
            let target = snapshot.resources(&self.channels[i].type_url);
            self.channels[i].resolve_claim(target, &self.recalled);
            let channel = &self.channels[i];
            if let Some(outstanding) = &channel.outstanding {
                all_there = false;
                if channel.stage == Stage::Clusters {
                    clusters_sent = outstanding.is_whole_of(target);
                    without_warming = now >= outstanding.sent_at + self.limits.warming_patience;
                }
                in_turn &= without_warming && channel.stage == Stage::Clusters;
                continue;
            }
            if channel.settled == Some(target.version()) {
                continue;
            }
            let turn = Turn {
                asks: clusters_sent || !channel.stage.routes(),
                changes: in_turn || (clusters_sent && channel.stage.is_leaf()),
                removals: false,
            };
            let stage = channel.stage;
            let is_blocked = |r: &Resource| {
                self.is_blocked(&snapshot, stage, r) || (without_warming && self.names_a_cluster_to_come(&snapshot, r))
            };
            let work = channel.work(target, turn, &is_blocked, &self.limits);
            if let Some(plan) = work.plan {
                return Some(self.send(i, plan, &snapshot, now));
            }
            if turn.asks && channel.due == Due::Now {
                // Whoever asked for all there is has its answer, also when there is nothing.
                self.channels[i].due = Due::No;
            }
            if turn.changes && !work.lagging && !work.deferred {
                self.channels[i].settled = Some(target.version());
            }
            all_there &= !work.lagging;
            serves &= !work.lagging || stage < Stage::Secrets;
        }
        if !(in_turn && serves) {
            return None;
        }
        // Listeners first, for they hold the rest; each type waits for the acknowledgement of the one before.
        let response = self.next_removal(&snapshot, |stage| stage >= Stage::Listeners, now);
        if response.is_some() || !all_there || now < self.opened + self.limits.removal_grace {
            return response;
        }
        self.next_removal(&snapshot, |stage| stage < Stage::Listeners, now)
    }

    /// What is gone of these stages, when what came instead is there and nothing refers to it any more.
    fn next_removal(&mut self, snapshot: &Snapshot, stages: impl Fn(Stage) -> bool, now: Instant) -> Option<Response> {
        let turn = Turn {
            asks: true,
            changes: true,
            removals: true,
        };
        for i in 0..self.channels.len() {
            let channel = &self.channels[i];
            let target = snapshot.resources(&channel.type_url);
            if !stages(channel.stage) || channel.settled == Some(target.version()) {
                continue;
            }
            let work = channel.work(
                target,
                turn,
                &|r| self.is_blocked(snapshot, channel.stage, r),
                &self.limits,
            );
            if let Some(plan) = work.plan {
                return Some(self.send(i, plan, snapshot, now));
            }
            self.channels[i].settled = Some(target.version());
        }
        None
    }

    /// When [`Self::next_response`] may have something new to say although nothing has happened.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let warming = self
            .channel(type_url::CLUSTER)
            .and_then(|clusters| clusters.outstanding.as_ref());
        let patience = warming.map(|clusters| clusters.sent_at + self.limits.warming_patience);
        let removals = Some(self.opened + self.limits.removal_grace);
        [patience, removals].into_iter().flatten().filter(|at| *at > now).min()
    }

    fn send(&mut self, index: usize, plan: Plan, snapshot: &Snapshot, now: Instant) -> Response {
        self.nonces += 1;
        let nonce = format!("{:x}.{}", self.id, self.nonces);
        let changed = self.channels[index].changed_by(&plan);
        // The client comes from another stream with something else; what of it changes is not known.
        let all_changed = self.channels[index].due == Due::InTurn;
        let response = self.channels[index].send(plan, nonce, snapshot, now);
        let type_url = response.type_url.clone();
        let children = type_url::warming_within(&type_url);
        match self.protocol {
            Protocol::StateOfTheWorld if all_changed || !changed.is_empty() => {
                for channel in &mut self.channels {
                    channel.warming |= children.contains(&&*channel.type_url);
                }
            }
            Protocol::StateOfTheWorld => {}
            Protocol::Delta => self.rewarm_children(children, changed, snapshot),
        }
        response
    }

    /// Envoy takes a changed cluster or listener into service only when its endpoints or routes have
    /// come once more, and in the delta variant it does not ask for names that it is subscribed to.
    fn rewarm_children(&mut self, children: &[&str], changed: Vec<Arc<Resource>>, snapshot: &Snapshot) {
        // A filter configuration is shared by the old and the new listener, and may be large.
        let sent_again = |t: &str| children.contains(&t) && t != type_url::EXTENSION;
        for parent in changed.iter().filter(|_| !children.is_empty()) {
            let mut names: Vec<Target> = snapshot
                .references_of(parent.name())
                .iter()
                .filter(|(t, _)| sent_again(t))
                .cloned()
                .collect();
            if children.contains(&type_url::ENDPOINT) {
                // Endpoints go by the cluster's name unless it says otherwise.
                names.push((type_url::ENDPOINT.into(), parent.name().clone()));
            }
            for (type_url, name) in names {
                let waits = (type_url, name);
                if self.renew(&waits.0, &waits.1) || snapshot.resources(&waits.0).get(&waits.1).is_none() {
                    continue;
                }
                // Bounded: a client that never asks for the type would gather names for ever.
                if self.rewarm.len() < self.limits.max_names && !self.rewarm.contains(&waits) {
                    self.rewarm.push(waits);
                }
            }
        }
    }

    /// Whether the type is subscribed to; then the name will be sent again in its turn.
    pub(super) fn renew(&mut self, type_url: &str, name: &str) -> bool {
        match self.channels.iter_mut().find(|c| &*c.type_url == type_url) {
            Some(channel) => {
                channel.renew(name);
                true
            }
            None => false,
        }
    }

    /// Whether a resource in this stage names something before it that the client has refused and has no
    /// older version of.
    fn is_blocked(&self, snapshot: &Snapshot, stage: Stage, resource: &Resource) -> bool {
        let references = snapshot.references_of(resource.name()).iter();
        references
            .filter(|(type_url, _)| type_url::stage(type_url) < stage)
            .any(|(type_url, name)| self.channel(type_url).is_some_and(|channel| channel.lacks(name)))
    }

    /// Whether the resource names a cluster of which the client has no version.
    fn names_a_cluster_to_come(&self, snapshot: &Snapshot, resource: &Resource) -> bool {
        let references = snapshot.references_of(resource.name()).iter();
        let mut clusters = references.filter(|(type_url, _)| &**type_url == type_url::CLUSTER);
        let channel = self.channel(type_url::CLUSTER);
        clusters.any(|(_, name)| channel.is_some_and(|channel| !channel.has_any(name)))
    }
}
