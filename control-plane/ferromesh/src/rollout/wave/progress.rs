//! How a wave goes on: from the first stream to a share, to all, or to its end.

use std::{collections::BTreeMap, time::Duration};

use super::{short, Effect, End, Holds, Member, Mesh, Stage, Stream, Witness};
use crate::identity::ProxyKey;

impl Mesh {
    pub(super) fn begin_first(&mut self, now: Duration, worth: &dyn Fn(&ProxyKey, &str) -> u64) -> Vec<Effect> {
        let Some(wave) = &self.wave else { return Vec::new() };
        let mut of_key: BTreeMap<&ProxyKey, usize> = BTreeMap::new();
        for stream in self.streams.values() {
            *of_key.entry(&stream.key).or_default() += 1;
        }
        let concerned = self
            .streams
            .iter()
            .filter(|(_, s)| wave.candidate.keys.contains_key(&s.key));
        let best = concerned.max_by_key(|(id, stream)| {
            let answers = stream.pending.is_empty();
            let streams = of_key.get(&stream.key).copied().unwrap_or_default();
            (
                answers,
                worth(&stream.key, &stream.instance),
                streams,
                std::cmp::Reverse(**id),
            )
        });
        match best.map(|(id, _)| *id) {
            Some(first) => self.give(now, Stage::First, &[first]),
            // Nobody is left: tried again when somebody comes.
            None => {
                self.wave = None;
                Vec::new()
            }
        }
    }

    fn give(&mut self, now: Duration, stage: Stage, streams: &[u64]) -> Vec<Effect> {
        let Some(wave) = &mut self.wave else { return Vec::new() };
        wave.stage = stage;
        wave.stage_began = now;
        for id in streams {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.holds = Holds::Candidate;
                wave.give(now, *id, &stream.key, &stream.instance, Member::counted(now));
            }
        }
        let mut effects: Vec<Effect> = streams.iter().map(|id| Effect::Holds(*id)).collect();
        effects.push(Effect::Staged {
            id: wave.candidate.id.clone(),
            stage,
            reached: wave.reached,
        });
        effects
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, witness: &dyn Witness) -> Vec<Effect> {
        let Some(wave) = &self.wave else { return Vec::new() };
        if self.is_withdrawn() {
            return self.end(End::Withdrawn);
        }
        if let Some(reason) = self.harm(now, witness) {
            return self.end(End::Rejected(reason));
        }
        if wave.is_deserted(now, self.rules.silence) {
            // Who had it has gone, as it said it would: somebody else is the first.
            self.wave = Some(wave.again(now));
            return self.begin_first(now, &|key, instance| witness.worth(key, instance));
        }
        let is_witnessed = |id: u64, member: &Member| self.is_witnessed(now, id, member, witness);
        if self.is_paused || !wave.has_passed(now, self.quiet(), self.rules.silence, &is_witnessed) {
            return Vec::new();
        }
        self.advance(now)
    }

    /// How long nothing may happen before a stage counts as passed. What an acknowledged listener asks for comes within
    /// milliseconds of it.
    fn quiet(&self) -> Duration {
        self.rules.observe.max(Duration::from_millis(200))
    }

    fn is_withdrawn(&self) -> bool {
        let Some(wave) = &self.wave else { return false };
        wave.candidate.keys.keys().all(|key| {
            let known = self.keys.get(key);
            known.is_none_or(|known| known.newest == known.accepted)
        })
    }

    /// What says that the candidate does harm: of the first anything, of later ones a tenth of them.
    fn harm(&self, now: Duration, witness: &dyn Witness) -> Option<String> {
        let wave = self.wave.as_ref()?;
        let silence = self.rules.silence;
        let mut found: Vec<String> = Vec::new();
        for (id, member) in wave.members.iter().filter(|(_, member)| member.counts) {
            let Some(stream) = self.streams.get(id) else { continue };
            let waits = stream
                .pending
                .iter()
                .map(|(type_url, at)| (type_url, (*at).max(member.given_at)));
            if let Some((type_url, at)) = waits.min_by_key(|(_, at)| *at) {
                if now.saturating_sub(at) >= silence {
                    let seconds = silence.as_secs();
                    found.push(format!(
                        "{} has not answered {} for {seconds} s",
                        stream.key,
                        short(type_url)
                    ));
                }
            }
            if self.is_unheard(now, *id, member, witness) {
                found.push(format!(
                    "{} was reported on, and has not been for {} s since it acknowledged this",
                    stream.key,
                    silence.as_secs()
                ));
            }
        }
        found.extend(wave.harmful_losses(now, silence));
        let counted = wave.counted();
        if found.is_empty() || found.len() * 10 < counted {
            return None;
        }
        let first = found.swap_remove(0);
        Some(match found.len() {
            0 => first,
            others => format!("{first}; so have {others} more of {counted}"),
        })
    }

    fn advance(&mut self, now: Duration) -> Vec<Effect> {
        let Some(wave) = &self.wave else { return Vec::new() };
        let concerned = |stream: &Stream| wave.candidate.keys.contains_key(&stream.key);
        let total = self.streams.values().filter(|stream| concerned(stream)).count();
        let mut left: BTreeMap<&ProxyKey, Vec<u64>> = BTreeMap::new();
        for (id, stream) in &self.streams {
            if concerned(stream) && stream.holds == Holds::Accepted {
                left.entry(&stream.key).or_default().push(*id);
            }
        }
        let count: usize = left.values().map(Vec::len).sum();
        if count == 0 {
            return self.end(End::Accepted);
        }
        let share = (total * usize::from(self.rules.share_percent)).div_ceil(100).max(1);
        if wave.stage == Stage::First && share < count {
            // One of each proxy before two of any.
            let mut turns: Vec<(usize, u64)> = Vec::with_capacity(count);
            for streams in left.into_values() {
                turns.extend(streams.into_iter().enumerate());
            }
            turns.sort_unstable();
            let next: Vec<u64> = turns.into_iter().take(share).map(|(_, id)| id).collect();
            return self.give(now, Stage::Share, &next);
        }
        let next: Vec<u64> = left.into_values().flatten().collect();
        self.give(now, Stage::All, &next)
    }
}
