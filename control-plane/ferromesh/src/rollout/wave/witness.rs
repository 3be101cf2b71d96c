//! What is known of streams besides their answers: whether they are reported on, and until when.
//!
//! A stage has not been watched before somebody has looked. So it waits for a report of what was counted at the end of
//! its observation, of every Envoy that has an agent (decision 0050).

use std::time::Duration;

use super::{Member, Mesh};
use crate::identity::ProxyKey;

/// What a report may take from the agent to here, beyond the time after which it is missed.
const LATE: Duration = Duration::from_secs(2);

/// What agents have reported, as far as a wave asks.
pub trait Witness {
    /// How much an instance would show if it were the first.
    fn worth(&self, key: &ProxyKey, instance: &str) -> u64;

    /// What an instance has reported; `None`: nothing, or nothing for long when it was given the candidate at `since`.
    fn heard(&self, key: &ProxyKey, instance: &str, since: Duration) -> Option<Heard>;
}

/// What an instance has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Until when everything is known that it has counted.
    pub until: Duration,
    /// When one of its worker threads was seen the last time to have stood still, since it was given the candidate; `None`, too,
    /// if that has happened before.
    pub stalled_at: Option<Duration>,
}

/// Who has been given a candidate, whether it is still there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The proxy.
    pub key: ProxyKey,
    /// Which of its instances.
    pub instance: String,
    /// When it was given the candidate for the first time.
    pub since: Duration,
    /// How often its stream was lost unexpectedly since.
    pub losses: u32,
}

impl Mesh {
    /// An agent reports on the Envoy of this stream, or will.
    pub fn expect_reports(&mut self, stream: u64) {
        if let Some(known) = self.streams.get_mut(&stream) {
            known.has_agent = true;
        }
    }

    /// Everybody who has been given the candidate.
    pub fn tried(&self) -> Vec<Tried> {
        let given = self.wave.iter().flat_map(|wave| &wave.given);
        given
            .map(|((key, instance), given)| Tried {
                key: key.clone(),
                instance: instance.clone(),
                since: given.since,
                losses: given.losses,
            })
            .collect()
    }

    /// Whether what a stream's Envoy has done during the whole observation is known, as far as it will ever be.
    pub(super) fn is_witnessed(&self, now: Duration, id: u64, member: &Member, witness: &dyn Witness) -> bool {
        let Some((heard, watched)) = self.watched(id, member, witness) else {
            return true;
        };
        match heard {
            // A thread that stands still is ended by Envoy's watchdog, and Envoy with it; or it is only slow, as ever.
            Some(heard) => {
                let silence = self.rules.silence;
                let is_calm = |at| now.saturating_sub(at) >= silence || now >= watched + 2 * silence;
                heard.until >= watched && heard.stalled_at.is_none_or(is_calm)
            }
            // An agent whose reports don't get here: the answers have to do.
            None => now >= watched + self.rules.silence,
        }
    }

    /// Why a stream that has answered everything is silent all the same: it was reported on, and is not any more. As when
    /// the main thread gets stuck after it has acknowledged.
    pub(super) fn is_unheard(&self, now: Duration, id: u64, member: &Member, witness: &dyn Witness) -> bool {
        let (Some((Some(heard), watched)), Some(clear_at)) = (self.watched(id, member, witness), member.clear_at)
        else {
            return false;
        };
        heard.until < watched && now.saturating_sub(heard.until.max(clear_at)) >= self.rules.silence + LATE
    }

    /// What was heard of a stream that is observed and should be reported on, and when its observation ends.
    fn watched(&self, id: u64, member: &Member, witness: &dyn Witness) -> Option<(Option<Heard>, Duration)> {
        let (stream, clear_at) = (self.streams.get(&id)?, member.clear_at?);
        if self.rules.observe.is_zero() {
            return None;
        }
        let given = self.wave.as_ref()?.since(&stream.key, &stream.instance);
        let since = given.unwrap_or(member.given_at);
        let heard = witness.heard(&stream.key, &stream.instance, since);
        (stream.has_agent || heard.is_some()).then_some((heard, clear_at + self.rules.observe))
    }
}
