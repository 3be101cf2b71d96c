//! The audit record in pages, in the order of time.

use ferromesh_store::{catalog, key, Store, Stored};
use serde_json::{json, Value};

use super::Entry;
use crate::ApiError;

/// Records that are read from the store at once.
const BATCH: usize = 200;
/// Most records that one request looks at: a page can end early, with a token to go on.
const MAX_READ: usize = 5000;

/// Which records are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Not before this time, in seconds since 1970.
    pub(crate) since: Option<f64>,
    pub(crate) mesh: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) limit: usize,
    /// Where the page before ended.
    pub(crate) after: Option<String>,
}

impl Wanted {
    fn fits(&self, entry: &Entry) -> bool {
        let of_mesh = |mesh: &String| {
            entry.mesh.as_ref() == Some(mesh) || entry.changes.iter().any(|changed| changed.mesh.as_ref() == Some(mesh))
        };
        self.mesh.as_ref().is_none_or(of_mesh) && self.principal.as_ref().is_none_or(|name| *name == entry.principal)
    }
}

/// One page, and where the next one begins.
pub(crate) fn read(store: &dyn Store, wanted: &Wanted) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let since = wanted.since.map(super::stamp_of);
    let mut after = wanted.after.clone().or(since);
    let mut page = Vec::new();
    let mut seen = 0;
    loop {
        let batch = batch(store, after.as_deref())?;
        let is_last = batch.len() < BATCH;
        for (stamp, stored) in batch {
            if page.len() == wanted.limit || seen == MAX_READ {
                return Ok((page, after));
            }
            seen += 1;
            let entry: Entry = catalog::read(&stored)?;
            after = Some(stamp);
            if wanted.fits(&entry) {
                let mut shown = json!(entry);
                if !entry.changes.is_empty() {
                    shown["revision"] = json!(stored.modified);
                }
                page.push(shown);
            }
        }
        if is_last {
            return Ok((page, None));
        }
    }
}

/// The next records of both sorts.
fn batch(store: &dyn Store, after: Option<&str>) -> Result<Vec<(String, Stored)>, ApiError> {
    let mut all = Vec::new();
    for prefix in [key::AUDIT_CHANGES, key::AUDIT_REFUSALS] {
        let from = after.map(|after| format!("{prefix}{after}"));
        let entries = store.list(prefix, from.as_deref(), Some(BATCH))?.entries;
        let stamped = |stored: Stored| (stored.key.strip_prefix(prefix).unwrap_or_default().to_owned(), stored);
        all.extend(entries.into_iter().map(stamped));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    // Beyond this, records of the other sort could be missing.
    all.truncate(BATCH);
    Ok(all)
}
