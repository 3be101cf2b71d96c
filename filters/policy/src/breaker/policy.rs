//! A compiled circuit breaker.

use std::time::Duration;

use super::config::{Config, Per};
use crate::Violation;

/// A compiled circuit breaker: integers only, so that all platforms decide alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is ejected.
    pub per: Per,
    /// The status of a request that finds everything ejected.
    pub status: u16,
    pub(super) window: Duration,
    pub(super) min_requests: u32,
    pub(super) error_micro: u64,
    pub(super) slow: Option<Duration>,
    pub(super) slow_micro: Option<u64>,
    pub(super) eject: Duration,
    pub(super) longest: Duration,
    pub(super) probes: u32,
}

impl Policy {
    /// Compiles.
    ///
    /// # Errors
    /// Numbers out of their ranges, one of `slowMillis` and `slowRatio` without the other.
    pub fn compile(config: &Config) -> Result<Self, Vec<Violation>> {
        let violations = config.check();
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            per: config.per,
            status: config.status,
            window: Duration::from_secs(u64::from(config.window_seconds)),
            min_requests: config.min_requests,
            error_micro: micro(config.error_ratio),
            slow: config
                .slow_millis
                .map(|millis| Duration::from_millis(u64::from(millis))),
            slow_micro: config.slow_ratio.map(micro),
            eject: Duration::from_secs(u64::from(config.eject_seconds)),
            longest: Duration::from_secs(u64::from(config.longest_seconds())),
            probes: config.probes,
        })
    }
}

fn micro(ratio: f64) -> u64 {
    // Checked to be 0.000001 to 1; the cast saturates otherwise.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let micro = (ratio * 1e6 + 0.5) as u64;
    micro
}
