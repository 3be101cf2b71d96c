//! Everything in the store as one text, for `ferromesh restore`.

use ferromesh_store::backup::Backup;
use ferromesh_store::Store;
use serde_json::{json, Value};

use crate::ApiError;

/// The backup of this moment: all values of one revision. What is sealed in the store stays sealed in it.
pub(super) fn take(store: &dyn Store) -> Result<Value, ApiError> {
    let backup = Backup::take(store)?;
    Ok(json!({
        "revision": backup.revision,
        "values": backup.values.len(),
        "backup": backup.to_file(),
    }))
}
