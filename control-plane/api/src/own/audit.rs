//! `GET /v1/audit`: who did what. `?since=` takes seconds since 1970, `?mesh=` and `?principal=` names, `?limit=` 1 to 1000.

use serde_json::{json, Value};

use crate::appmesh::{read_token, write_token, Scene};
use crate::audit::page::{self, Wanted};
use crate::request::Request;
use crate::ApiError;

/// Most records of a page.
const MAX_PAGE: usize = 1000;
/// What a page has when the client does not say.
const PAGE: usize = 100;

/// One page.
pub(super) fn list(scene: &Scene<'_>, request: &Request) -> Result<Value, ApiError> {
    let mut members = request.query_members()?;
    let limit = match members.remove("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_PAGE).contains(limit))
            .ok_or_else(|| ApiError::bad_request(format!("limit: must be from 1 to {MAX_PAGE}, is {text:?}")))?,
    };
    let since = members.remove("since").map(|text| {
        let seconds = text
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite() && (0.0..1e10).contains(seconds));
        seconds.ok_or_else(|| ApiError::bad_request(format!("since: must be in seconds since 1970, is {text:?}")))
    });
    let wanted = Wanted {
        since: since.transpose()?,
        mesh: members.remove("mesh"),
        principal: members.remove("principal"),
        limit,
        after: members
            .remove("nextToken")
            .map(|token| read_token(&token))
            .transpose()?,
    };
    if let Some(unknown) = members.keys().next() {
        let known = "since, mesh, principal, limit, nextToken";
        return Err(ApiError::bad_request(format!(
            "query: {unknown:?} is unknown; known are {known}"
        )));
    }
    let (records, next) = page::read(scene.store, &wanted)?;
    let mut answer = json!({ "records": records });
    if let Some(next) = next {
        answer["nextToken"] = json!(write_token(&next));
    }
    Ok(answer)
}
