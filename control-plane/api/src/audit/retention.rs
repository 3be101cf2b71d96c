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

/// What is kept of one sort of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    prefix: &'static str,
    most: usize,
    /// In seconds.
    age: f64,
    index: usize,
}

pub(super) const CHANGES: Kept = Kept {
    prefix: key::AUDIT_CHANGES,
    most: 100_000,
    age: 400.0 * DAY,
    index: 0,
};

/// Apart from the changes, so that whoever is refused often does not push them out.
pub(super) const REFUSALS: Kept = Kept {
    prefix: key::AUDIT_REFUSALS,
    most: 10_000,
    age: 30.0 * DAY,
    index: 1,
};

/// Counts of the records.
#[derive(Debug, Default)]
pub(super) struct Retention {
    counts: Mutex<[Count; 2]>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    writes: u64,
    kept: usize,
}

impl Retention {
    /// Counts one more record; gives back what is to be deleted with the same write.
    pub(super) fn outlived(&self, store: &dyn Store, kept: &Kept, now: f64) -> Result<Vec<Change>, StoreError> {
        let count = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(count) = counts.get_mut(kept.index) else {
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
            total = self::count(store, kept.prefix)? + 1;
        }
        let oldest = store.list(kept.prefix, None, Some(AT_ONCE))?.entries;
        let border = format!("{}{}", kept.prefix, super::stamp_of((now - kept.age).max(0.0)));
        let surplus = total.saturating_sub(kept.most);
        let outlived = oldest.into_iter().enumerate();
        let outlived = outlived.filter(|(index, stored)| *index < surplus || stored.key < border);
        let deleted: Vec<Change> = outlived.map(|(_, stored)| Change::delete(stored.key)).collect();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = counts.get_mut(kept.index) {
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
