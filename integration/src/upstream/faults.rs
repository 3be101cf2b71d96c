//! Which requests an upstream server fails, and how. Reproducible: the same settings fail the same requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What goes wrong. All zero: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Faults {
    /// The share of requests that fail, in per cent, 0.0–100.0.
    pub percent: f64,
    /// The first so many requests fail, counted from the moment these settings came.
    pub first: u64,
    /// The status that a failing request gets.
    pub status: u16,
    /// A failing request gets no answer at all: its connection is closed.
    pub reset: bool,
    /// A failing request's answer asks to come again after so many seconds (`retry-after`); 0: it does not.
    pub retry_after: u32,
    /// Every request, failing or not, waits so long, in milliseconds.
    pub delay_millis: u64,
    /// Chooses which requests the share falls on.
    pub seed: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            percent: 0.0,
            first: 0,
            status: 503,
            reset: false,
            retry_after: 0,
            delay_millis: 0,
            seed: 1,
        }
    }
}

/// How one request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Status(u16),
    Reset,
}

/// The running state of [`Faults`].
#[derive(Debug)]
pub(super) struct Injector {
    faults: Faults,
    served: u64,
}

impl Injector {
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, served: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Fault> {
        let number = self.served;
        self.served += 1;
        let drawn = unit(self.faults.seed.wrapping_add(number)) * 100.0 < self.faults.percent;
        (number < self.faults.first || drawn).then_some(if self.faults.reset {
            Fault::Reset
        } else {
            Fault::Status(self.faults.status)
        })
    }

    pub(super) fn retry_after(&self) -> Option<u32> {
        Some(self.faults.retry_after).filter(|seconds| *seconds > 0)
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.faults.delay_millis)
    }
}

/// A number in [0, 1) from a counter: the finaliser of splitmix64, whose outputs for successive inputs
/// are independent enough for a share.
fn unit(counter: u64) -> f64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_the_first_k_requests_and_no_more() {
        let mut injector = Injector::new(Faults {
            first: 3,
            status: 500,
            ..Faults::default()
        });
        let faults: Vec<_> = (0..5).map(|_| injector.next()).collect();
        assert_eq!(faults[..3], [Some(Fault::Status(500)); 3]);
        assert_eq!(faults[3..], [None, None]);
    }

    #[test]
    fn fails_about_the_share_that_was_asked_for() {
        let mut injector = Injector::new(Faults {
            percent: 10.0,
            ..Faults::default()
        });
        let failed = (0..20_000).filter(|_| injector.next().is_some()).count();
        assert!((1873..=2127).contains(&failed), "{failed} of 20000");
    }

    #[test]
    fn refuses_settings_it_does_not_know() {
        assert!(serde_json::from_str::<Faults>(r#"{"precent": 10}"#).is_err());
    }
}
