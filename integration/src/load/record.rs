//! What is kept of each request, and the questions that tests put to it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::stats;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Answered(u16),
    /// No whole answer: refused, reset, cut off, too late. The text says what.
    Failed(Arc<str>),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was sent, on the load's clock.
    pub at: Duration,
    /// From sending to the end of the answer's body.
    pub latency: Duration,
    pub outcome: Outcome,
    /// The values of the noted headers, in the order they were asked for.
    pub noted: Vec<Option<Arc<str>>>,
}

impl Record {
    /// Anything but a status of 200 to 399 is a failure.
    pub fn is_failure(&self) -> bool {
        !matches!(self.outcome, Outcome::Answered(200..=399))
    }

    /// The first noted header's value, or nothing.
    pub fn note(&self) -> Option<&str> {
        self.noted.first()?.as_deref()
    }
}

/// Where the connections write. Ordered by the end of the requests, not by their beginning.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<Record>>);

impl Journal {
    pub(super) fn write(&self, record: Record) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    pub(super) fn forget_before(&self, moment: Duration) {
        let mut journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        journal.retain(|record| record.at >= moment);
    }

    pub(super) fn since(&self, from: Duration) -> Report {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = journal.iter().filter(|r| r.at >= from).cloned().collect();
        drop(journal);
        records.sort_by_key(|record| record.at);
        Report { records }
    }
}

/// Requests in the order they were sent.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub records: Vec<Record>,
}

impl Report {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The requests sent in `[from, to)` of the load's clock.
    pub fn between(&self, from: Duration, to: Duration) -> Report {
        let within = |record: &&Record| (from..to).contains(&record.at);
        Report {
            records: self.records.iter().filter(within).cloned().collect(),
        }
    }

    pub fn failures(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.is_failure())
    }

    /// How many answers had each status; requests without an answer stand under 0.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for record in &self.records {
            let status = match record.outcome {
                Outcome::Answered(status) => status,
                Outcome::Failed(_) => 0,
            };
            *statuses.entry(status).or_default() += 1;
        }
        statuses
    }

    /// How many answers had each value of the first noted header; answers without it stand under "".
    pub fn notes(&self) -> BTreeMap<String, usize> {
        let mut notes = BTreeMap::new();
        for record in &self.records {
            *notes.entry(record.note().unwrap_or("").to_owned()).or_default() += 1;
        }
        notes
    }

    /// A percentile (0.0–100.0) of the latency of all requests.
    pub fn latency(&self, percent: f64) -> Duration {
        let mut latencies: Vec<_> = self.records.iter().map(|record| record.latency).collect();
        stats::percentile(&mut latencies, percent)
    }

    /// Panics with the first failures if there is any: for tests.
    #[track_caller]
    pub fn assert_no_failures(&self, what: &str) {
        let failed: Vec<_> = self.failures().collect();
        assert!(
            failed.is_empty(),
            "{what}: {} of {} requests failed, first: {:?}",
            failed.len(),
            self.len(),
            &failed[..failed.len().min(5)]
        );
    }

    /// Panics unless the share of `value` in the first noted header is within 4 standard deviations of
    /// `expected` (0.0–1.0): for tests. Of three, one right split in 370 is off, which the test suite as a
    /// whole would meet every few runs; of four, one in 16,000.
    #[track_caller]
    pub fn assert_share(&self, value: &str, expected: f64) {
        let notes = self.notes();
        let hits = notes.get(value).copied().unwrap_or(0);
        let off = stats::sigmas(hits, self.len(), expected);
        assert!(
            off <= 4.0,
            "{value} got {hits} of {} requests where {:.1} % were due: {off:.1} standard deviations off; all: {notes:?}",
            self.len(),
            expected * 100.0
        );
    }
}
