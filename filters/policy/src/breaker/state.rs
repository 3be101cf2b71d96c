//! One breaker: the states of one upstream in one worker.

use std::time::Duration;

use super::outcome::{Ended, Outcome};
use super::policy::Policy;
use super::window::{Counts, Window};

const MILLION: u64 = 1_000_000;
/// What a request is told to wait for while a probe is under way.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// What a breaker does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They go on.
    Admitting,
    /// They are kept away.
    Ejecting,
    /// One at a time goes on.
    Probing,
}

/// What is to be done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It goes on; its end is to be recorded with the token.
    Admit(Token),
    /// It goes on as a probe; its end is to be recorded with the token.
    Probe(Token),
    /// It is kept away.
    Refuse {
        /// When another may be admitted, from now.
        retry_after: Duration,
    },
}

/// Belongs to an admitted request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// Requests that were admitted before the last change of state say nothing about what came after.
    epoch: u32,
}

/// The state of one upstream in one worker.
#[derive(Clone, Debug)]
pub struct Breaker {
    policy: Policy,
    window: Window,
    phase: Phase,
    epoch: u32,
    /// Ejections that followed each other.
    trips: u32,
    /// When the last ejection ended for good, and how long it was.
    last: Option<(Duration, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Admitting,
    Ejecting {
        since: Duration,
        lasts: Duration,
    },
    Probing {
        succeeded: u32,
        /// When the probe that is under way began.
        probe: Option<Duration>,
        /// How long the ejection before was.
        lasted: Duration,
    },
}

impl Breaker {
    /// A breaker without history.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            policy: *policy,
            window: Window::new(policy.window),
            phase: Phase::Admitting,
            epoch: 0,
            trips: 0,
            last: None,
        }
    }

    /// What it does with requests, as of the last call.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Admitting => State::Admitting,
            Phase::Ejecting { .. } => State::Ejecting,
            Phase::Probing { .. } => State::Probing,
        }
    }

    /// How long requests are refused from now; 0: one would be admitted. Changes nothing.
    #[must_use]
    pub fn refuses_for(&self, now: Duration) -> Duration {
        match self.phase {
            Phase::Admitting => Duration::ZERO,
            Phase::Ejecting { since, lasts } => Self::left(now, since, lasts),
            Phase::Probing { probe: None, .. } => Duration::ZERO,
            Phase::Probing { probe: Some(began), .. } => Self::left(now, began, self.policy.eject).min(PROBE_WAIT),
        }
    }

    /// Decides about one request.
    pub fn admit(&mut self, now: Duration) -> Admission {
        // A clock that went back begins the span anew, or it would last for as long as the clock has lost.
        match &mut self.phase {
            Phase::Ejecting { since: began, .. } | Phase::Probing { probe: Some(began), .. } => {
                *began = now.min(*began)
            }
            Phase::Admitting | Phase::Probing { probe: None, .. } => {}
        }
        let retry_after = self.refuses_for(now);
        if !retry_after.is_zero() {
            return Admission::Refuse { retry_after };
        }
        match self.phase {
            Phase::Admitting => Admission::Admit(Token { epoch: self.epoch }),
            Phase::Ejecting { lasts, .. } => self.probe(now, 0, lasts),
            // A probe that was under way for as long as an ejection will hardly say more: another takes its place.
            Phase::Probing { succeeded, lasted, .. } => self.probe(now, succeeded, lasted),
        }
    }

    /// Records the end of an admitted request that took `took`; the state, where it changed.
    pub fn record(&mut self, now: Duration, token: Token, ended: Ended, took: Duration) -> Option<State> {
        if token.epoch != self.epoch {
            return None;
        }
        let outcome = ended.outcome(took, self.policy.slow);
        match self.phase {
            Phase::Admitting => self.count(now, outcome),
            Phase::Ejecting { .. } => None,
            Phase::Probing { succeeded, lasted, .. } => self.probed(now, outcome, succeeded, lasted),
        }
    }

    fn count(&mut self, now: Duration, outcome: Outcome) -> Option<State> {
        let counts = self.window.count(now, outcome);
        // Good news never ejects.
        let is_bad = matches!(outcome, Outcome::Error | Outcome::Slow);
        (is_bad && self.policy.ejects(counts)).then(|| self.eject(now))
    }

    fn probe(&mut self, now: Duration, succeeded: u32, lasted: Duration) -> Admission {
        // Each probe is an epoch of its own: one that was given up says nothing later.
        self.enter(Phase::Probing {
            succeeded,
            probe: Some(now),
            lasted,
        });
        Admission::Probe(Token { epoch: self.epoch })
    }

    fn probed(&mut self, now: Duration, outcome: Outcome, succeeded: u32, lasted: Duration) -> Option<State> {
        let succeeded = match outcome {
            Outcome::Error | Outcome::Slow => return Some(self.eject(now)),
            Outcome::Success => succeeded.saturating_add(1),
            Outcome::Nothing => succeeded,
        };
        if succeeded >= self.policy.probes {
            self.window.clear();
            self.last = Some((now, lasted));
            self.enter(Phase::Admitting);
            return Some(State::Admitting);
        }
        self.enter(Phase::Probing {
            succeeded,
            probe: None,
            lasted,
        });
        None
    }

    fn eject(&mut self, now: Duration) -> State {
        // After as long a time of health as it was away, and a window more, an upstream begins anew.
        let is_new = self.last.is_some_and(|(ended, lasted)| {
            self.phase == Phase::Admitting && now.saturating_sub(ended) > lasted.saturating_add(self.policy.window)
        });
        self.trips = if is_new { 1 } else { self.trips.saturating_add(1) };
        // 2^17 seconds are more than the longest ejection may have.
        let factor = 1_u32 << (self.trips - 1).min(17);
        let lasts = self.policy.eject.saturating_mul(factor).min(self.policy.longest);
        self.enter(Phase::Ejecting { since: now, lasts });
        State::Ejecting
    }

    fn enter(&mut self, phase: Phase) {
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = phase;
    }

    /// What is left of a span.
    fn left(now: Duration, since: Duration, lasts: Duration) -> Duration {
        lasts.saturating_sub(now.saturating_sub(since))
    }
}

impl Policy {
    fn ejects(&self, counts: Counts) -> bool {
        let reaches = |part: u32, micro: u64| u64::from(part) * MILLION >= u64::from(counts.requests) * micro;
        counts.requests >= self.min_requests
            && (reaches(counts.errors, self.error_micro)
                || self.slow_micro.is_some_and(|micro| reaches(counts.slow, micro)))
    }
}
