//! What the policy did to a request beyond choosing its target: each has a counter of its own.

/// One of the things that may happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The budget allowed fewer retries than the policy.
    RetryBudgetExhausted,
    /// A rate limit denied it.
    RateLimited,
    /// A circuit breaker refused it.
    BreakerRefused,
    /// Its end made a circuit breaker eject its target.
    BreakerEjected,
    /// It was delayed or aborted on purpose.
    FaultInjected,
    /// Its end completed the evidence against a canary.
    CanaryRolledBack,
}

impl Event {
    /// How many there are.
    pub const COUNT: usize = 6;
    /// All of them; each at its own place.
    pub const ALL: [Self; Self::COUNT] = [
        Self::RetryBudgetExhausted,
        Self::RateLimited,
        Self::BreakerRefused,
        Self::BreakerEjected,
        Self::FaultInjected,
        Self::CanaryRolledBack,
    ];

    /// The counter's name without labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetryBudgetExhausted => "ferromesh_retry_budget_exhausted_total",
            Self::RateLimited => "ferromesh_rate_limited_total",
            Self::BreakerRefused => "ferromesh_circuit_breaker_refused_total",
            Self::BreakerEjected => "ferromesh_circuit_breaker_ejections_total",
            Self::FaultInjected => "ferromesh_faults_injected_total",
            Self::CanaryRolledBack => "ferromesh_canary_rollbacks_total",
        }
    }
}

/// What happened to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(u8);

impl Events {
    /// One more.
    pub fn insert(&mut self, event: Event) {
        self.0 |= 1 << event as u8;
    }

    /// Whether it happened.
    #[must_use]
    pub fn contains(self, event: Event) -> bool {
        self.0 & (1 << event as u8) != 0
    }

    /// Whether nothing did.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Event> for Events {
    fn from(event: Event) -> Self {
        let mut events = Self::default();
        events.insert(event);
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_stands_for_itself() {
        for (index, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, index);
            let events = Events::from(event);
            assert!(Event::ALL
                .iter()
                .all(|other| events.contains(*other) == (*other == event)));
        }
        assert!(Events::default().is_empty());
    }
}
