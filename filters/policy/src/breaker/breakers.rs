//! The breakers of one route: one for each target, or one for all.

use std::time::Duration;

use super::config::Per;
use super::outcome::Ended;
use super::policy::Policy;
use super::state::{Admission, Breaker, State, Token};
use crate::canary::Admitting;

/// The breakers of one route or virtual service in one worker.
#[derive(Clone, Debug)]
pub struct Breakers {
    breakers: Vec<Breaker>,
    per: Per,
}

impl Breakers {
    /// Breakers without history for `targets` targets, of which a route has 1 to 100.
    #[must_use]
    pub fn new(policy: &Policy, targets: usize) -> Self {
        let count = match policy.per {
            Per::Target => targets.max(1),
            Per::Service => 1,
        };
        Self {
            breakers: vec![Breaker::new(policy); count],
            per: policy.per,
        }
    }

    /// The targets that would admit a request now: the canary chooses among them by their weights. A target whose
    /// ejection is over is among them until its probe is under way.
    #[must_use]
    pub fn admitting(&self, now: Duration) -> Admitting {
        if self.per == Per::Service {
            return Admitting::ALL;
        }
        let refusing = self
            .breakers
            .iter()
            .enumerate()
            .filter(|(_, breaker)| !breaker.refuses_for(now).is_zero());
        refusing.fold(Admitting::ALL, |set, (target, _)| set.without(target))
    }

    /// Decides about one request for a target. One whose target of several is not known is admitted and says nothing.
    /// A refusal tells when the first of all targets will admit one.
    pub fn admit(&mut self, now: Duration, target: Option<usize>) -> Admission {
        let Some(breaker) = self.breaker(target) else {
            return Admission::Admit(Token::default());
        };
        match breaker.admit(now) {
            Admission::Refuse { retry_after } => Admission::Refuse {
                retry_after: self
                    .soonest(now)
                    .filter(|soonest| !soonest.is_zero())
                    .unwrap_or(retry_after),
            },
            admitted => admitted,
        }
    }

    /// Records the end of an admitted request; the target's state, where it changed.
    pub fn record(
        &mut self,
        now: Duration,
        target: Option<usize>,
        token: Token,
        ended: Ended,
        took: Duration,
    ) -> Option<State> {
        self.breaker(target)?.record(now, token, ended, took)
    }

    /// The state of each breaker, as of its last call.
    pub fn states(&self) -> impl Iterator<Item = State> + '_ {
        self.breakers.iter().map(Breaker::state)
    }

    fn soonest(&self, now: Duration) -> Option<Duration> {
        self.breakers.iter().map(|breaker| breaker.refuses_for(now)).min()
    }

    fn breaker(&mut self, target: Option<usize>) -> Option<&mut Breaker> {
        let index = match self.per {
            Per::Target if self.breakers.len() > 1 => target?,
            Per::Target | Per::Service => 0,
        };
        self.breakers.get_mut(index)
    }
}
