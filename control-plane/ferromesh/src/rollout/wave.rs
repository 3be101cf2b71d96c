//! Which of its configurations each stream of a mesh holds: the decisions, without sockets, store or clock.
//!
//! Time is an argument and only goes forward. What follows from a call is given back as [`Effect`]s.

mod progress;
mod start;
mod trial;
mod witness;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sha2::{Digest, Sha256};

pub use trial::{Candidate, Stage};
use trial::{Member, Missing, Wave};
pub use witness::{Heard, Tried, Witness};

use super::accepted::Marks;
use crate::identity::ProxyKey;

/// What tells apart two configurations of a proxy, endpoints and secrets left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

/// A proxy with a configuration: 64 bits of a hash over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// The mark of a proxy with a configuration.
    pub fn of(key: &ProxyKey, fingerprint: Fingerprint) -> Self {
        let hash = Sha256::new()
            .chain_update(key.to_string())
            .chain_update([0])
            .chain_update(fingerprint.0.to_le_bytes())
            .finalize();
        Self::first_of(&hash)
    }

    /// The mark of a proxy, whatever its configuration is.
    pub fn of_proxy(key: &ProxyKey) -> Self {
        Self::first_of(&Sha256::digest(key.to_string()))
    }

    /// The first 64 bits of a hash.
    pub fn first_of(hash: &[u8]) -> Self {
        Self(hash.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte)))
    }
}

/// How waves go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether there are stages.
    pub is_staged: bool,
    /// How long a stage is watched once it has acknowledged everything.
    pub observe: Duration,
    /// The second stage, in percent.
    pub share_percent: u8,
    /// How long an answer, or a stream that was lost, is waited for.
    pub silence: Duration,
}

/// Which configuration a stream has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What its proxy has proven to take.
    Accepted,
    /// What is being tried.
    Candidate,
}

/// What follows from something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The stream holds something else now.
    Holds(u64),
    /// A stage has begun.
    Staged {
        /// The candidate.
        id: String,
        /// The stage.
        stage: Stage,
        /// The streams that have been given the candidate by now.
        reached: usize,
    },
    /// A wave has ended.
    Ended {
        /// What was tried.
        candidate: Candidate,
        /// How it ended.
        end: End,
        /// The streams that had been given the candidate.
        reached: usize,
    },
}

/// How a wave ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The candidate is the accepted configuration now.
    Accepted,
    /// It never will be.
    Rejected(String),
    /// It is not wanted any more.
    Withdrawn,
}

/// One mesh.
#[derive(Debug)]
pub struct Mesh {
    rules: Rules,
    keys: BTreeMap<ProxyKey, Key>,
    streams: BTreeMap<u64, Stream>,
    wave: Option<Wave>,
    /// Never to be tried again by themselves.
    pub rejected: BTreeSet<Mark>,
    /// On trial when this process began, or at another control plane.
    pub on_trial: BTreeSet<Mark>,
    /// To be accepted without a trial.
    pub forced: BTreeSet<Mark>,
    /// What proxies had accepted before this process began, or at other control planes, and since.
    pub remembered: Marks,
    /// Whether nothing goes on.
    pub is_paused: bool,
}

#[derive(Debug, Default)]
struct Key {
    accepted: Option<Fingerprint>,
    newest: Option<Fingerprint>,
    /// Whether the newest waits for somebody's approval.
    is_held_back: bool,
}

#[derive(Debug)]
struct Stream {
    key: ProxyKey,
    instance: String,
    /// Whether its Envoy is reported on.
    has_agent: bool,
    holds: Holds,
    /// When what is not answered was sent, by type.
    pending: BTreeMap<String, Duration>,
}

impl Mesh {
    /// A mesh without proxies.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            keys: BTreeMap::new(),
            streams: BTreeMap::new(),
            wave: None,
            rejected: BTreeSet::new(),
            on_trial: BTreeSet::new(),
            forced: BTreeSet::new(),
            remembered: Marks::new(),
            is_paused: false,
        }
    }

    /// The newest configuration of a proxy. The first one it has here is accepted as it is, unless it was on trial or
    /// rejected before, or the proxy is remembered to have accepted another one: there is nothing to lose. Whether the newest
    /// is the accepted one now.
    pub fn offer(&mut self, key: &ProxyKey, newest: Fingerprint, is_held_back: bool) -> bool {
        let mark = Mark::of(key, newest);
        let remembered = self.remembered.get(&Mark::of_proxy(key));
        let is_other = remembered.is_some_and(|remembered| remembered.mark != mark);
        let is_known = is_other || self.rejected.contains(&mark) || self.on_trial.contains(&mark);
        let known = self.keys.entry(key.clone()).or_default();
        known.newest = Some(newest);
        known.is_held_back = is_held_back;
        if !self.rules.is_staged || (known.accepted.is_none() && !is_known && !is_held_back) {
            known.accepted = Some(newest);
        }
        known.accepted == Some(newest)
    }

    /// Forgets a proxy without streams.
    pub fn forget(&mut self, key: &ProxyKey) {
        self.keys.remove(key);
    }

    /// A stream has begun; what it holds.
    pub fn connect(&mut self, now: Duration, stream: u64, key: &ProxyKey, instance: &str) -> Holds {
        let mut holds = Holds::Accepted;
        if let Some(wave) = self.wave.as_mut().filter(|wave| wave.candidate.keys.contains_key(key)) {
            if wave.takes_back(now, stream, key, instance) {
                holds = Holds::Candidate;
            } else if wave.stage == Stage::All {
                wave.give(now, stream, key, instance, Member::late(now));
                holds = Holds::Candidate;
            }
        }
        self.streams.insert(
            stream,
            Stream {
                key: key.clone(),
                instance: instance.to_owned(),
                has_agent: false,
                holds,
                pending: BTreeMap::new(),
            },
        );
        holds
    }

    /// A stream has ended; `is_expected`: the server ended it, or the proxy had said that it would go.
    pub fn disconnect(&mut self, now: Duration, stream: u64, is_expected: bool) {
        let Some(known) = self.streams.remove(&stream) else {
            return;
        };
        let Some(wave) = &mut self.wave else { return };
        if let Some(member) = wave.members.remove(&stream).filter(|member| member.counts) {
            wave.lost(now, Missing::new(now, known.key, known.instance, member, is_expected));
        }
    }

    /// Something was sent on a stream.
    pub fn on_sent(&mut self, now: Duration, stream: u64, type_url: &str) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        known.pending.insert(type_url.to_owned(), now);
        let member = self.wave.as_mut().and_then(|wave| wave.members.get_mut(&stream));
        if let Some(member) = member {
            member.was_sent = true;
            member.clear_at = None;
        }
    }

    /// It was answered; `rejection`: the proxy's words, if it refused it.
    pub fn on_answer(&mut self, now: Duration, stream: u64, type_url: &str, rejection: Option<&str>) -> Vec<Effect> {
        let Some(known) = self.streams.get_mut(&stream) else {
            return Vec::new();
        };
        let sent_at = known.pending.remove(type_url);
        let Some(member) = self.wave.as_mut().and_then(|wave| wave.members.get_mut(&stream)) else {
            return Vec::new();
        };
        let is_of_candidate = sent_at.is_some_and(|sent_at| sent_at >= member.given_at);
        if let (Some(message), true) = (rejection, is_of_candidate) {
            let reason = format!("{} rejected {}: {message}", known.key, short(type_url));
            return self.end(End::Rejected(reason));
        }
        if known.pending.is_empty() {
            member.clear_at = Some(now);
        }
        Vec::new()
    }

    /// Somebody knows that the candidate does harm.
    pub fn reject(&mut self, reason: String) -> Vec<Effect> {
        self.end(End::Rejected(reason))
    }

    /// Somebody wants the candidate accepted as it is.
    pub fn accept(&mut self) -> Vec<Effect> {
        self.end_as(End::Accepted, true)
    }

    fn end(&mut self, end: End) -> Vec<Effect> {
        self.end_as(end, false)
    }

    fn end_as(&mut self, end: End, is_decreed: bool) -> Vec<Effect> {
        let Some(wave) = self.wave.take() else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        match &end {
            End::Accepted => {
                // Who has nobody to prove it stays with what it has until somebody comes.
                let proven: BTreeSet<&ProxyKey> = wave.proven().filter_map(|id| self.key_of(id)).collect();
                let accepted: Vec<(ProxyKey, Fingerprint)> = wave
                    .candidate
                    .keys
                    .iter()
                    .filter(|(key, _)| is_decreed || proven.contains(key))
                    .map(|(key, fingerprint)| (key.clone(), *fingerprint))
                    .collect();
                for (key, fingerprint) in accepted {
                    if let Some(known) = self.keys.get_mut(&key) {
                        known.accepted = Some(fingerprint);
                    }
                }
            }
            End::Rejected(_) => self.rejected.extend(wave.candidate.marks()),
            End::Withdrawn => {}
        }
        for mark in wave.candidate.marks() {
            self.on_trial.remove(&mark);
            self.forced.remove(&mark);
        }
        for (id, stream) in &mut self.streams {
            if wave.candidate.keys.contains_key(&stream.key) {
                stream.holds = Holds::Accepted;
                effects.push(Effect::Holds(*id));
            }
        }
        effects.push(Effect::Ended {
            candidate: wave.candidate,
            end,
            reached: wave.reached,
        });
        effects
    }

    /// What a stream holds.
    pub fn holds(&self, stream: u64) -> Option<Holds> {
        self.streams.get(&stream).map(|stream| stream.holds)
    }

    /// The proxy of a stream.
    pub fn key_of(&self, stream: u64) -> Option<&ProxyKey> {
        self.streams.get(&stream).map(|stream| &stream.key)
    }

    /// What a proxy has proven to take.
    pub fn accepted(&self, key: &ProxyKey) -> Option<Fingerprint> {
        self.keys.get(key)?.accepted
    }

    /// The newest of a proxy.
    pub fn newest(&self, key: &ProxyKey) -> Option<Fingerprint> {
        self.keys.get(key)?.newest
    }

    /// The streams of a proxy.
    pub fn streams_of<'a>(&'a self, key: &'a ProxyKey) -> impl Iterator<Item = u64> + 'a {
        self.streams
            .iter()
            .filter(move |(_, s)| s.key == *key)
            .map(|(id, _)| *id)
    }

    /// What is on trial: the candidate, its stage, when that began, and how many streams it has reached.
    pub fn trial(&self) -> Option<(&Candidate, Stage, Duration, usize)> {
        let wave = self.wave.as_ref()?;
        Some((&wave.candidate, wave.stage, wave.stage_began, wave.reached))
    }

    /// Whether a proxy is known here.
    pub fn has_streams(&self, key: &ProxyKey) -> bool {
        self.streams.values().any(|stream| stream.key == *key)
    }
}

/// `type.googleapis.com/envoy.config.cluster.v3.Cluster` as `Cluster`.
pub(super) fn short(type_url: &str) -> &str {
    type_url.rsplit('.').next().unwrap_or(type_url)
}

#[cfg(test)]
mod tests;
