//! What a VM tells the control plane of its canaries: counts since the last report, in one call for all of them.
//!
//! A report counts once. It has a number, and until it is answered it is sent again as it was: the control plane
//! passes by what it has taken before, also where only the answer was lost. What happens meanwhile is counted for
//! the next one. Counts older than [`MAX_AGE`] are thrown away, because a comparison of versions must not mix the
//! requests of different times.

use std::time::Duration;

use super::rollback::{Cause, Counts, Rollback, RollbackRules, Side};
use crate::vm::SharedState;
use crate::{Decimal, Draws};

/// How old the requests of a report may be.
pub const MAX_AGE: Duration = Duration::from_secs(60);

/// Canaries in one report, of about 200 bytes each.
pub const MAX_CANARIES: usize = 500;

/// The time between two reports of a VM.
const PERIOD: Duration = Duration::from_millis(PERIOD_MILLIS);
const PERIOD_MILLIS: u64 = 5_000;

/// How long an answer is waited for. The host's own limit is shorter, so this is for answers that never come,
/// because the plugin that asked has gone.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A canary and its baseline, as one VM sees them.
#[derive(Debug)]
pub(crate) struct Watch {
    /// What the VM makes of its own requests.
    pub(crate) rollback: Rollback,
    tally: Tally,
}

/// Requests since they were last reported.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    canary: Counts,
    baseline: Counts,
    /// When the first of them ended.
    since: Option<Duration>,
}

impl Watch {
    pub(crate) fn new(rules: RollbackRules) -> Self {
        Self {
            rollback: Rollback::new(rules),
            tally: Tally::default(),
        }
    }

    /// One request ended. A cause comes back as from [`Rollback::record`].
    pub(crate) fn record(&mut self, now: Duration, target: usize, is_error: bool, millis: u32) -> Option<Cause> {
        let rules = self.rollback.rules();
        let one = rules.one(is_error, millis);
        match rules.side(target)? {
            Side::Canary => self.tally.canary.add(one),
            Side::Baseline => self.tally.baseline.add(one),
        }
        self.tally.since.get_or_insert(now);
        self.rollback.record(now, target, is_error, millis)
    }
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    cluster: String,
    path: String,
}

impl Destination {
    /// From `cluster/path`.
    pub(crate) fn new(place: &str) -> Option<Self> {
        let (cluster, path) = place.split_at_checked(place.find('/')?)?;
        (!cluster.is_empty()).then(|| Self {
            cluster: cluster.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// A report to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The Envoy cluster that leads to the control plane.
    pub cluster: &'a str,
    /// The path to post it to.
    pub path: &'a str,
    /// JSON.
    pub body: &'a [u8],
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The control plane has looked at it: taken or refused, it is not wanted again.
    Answered,
    /// It did not get there, or nobody knows: it is sent again.
    Failed,
}

/// The reports of one VM, one under way at a time.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Tells this VM's numbers from others'; 0: not drawn yet.
    sender: u64,
    number: u64,
    /// The report that is not answered yet.
    body: Vec<u8>,
    /// When the oldest of its requests ended; `None`: there is no report.
    since: Option<Duration>,
    /// When it was sent, as long as an answer may come.
    sent: Option<Duration>,
    next: Option<Duration>,
}

impl Outbox {
    /// Whether a report may be sent now. A look that finds so is the one of its period.
    pub(crate) fn is_due(&mut self, now: Duration, draws: &mut Draws) -> bool {
        if self.sent.is_some_and(|sent| now.saturating_sub(sent) > MAX_WAIT) {
            self.sent = None;
        }
        // Proxies that were configured at the same moment do not report at the same moment.
        let next = *self
            .next
            .get_or_insert_with(|| now.saturating_add(Duration::from_millis(draws.below(PERIOD_MILLIS))));
        if self.sent.is_some() || now < next {
            return false;
        }
        if self.sender == 0 {
            self.sender = draws.non_zero();
        }
        self.next = Some(now.saturating_add(PERIOD));
        true
    }

    /// The report to be sent, if there is anything to tell: the one that was not answered, or a new one of all counts.
    pub(crate) fn take<'a, 'w>(
        &'a mut self,
        now: Duration,
        to: &'a Destination,
        watches: impl Iterator<Item = (&'w str, &'w SharedState<Watch>)>,
    ) -> Option<Report<'a>> {
        let is_old = |since: Duration| now.saturating_sub(since) > MAX_AGE;
        if self.since.is_some_and(is_old) {
            self.since = None;
        }
        if self.since.is_none() {
            self.body.clear();
            let mut count = 0;
            for (key, watch) in watches {
                let Ok(mut watch) = watch.try_borrow_mut() else {
                    continue;
                };
                let Some(since) = watch.tally.since else { continue };
                if count >= MAX_CANARIES {
                    break;
                }
                let tally = std::mem::take(&mut watch.tally);
                if !is_old(since) {
                    self.write(count == 0, key, &tally);
                    count += 1;
                    self.since = Some(self.since.map_or(since, |oldest| oldest.min(since)));
                }
            }
        }
        self.since?;
        self.sent = Some(now);
        Some(Report {
            cluster: &to.cluster,
            path: &to.path,
            body: &self.body,
        })
    }

    /// The report that was given out last has ended.
    pub(crate) fn ended(&mut self, delivery: Delivery) {
        self.sent = None;
        if delivery == Delivery::Answered {
            self.since = None;
        }
    }

    /// Adds the counts of one canary. What is written stays a whole document after each.
    fn write(&mut self, is_first: bool, key: &str, tally: &Tally) {
        if is_first {
            self.number += 1;
            self.put("{\"sender\":", self.sender);
            self.put(",\"number\":", self.number);
            self.body.extend_from_slice(b",\"canaries\":[");
        } else {
            self.body.truncate(self.body.len().saturating_sub(CLOSING.len()));
            self.body.push(b',');
        }
        // A key needs no escapes: it was checked.
        for part in ["{\"key\":\"", key, "\""] {
            self.body.extend_from_slice(part.as_bytes());
        }
        for (name, counts) in [(",\"canary\":", tally.canary), (",\"baseline\":", tally.baseline)] {
            self.body.extend_from_slice(name.as_bytes());
            self.put("{\"requests\":", counts.requests);
            self.put(",\"errors\":", counts.errors);
            self.put(",\"slow\":", counts.slow);
            self.body.push(b'}');
        }
        self.body.push(b'}');
        self.body.extend_from_slice(CLOSING);
    }

    fn put(&mut self, name: &str, number: u64) {
        self.body.extend_from_slice(name.as_bytes());
        self.body.extend_from_slice(Decimal::new(number).as_bytes());
    }
}

/// The end of a report's JSON.
const CLOSING: &[u8] = b"]}";
