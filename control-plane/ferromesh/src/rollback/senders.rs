//! Which report of a worker was taken last: one that comes again is not counted again.

use std::{collections::BTreeMap, time::Duration};

use crate::identity::ProxyKey;

/// A worker that has said nothing for this long is not waited for: what it repeats is too old to be sent again.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Workers that are remembered; beyond them those that have said nothing for the longest time are forgotten.
const MAX_SENDERS: usize = 100_000;

/// Whether a report is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    New,
    /// It was taken before.
    Before,
}

/// The workers, by proxy and their own random numbers: nobody can speak for a worker whose number they do not know.
#[derive(Debug, Default)]
pub(super) struct Senders {
    last: BTreeMap<(ProxyKey, u64), (u64, Duration)>,
    swept: Duration,
}

impl Senders {
    /// Takes note of a report.
    pub(super) fn place(&mut self, now: Duration, proxy: &ProxyKey, sender: u64, number: u64) -> Place {
        if self.last.len() >= MAX_SENDERS || now.saturating_sub(self.swept) > FORGET_AFTER {
            self.sweep(now);
        }
        let (last, at) = self.last.entry((proxy.clone(), sender)).or_default();
        *at = now;
        if number <= *last {
            return Place::Before;
        }
        *last = number;
        Place::New
    }

    fn sweep(&mut self, now: Duration) {
        self.swept = now;
        self.last.retain(|_, (_, at)| now.saturating_sub(*at) < FORGET_AFTER);
        if self.last.len() >= MAX_SENDERS {
            let mut times: Vec<Duration> = self.last.values().map(|(_, at)| *at).collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied().unwrap_or_default();
            self.last.retain(|_, (_, at)| *at > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn proxy(name: &str) -> ProxyKey {
        Identity::parse(&format!("mesh/m/virtualNode/{name}")).unwrap().key()
    }

    #[test]
    fn a_report_counts_once_for_each_worker() {
        let mut senders = Senders::default();
        let mut place = |name, sender, number| senders.place(Duration::ZERO, &proxy(name), sender, number);
        assert_eq!((place("a", 1, 1), place("a", 1, 1)), (Place::New, Place::Before));
        assert_eq!((place("a", 2, 1), place("b", 1, 1)), (Place::New, Place::New));
        assert_eq!((place("a", 1, 3), place("a", 1, 2)), (Place::New, Place::Before));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut senders = Senders::default();
        for sender in 0..=2 * MAX_SENDERS as u64 {
            senders.place(Duration::from_millis(sender), &proxy("a"), sender, 1);
        }
        assert!(senders.last.len() <= MAX_SENDERS, "{}", senders.last.len());
        let last = 2 * MAX_SENDERS as u64;
        assert_eq!(
            senders.place(Duration::from_millis(last), &proxy("a"), last, 1),
            Place::Before,
            "the newest are kept"
        );
    }
}
