//! Retries at another of a route's targets.

use ferromesh_model::policy::OnRetry;
use ferromesh_policy::breaker::Per;

use super::settings::Settings;
use super::Lowering;
use crate::lint::Code;
use crate::route::{Retry, Target};

impl Lowering<'_> {
    /// Whether a route's failed requests are tried again at another of its targets.
    pub fn tries_others(&mut self, settings: &Settings<'_>, targets: &[Target], resource: &str) -> bool {
        if settings.canary.on_retry != Some(OnRetry::AnotherTarget) || live(targets) < 2 {
            return false;
        }
        let breaker = settings.circuit_breaker;
        let counts = if settings.canary.rollback.is_some() {
            "a rollback"
        } else if breaker.is_some_and(|breaker| breaker.per == Per::Target) {
            "a circuit breaker per target"
        } else {
            return true;
        };
        let message = format!(
            "its retries stay at the target first chosen: it has {counts}, from which the other target's answers would hide failures"
        );
        self.lint(Code::RetriesStay, resource, message);
        false
    }

    /// The retries of such a route: one for each other target at most. For more Envoy finds none that it has not tried,
    /// writes a warning for each of them and stays where it is: a log that grows with every request while all targets fail.
    pub fn elsewhere(&mut self, retry: Retry, targets: &[Target], resource: &str) -> Retry {
        let others = u32::try_from(live(targets).saturating_sub(1)).unwrap_or(u32::MAX);
        if retry.max_retries > others {
            let message = format!(
                "its requests are retried {others} times instead of {}: once at each other target",
                retry.max_retries
            );
            self.lint(Code::FewerRetries, resource, message);
        }
        if retry.hedged {
            self.lint(
                Code::OverlapStays,
                resource,
                "its attempts that overlap stay at one target: Envoy chooses another only after a failure",
            );
        }
        Retry {
            max_retries: retry.max_retries.min(others),
            elsewhere: true,
            ..retry
        }
    }
}

/// How many targets can be chosen.
fn live(targets: &[Target]) -> usize {
    targets.iter().filter(|target| target.weight > 0).count()
}
