//! What was done to the registry, kept for those who ask for it by its id.

use std::collections::BTreeMap;

use ferromesh_model::registry::Operation;
use ferromesh_store::{catalog, key, Change, StoreError};

use crate::view::View;

/// How long an operation is remembered, in seconds.
const SECONDS: f64 = 24.0 * 3600.0;
/// Changes of the store after which an operation is forgotten: the store must not grow for ever.
const MOST: u64 = 10_000;
/// Old operations that one change looks at; two, because it adds one.
const SWEPT: usize = 2;

/// An operation that is done, and the writes that remember it and forget those that are too old.
pub(super) fn done(
    view: &View<'_>,
    now: f64,
    kind: &str,
    targets: &[(&str, &str)],
) -> Result<(String, Vec<Change>), StoreError> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let targets = targets.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned()));
    let operation = Operation {
        // Twelve hexadecimal digits of milliseconds last until the year 10889.
        id: format!(
            "{:012x}{}",
            (now * 1000.0).max(0.0) as u64,
            random.get(..20).unwrap_or(&random)
        ),
        kind: kind.to_owned(),
        at: now,
        targets: targets.collect::<BTreeMap<_, _>>(),
    };
    let mut changes = Vec::new();
    // Read past the view: nothing depends on it, and two sweeps at once do no harm.
    let oldest = view.store().list(key::OPERATIONS, None, Some(SWEPT))?;
    for stored in oldest.entries {
        let old: Operation = catalog::read(&stored)?;
        if now - old.at <= SECONDS && stored.modified + MOST > oldest.revision {
            break;
        }
        changes.push(Change::delete(stored.key));
    }
    changes.push(catalog::put(key::operation(&operation.id), &operation)?);
    Ok((operation.id, changes))
}
