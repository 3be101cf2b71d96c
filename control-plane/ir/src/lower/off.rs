//! What policies switch off: settings that wider policies have made and that a narrower one takes back.

use ferromesh_model::policy::{
    CanarySettings, ExtAuthz, Forwarded, Jwt, JwtRequirement, ObservabilitySettings, Off, RetrySettings,
};
use ferromesh_policy::observability::TraceContext;

use super::guard::Entrance;
use super::settings::{Named, Settings};
use super::Lowering;
use crate::lint::Code;

/// Nothing is measured and nothing told.
const NOTHING_TOLD: ObservabilitySettings = ObservabilitySettings {
    enabled: Some(false),
    response_headers: Some(false),
    trace_context: Some(TraceContext(None)),
    request_id: Some(false),
    keep_request_id: None,
    server_timing: Some(false),
    grpc: Some(false),
    app_mesh: Some(false),
    attempts: Some(false),
    access_log: Some(false),
};

impl Settings<'_> {
    /// Forgets what has been said of a member.
    pub fn switch_off(&mut self, off: Off) {
        let (canary, retry) = (&mut self.canary, &mut self.retry);
        match off {
            Off::Canary => *canary = CanarySettings::default(),
            Off::CanarySticky => canary.sticky = None,
            Off::CanaryOverride => canary.r#override = None,
            Off::CanaryRamp => canary.ramp = None,
            Off::CanaryRollback => canary.rollback = None,
            Off::Retry => {
                *retry = RetrySettings {
                    enabled: Some(false),
                    ..RetrySettings::default()
                }
            }
            Off::RetryIdempotencyKeyHeader => retry.idempotency_key_header = None,
            Off::RetryBudget => retry.budget = None,
            Off::RetryHeaders => retry.headers = None,
            Off::RetryBackoff => retry.backoff = None,
            Off::RetryRetryAfter => retry.retry_after = None,
            Off::RetryHedging => retry.hedging = None,
            Off::Observability => self.observability = NOTHING_TOLD,
            Off::RateLimit => self.rate_limit = None,
            Off::CircuitBreaker => self.circuit_breaker = None,
            Off::Fault => self.fault = None,
            Off::Headers => self.headers = None,
            Off::Mirror => self.mirror = None,
            Off::Jwt => self.jwt = None,
            Off::ExtAuthz => self.ext_authz = None,
            Off::Forwarded => self.forwarded = Forwarded::default(),
        }
    }

    /// Whether there is each of the members without which requests pass that would not have passed with it.
    pub fn protection(&self) -> [(Off, bool); 4] {
        let asks_tokens = |(_, jwt): Named<'_, Jwt>| jwt.require != Some(JwtRequirement::Off);
        let asks_service = |(_, authz): Named<'_, ExtAuthz>| authz.enabled != Some(false);
        [
            (Off::RateLimit, self.rate_limit.is_some()),
            (Off::CircuitBreaker, self.circuit_breaker.is_some()),
            (Off::Jwt, self.jwt.is_some_and(asks_tokens)),
            (Off::ExtAuthz, self.ext_authz.is_some_and(asks_service)),
        ]
    }
}

impl Lowering<'_> {
    /// Says in the proxy's status where a policy has taken back what a wider one protects requests with.
    pub fn note_switched_off(&mut self, settings: &Settings<'_>, entrance: Entrance, resource: &str) {
        for (off, policy) in &settings.switched_off {
            let is_asked_here = entrance == Entrance::Here || !matches!(off, Off::Jwt | Off::ExtAuthz);
            if is_asked_here {
                let message = format!(
                    "{} is off on it: policy {policy} takes back what a wider one asks",
                    off.as_str()
                );
                self.lint(Code::ProtectionOff, resource, message);
            }
        }
    }
}
