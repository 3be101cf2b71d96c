//! How much of the audit record is kept.

use std::sync::{Mutex, PoisonError};

use ferromesh_store::{key, Change, Store, StoreError};

const DAY: f64 = 86_400.0;
/// The oldest are looked at once in so many writes.
const EVERY: u64 = 16;
/// Most records that one write takes with it: more than come in between.
const AT_ONCE: usize = 4 * EVERY as usize;
/// Records of other control planes over the same store are counted anew once in so many writes.
const RECOUNT: u64 = 10_000;

/// How much of the audit record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLimits {
    /// Of changes: 100,000 of at most 400 days by default.
    pub changes: AuditLimit,
    /// Of what was refused: 10,000 of at most 30 days by default.
    pub refusals: AuditLimit,
}

/// How much is kept of one sort of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLimit {
    /// Most records, at least 1; of more the latest are kept.
    pub most: usize,
    /// Most days, at least 1.
    pub days: u32,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self {
            changes: AuditLimit {
                most: 100_000,
                days: 400,
            },
            refusals: AuditLimit { most: 10_000, days: 30 },
        }
    }
}

/// Which records. Refusals are apart from the changes, so that whoever is refused often does not push them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Changes,
    Refusals,
}

impl Sort {
    fn prefix(self) -> &'static str {
        match self {
            Self::Changes => key::AUDIT_CHANGES,
            Self::Refusals => key::AUDIT_REFUSALS,
        }
    }
}

/// Counts of the records.
#[derive(Debug)]
pub(super) struct Retention {
    /// `None`: whoever writes does not know what the server keeps, and deletes nothing.
    limits: Option<AuditLimits>,
    counts: Mutex<[Count; 2]>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    writes: u64,
    kept: usize,
}

impl Retention {
    pub(super) fn new(limits: Option<AuditLimits>) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
        }
    }

    /// Counts one more record; gives back what is to be deleted with the same write.
    pub(super) fn outlived(&self, store: &dyn Store, sort: Sort, now: f64) -> Result<Vec<Change>, StoreError> {
        let Some(limits) = self.limits else {
            return Ok(Vec::new());
        };
        let kept = match sort {
            Sort::Changes => limits.changes,
            Sort::Refusals => limits.refusals,
        };
        let prefix = sort.prefix();
        let count = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(count) = counts.get_mut(sort as usize) else {
                return Ok(Vec::new());
            };
            count.writes += 1;
            count.kept += 1;
            *count
        };
        if count.writes % EVERY != 1 {
            return Ok(Vec::new());
        }
        let mut total = count.kept;
        if count.writes % RECOUNT == 1 {
            total = self::count(store, prefix)? + 1;
        }
        let oldest = store.list(prefix, None, Some(AT_ONCE))?.entries;
        let age = f64::from(kept.days) * DAY;
        let border = format!("{prefix}{}", super::stamp_of((now - age).max(0.0)));
        let surplus = total.saturating_sub(kept.most);
        let outlived = oldest.into_iter().enumerate();
        let outlived = outlived.filter(|(index, stored)| *index < surplus || stored.key < border);
        let deleted: Vec<Change> = outlived.map(|(_, stored)| Change::delete(stored.key)).collect();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = counts.get_mut(sort as usize) {
            known.kept = total.saturating_sub(deleted.len()) + known.kept.saturating_sub(count.kept);
        }
        Ok(deleted)
    }
}

fn count(store: &dyn Store, prefix: &str) -> Result<usize, StoreError> {
    let (mut total, mut after) = (0, None::<String>);
    loop {
        let entries = store.list(prefix, after.as_deref(), Some(1000))?.entries;
        total += entries.len();
        match entries.last() {
            Some(last) if entries.len() == 1000 => after = Some(last.key.clone()),
            _ => return Ok(total),
        }
    }
}
