//! One wave: the candidate, who has been given it, and who was lost since.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Fingerprint, Mark};
use crate::identity::ProxyKey;

/// A stream for which nothing had to be sent, because it asks for none of what has changed, has passed after this time.
const NOTHING_SENT: Duration = Duration::from_secs(1);

/// What is tried together: for each proxy that it concerns a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 16 hexadecimal digits of a hash over all of it.
    pub id: String,
    /// The proxies.
    pub keys: BTreeMap<ProxyKey, Fingerprint>,
}

impl Candidate {
    /// A candidate with its name.
    pub fn new(keys: BTreeMap<ProxyKey, Fingerprint>) -> Self {
        let mut hash = Sha256::new();
        for (key, fingerprint) in &keys {
            hash.update(Mark::of(key, *fingerprint).0.to_be_bytes());
        }
        let id = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self { id, keys }
    }

    /// The marks of all its proxies.
    pub fn marks(&self) -> impl Iterator<Item = Mark> + '_ {
        self.keys.iter().map(|(key, fingerprint)| Mark::of(key, *fingerprint))
    }
}

/// How far a wave has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// One stream.
    First,
    /// A share of them.
    Share,
    /// All.
    All,
}

#[derive(Debug)]
pub(super) struct Wave {
    pub candidate: Candidate,
    pub stage: Stage,
    pub stage_began: Duration,
    /// Streams that hold the candidate.
    pub members: BTreeMap<u64, Member>,
    /// Those of them that were lost and have not come back.
    missing: Vec<Missing>,
    /// How often who was lost unexpectedly, and how long after it was given the candidate the last time.
    losses: BTreeMap<(ProxyKey, String), (u32, Duration)>,
    /// Streams that were ever given the candidate.
    pub reached: usize,
    /// The same as instances, who may have been lost and come again.
    pub given: BTreeMap<(ProxyKey, String), Given>,
}

/// An instance that was given the candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// When it was for the first time: what it has counted since, it may have counted because of it.
    pub since: Duration,
    /// How often its stream was lost unexpectedly since.
    pub losses: u32,
}

/// A stream that holds the candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub given_at: Duration,
    pub was_sent: bool,
    /// Since when everything is answered.
    pub clear_at: Option<Duration>,
    /// Whether the stage waits for it. Streams that begin while all have the candidate don't count, or a trickle of them
    /// would keep the wave from ending.
    pub counts: bool,
}

impl Member {
    pub fn counted(now: Duration) -> Self {
        Self {
            given_at: now,
            was_sent: false,
            clear_at: None,
            counts: true,
        }
    }

    pub fn late(now: Duration) -> Self {
        Self {
            counts: false,
            ..Self::counted(now)
        }
    }

    fn has_passed(&self, now: Duration, quiet: Duration) -> bool {
        match self.clear_at {
            Some(at) => now.saturating_sub(at) >= quiet,
            None => !self.was_sent && now.saturating_sub(self.given_at) >= quiet.max(NOTHING_SENT),
        }
    }
}

/// A stream that was lost while it held the candidate.
#[derive(Debug)]
pub(super) struct Missing {
    key: ProxyKey,
    instance: String,
    lost_at: Duration,
    given_at: Duration,
    is_expected: bool,
}

impl Missing {
    pub fn new(now: Duration, key: ProxyKey, instance: String, member: Member, is_expected: bool) -> Self {
        Self {
            key,
            instance,
            lost_at: now,
            given_at: member.given_at,
            is_expected,
        }
    }
}

impl Wave {
    pub fn new(now: Duration, candidate: Candidate) -> Self {
        Self {
            candidate,
            stage: Stage::First,
            stage_began: now,
            members: BTreeMap::new(),
            missing: Vec::new(),
            losses: BTreeMap::new(),
            reached: 0,
            given: BTreeMap::new(),
        }
    }

    /// The same candidate from the first stage on. Who had it and went comes again with what it had before.
    pub fn again(&self, now: Duration) -> Self {
        Self {
            reached: self.reached,
            ..Self::new(now, self.candidate.clone())
        }
    }

    /// A stream that did not have the candidate is given it.
    pub fn give(&mut self, now: Duration, stream: u64, key: &ProxyKey, instance: &str, member: Member) {
        self.reached += 1;
        self.note(now, key, instance);
        self.members.insert(stream, member);
    }

    fn note(&mut self, now: Duration, key: &ProxyKey, instance: &str) {
        let who = (key.clone(), instance.to_owned());
        self.given.entry(who).or_insert(Given { since: now, losses: 0 });
    }

    /// When an instance was given the candidate for the first time.
    pub fn since(&self, key: &ProxyKey, instance: &str) -> Option<Duration> {
        let who = (key.clone(), instance.to_owned());
        self.given.get(&who).map(|given| given.since)
    }

    pub fn lost(&mut self, now: Duration, missing: Missing) {
        if !missing.is_expected {
            let who = (missing.key.clone(), missing.instance.clone());
            if let Some(given) = self.given.get_mut(&who) {
                given.losses += 1;
            }
            let loss = self.losses.entry(who).or_default();
            *loss = (loss.0 + 1, now.saturating_sub(missing.given_at));
        }
        self.missing.push(missing);
    }

    /// Whether a new stream takes the place of one that was lost: of the same instance, or else of the same proxy, because
    /// an agent that was started again has another name.
    pub fn takes_back(&mut self, now: Duration, stream: u64, key: &ProxyKey, instance: &str) -> bool {
        let same = self
            .missing
            .iter()
            .position(|m| m.key == *key && m.instance == instance);
        let place = same.or_else(|| self.missing.iter().position(|m| m.key == *key));
        let Some(place) = place else { return false };
        let missing = self.missing.swap_remove(place);
        if missing.instance != instance {
            if let Some(loss) = self.losses.remove(&(missing.key.clone(), missing.instance)) {
                self.losses.insert((missing.key, instance.to_owned()), loss);
            }
        }
        self.note(now, key, instance);
        self.members.insert(stream, Member::counted(now));
        true
    }

    /// Streams that the stage waits for, the lost ones among them.
    pub fn counted(&self) -> usize {
        self.members.values().filter(|member| member.counts).count() + self.missing.len()
    }

    /// Who was lost twice, or does not come back.
    pub fn harmful_losses(&self, now: Duration, silence: Duration) -> Vec<String> {
        let mut found = Vec::new();
        for ((key, instance), (times, after)) in &self.losses {
            let is_gone = self.missing.iter().any(|missing| {
                let is_same = missing.key == *key && missing.instance == *instance;
                is_same && !missing.is_expected && now.saturating_sub(missing.lost_at) >= silence
            });
            let after = after.as_secs_f64();
            if *times >= 2 {
                found.push(format!(
                    "{key} was lost {times} times, the last time {after:.1} s after it was given this"
                ));
            } else if is_gone {
                let seconds = silence.as_secs();
                found.push(format!(
                    "{key} was lost {after:.1} s after it was given this and has not come back for {seconds} s"
                ));
            }
        }
        found
    }

    /// Streams that have taken it, or need nothing of what has changed.
    pub fn proven(&self) -> impl Iterator<Item = u64> + '_ {
        let proven = self
            .members
            .iter()
            .filter(|(_, member)| !member.was_sent || member.clear_at.is_some());
        proven.map(|(id, _)| *id)
    }

    /// Whether everybody who had it has gone, as they said they would.
    pub fn is_deserted(&self, now: Duration, silence: Duration) -> bool {
        let is_gone = |missing: &Missing| now.saturating_sub(missing.lost_at) >= silence;
        !self.members.values().any(|member| member.counts) && self.missing.iter().all(is_gone)
    }

    pub fn has_passed(
        &self,
        now: Duration,
        quiet: Duration,
        silence: Duration,
        is_witnessed: &dyn Fn(u64, &Member) -> bool,
    ) -> bool {
        let mut counted = self.members.iter().filter(|(_, member)| member.counts);
        // Of many some never answer, and were weighed as harm: they are not waited for.
        let is_many = self.counted() > 10;
        let is_done = |(id, member): (&u64, &Member)| {
            let is_given_up = is_many && now.saturating_sub(member.given_at) >= silence + quiet;
            (member.has_passed(now, quiet) && is_witnessed(*id, member)) || is_given_up
        };
        counted.all(is_done)
            && self
                .missing
                .iter()
                .all(|missing| now.saturating_sub(missing.lost_at) >= silence)
    }
}
