//! How a wave begins: what could be tried, who may try it, and who says that nobody will.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Candidate, Effect, End, Fingerprint, Mark, Mesh, Wave};
use crate::identity::ProxyKey;

impl Mesh {
    /// What could be tried next, if nothing is on trial.
    pub fn proposal(&self) -> Option<Candidate> {
        if self.wave.is_some() || self.is_paused {
            return None;
        }
        let connected: BTreeSet<&ProxyKey> = self.streams.values().map(|stream| &stream.key).collect();
        let keys: BTreeMap<ProxyKey, Fingerprint> = self
            .keys
            .iter()
            .filter(|(key, _)| connected.contains(key))
            .filter(|(_, known)| !known.is_held_back && known.newest != known.accepted)
            .filter_map(|(key, known)| Some((key.clone(), known.newest?)))
            .filter(|(key, newest)| !self.rejected.contains(&Mark::of(key, *newest)))
            .collect();
        (!keys.is_empty()).then(|| Candidate::new(keys))
    }

    /// How many streams a candidate concerns.
    pub fn concerned(&self, candidate: &Candidate) -> usize {
        self.streams
            .values()
            .filter(|s| candidate.keys.contains_key(&s.key))
            .count()
    }

    /// Begins to try a candidate, if it is still what would be tried. The first stream is that of the highest `worth`, then
    /// of the proxy with the most streams, of those that answer.
    pub fn start(
        &mut self,
        now: Duration,
        candidate: &Candidate,
        worth: &dyn Fn(&ProxyKey, &str) -> u64,
    ) -> Vec<Effect> {
        if self.proposal().as_ref() != Some(candidate) {
            return Vec::new();
        }
        self.begin(now, candidate, worth)
    }

    /// The same for a candidate that was judged since it was proposed, so that there may be something newer by now: that
    /// comes next.
    pub fn start_judged(
        &mut self,
        now: Duration,
        candidate: &Candidate,
        worth: &dyn Fn(&ProxyKey, &str) -> u64,
    ) -> Vec<Effect> {
        if !self.may_be_tried(candidate) {
            return Vec::new();
        }
        self.begin(now, candidate, worth)
    }

    fn begin(&mut self, now: Duration, candidate: &Candidate, worth: &dyn Fn(&ProxyKey, &str) -> u64) -> Vec<Effect> {
        self.wave = Some(Wave::new(now, candidate.clone()));
        if self.is_forced(candidate) {
            return self.end_as(End::Accepted, true);
        }
        self.begin_first(now, worth)
    }

    /// Whether a candidate that was proposed some time ago is still something to try.
    pub fn may_be_tried(&self, candidate: &Candidate) -> bool {
        let is_wanted = candidate.keys.keys().any(|key| {
            let known = self.keys.get(key);
            known.is_some_and(|known| known.newest != known.accepted)
        });
        let is_rejected = candidate.marks().any(|mark| self.rejected.contains(&mark));
        self.wave.is_none() && !self.is_paused && is_wanted && !is_rejected
    }

    /// Whether somebody has said that a candidate is to be accepted without a trial.
    pub fn is_forced(&self, candidate: &Candidate) -> bool {
        candidate.marks().all(|mark| self.forced.contains(&mark))
    }

    /// Somebody knows that a candidate does harm before anybody has been given it.
    pub fn refuse(&mut self, candidate: &Candidate, reason: String) -> Vec<Effect> {
        if !self.may_be_tried(candidate) {
            return Vec::new();
        }
        self.rejected.extend(candidate.marks());
        vec![Effect::Ended {
            candidate: candidate.clone(),
            end: End::Rejected(reason),
            reached: 0,
        }]
    }
}
