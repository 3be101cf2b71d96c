//! Lists in pages.
//!
//! A page ends with a token that names the last resource shown, so that the next page begins after it whatever has been
//! added or deleted meanwhile: nothing is shown twice, and nothing that was there all the time is left out.

use ferromesh_model::record::Record;
use ferromesh_model::resource::Kind;
use ferromesh_store::{catalog, key};
use serde_json::{json, Map, Value};

use super::calls::collection_member;
use super::{wire, Call, Input, Scene};
use crate::state::hex;
use crate::ApiError;

/// Most resources in a page; also what a page has when the client does not say.
const PAGE: usize = 100;

/// One page of a kind's resources in the order of their names.
pub(super) fn list(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    // The collection's parents are those of any resource in it.
    super::above(scene, &input.key_named(kind, "any"))?;
    let parent = kind.parent().map(|parent| input.label(&super::name_member(parent)));
    let prefix = key::collection(kind, input.label("meshName"), parent);
    let after = match input.query("nextToken") {
        Some(token) => Some(format!("{prefix}{}", read_token(token)?)),
        None => None,
    };
    let limit = input.number("limit").unwrap_or(PAGE).min(PAGE);
    let listing = scene.store.list(&prefix, after.as_deref(), Some(limit + 1))?;
    let mut page = Vec::with_capacity(limit);
    let mut last = None;
    for stored in listing.entries.iter().take(limit) {
        page.push(wire::reference(&catalog::read::<Record>(stored)?));
        last = Some(stored.key.as_str());
    }
    let mut answer = Map::new();
    answer.insert(collection_member(kind).to_owned(), Value::Array(page));
    if let (true, Some(last)) = (listing.entries.len() > limit, last) {
        answer.insert(
            "nextToken".to_owned(),
            json!(write_token(last.strip_prefix(prefix.as_str()).unwrap_or(last))),
        );
    }
    tracing::trace!(operation = call.operation.name, revision = listing.revision, "listed");
    Ok(Value::Object(answer))
}

/// The token that continues after `last`.
pub(crate) fn write_token(last: &str) -> String {
    hex(last.as_bytes())
}

/// Where a token continues.
pub(crate) fn read_token(token: &str) -> Result<String, ApiError> {
    let wrong = || ApiError::bad_request(format!("nextToken: is none that a list gave out, is {token:?}"));
    let digits: Option<Vec<u32>> = token.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits
        .filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)
        .ok_or_else(wrong)?;
    let bytes = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => (high * 16 + low) as u8,
        _ => 0,
    });
    String::from_utf8(bytes.collect()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_the_tokens_it_writes_and_no_others() {
        assert_eq!(read_token(&write_token("a%2fé")), Ok("a%2fé".to_owned()));
        for wrong in ["", "6", "zz", "ff", "a b"] {
            assert!(read_token(wrong).is_err(), "{wrong}");
        }
    }
}
