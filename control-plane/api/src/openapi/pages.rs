//! Our own pages, one file each.

mod access;
mod certificates;
mod changes;
mod explain;
mod identity;
mod modules;
mod policies;
mod proxies;
mod registry;
mod rollback;
mod rollouts;
mod server;
mod shares;

use serde_json::{Map, Value};

use super::operation::Described;

/// All operations.
pub(super) fn all() -> Vec<Described> {
    [
        policies::operations(),
        rollback::operations(),
        rollouts::operations(),
        explain::operations(),
        registry::operations(),
        certificates::operations(),
        shares::operations(),
        modules::operations(),
        proxies::operations(),
        changes::operations(),
        access::operations(),
        identity::operations(),
        server::operations(),
    ]
    .concat()
}

/// Schemas that several operations use, by their names.
pub(super) fn schemas() -> Map<String, Value> {
    let schemas = [
        policies::schemas(),
        rollback::schemas(),
        rollouts::schemas(),
        explain::schemas(),
        registry::schemas(),
        certificates::schemas(),
        shares::schemas(),
        modules::schemas(),
        proxies::schemas(),
        changes::schemas(),
        access::schemas(),
        identity::schemas(),
    ];
    let schemas = schemas.into_iter().flatten();
    schemas.map(|(name, schema)| (name.to_owned(), schema)).collect()
}
