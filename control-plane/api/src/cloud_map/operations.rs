//! What was done, for clients that wait for it: it has been by the time they know its id.

use std::borrow::Cow;

use bytes::Bytes;
use ferromesh_model::registry::Operation;
use ferromesh_store::{catalog, key};
use serde::Deserialize;
use serde_json::{json, Value};

use super::input::{self, Comparable, Known, List, Page};
use super::shown;
use crate::appmesh::Scene;
use crate::registry::{self, Refused, Why};

const SUCCESS: &str = "SUCCESS";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    operation_id: String,
    owner_account: Option<String>,
}

pub(super) fn get(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Get {
        operation_id: id,
        owner_account: owner,
    } = input::read(body)?;
    let account = &scene.config.account;
    let is_ours = owner.is_none_or(|owner| owner == *account);
    let stored = scene.store.get(&key::operation(&id))?.filter(|_| is_ours);
    let stored = stored.ok_or_else(|| {
        let message = format!("operation {id:?} is not present; operations are remembered for 24 hours");
        Refused::new(Why::OperationNotFound, message)
    })?;
    let operation: Operation = catalog::read(&stored)?;
    Ok(json!({ "Operation": {
        "Id": operation.id,
        "OwnerAccount": account,
        "Type": operation.kind,
        "Status": SUCCESS,
        "CreateDate": operation.at,
        "UpdateDate": operation.at,
        "Targets": operation.targets,
    }}))
}

const FILTERS: &Known = &[
    ("NAMESPACE_ID", Comparable::Whole),
    ("SERVICE_ID", Comparable::Whole),
    ("STATUS", Comparable::Whole),
    ("TYPE", Comparable::Whole),
    ("UPDATE_DATE", Comparable::Time),
];

pub(super) fn list(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let list: List = input::read(body)?;
    input::check(&list.filters, FILTERS)?;
    let page = Page::new(list.next_token.as_ref(), list.max_results)?;
    let fits = |operation: &Operation| {
        input::fits(&list.filters, |name| {
            let target = |kind: &str| operation.targets.get(kind).map(|id| Cow::Owned(id.clone()));
            match name {
                "NAMESPACE_ID" => target("NAMESPACE"),
                "SERVICE_ID" => target("SERVICE"),
                "STATUS" => Some(Cow::Borrowed(SUCCESS)),
                "TYPE" => Some(Cow::Owned(operation.kind.clone())),
                _ => Some(Cow::Owned(operation.at.to_string())),
            }
        })
    };
    let (found, next) = registry::page(scene.store, key::OPERATIONS, page.after.as_deref(), page.limit, fits)?;
    let shown = found
        .iter()
        .map(|operation| json!({ "Id": operation.id, "Status": SUCCESS }));
    Ok(shown::page("Operations", shown.collect(), next.as_ref()))
}
