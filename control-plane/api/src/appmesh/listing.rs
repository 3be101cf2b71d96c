//! Lists in pages.
//!
//! A page ends with a token that names the last resource shown, so that the next page begins after it whatever has been
//! added or deleted meanwhile: nothing is shown twice, and nothing that was there all the time is left out. A token also
//! says which list gave it out, and no other takes it.

use ferromesh_model::record::{Record, Share};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_store::{catalog, key};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{accounts, wire, Input, Scene};
use crate::access::{Role, Subject};
use crate::state::hex;
use crate::ApiError;

/// Most resources in a page; also what a page has when the client does not say.
const PAGE: usize = 100;

/// One page of a kind's resources in the order of their names.
pub(super) fn list(scene: &Scene<'_>, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    // The collection's parents are those of any resource in it.
    super::above(scene, &input.key_named(kind, "any"))?;
    let parent = kind.parent().map(|parent| input.label(parent.name_member()));
    let prefix = key::collection(kind, input.label("meshName"), parent);
    let scope = format!("{}/{prefix}", scene.owner);
    let after = position(input, &scope)?.map(|after| format!("{prefix}{after}"));
    let limit = limit(input);
    let listing = scene.store.list(&prefix, after.as_deref(), Some(limit + 1))?;
    let mut page = Vec::with_capacity(limit);
    let mut last = None;
    for stored in listing.entries.iter().take(limit) {
        page.push(wire::reference(&catalog::read::<Record>(stored)?));
        last = stored.key.strip_prefix(prefix.as_str());
    }
    let last = last.filter(|_| listing.entries.len() > limit);
    Ok(answer(kind, page, last.map(|last| token_of(&scope, last))))
}

/// One page of the caller's meshes: first their own in the order of their names, then those that others share with them.
pub(super) fn meshes(scene: &Scene<'_>, input: &Input) -> Result<Value, ApiError> {
    /// What the positions of a token begin with.
    const OWN: &str = "own/";
    const SHARED: &str = "shared/";

    let scope = format!("{}/{}", scene.caller.account, key::MESHES);
    let after = position(input, &scope)?;
    let limit = limit(input);
    // One more than the page, to see whether there is more.
    let mut found: Vec<(String, Value)> = Vec::new();
    let shares = key::shares_with(&scene.caller.account);
    let after_shared = after.as_deref().and_then(|after| after.strip_prefix(SHARED));
    if after_shared.is_none() {
        let after = after.as_deref().and_then(|after| after.strip_prefix(OWN));
        let after = after.map(|after| format!("{}{after}", key::MESHES));
        // What the caller may not see is left out before the page is cut: its token would name it.
        let most = scene.caller.sees_all(Subject::Mesh).then_some(limit + 1);
        let listing = scene.store.list(key::MESHES, after.as_deref(), most)?;
        for stored in &listing.entries {
            let name = stored.key.strip_prefix(key::MESHES).unwrap_or(&stored.key);
            let record: Record = catalog::read(stored)?;
            if scene.caller.may(Role::Reader, Subject::Mesh, &record.key.mesh) {
                found.push((format!("{OWN}{name}"), wire::reference(&record)));
            }
        }
    }
    let after_shared = after_shared.map(|after| format!("{shares}{after}"));
    let more = (limit + 1).saturating_sub(found.len());
    let more = scene.caller.sees_all(Subject::Mesh).then_some(more);
    for stored in scene.store.list(&shares, after_shared.as_deref(), more)?.entries {
        let name = stored.key.strip_prefix(&shares).unwrap_or(&stored.key);
        let share: Share = catalog::read(&stored)?;
        if !scene.caller.may(Role::Reader, Subject::Mesh, &share.mesh) {
            continue;
        }
        let record = accounts::of_owner(scene, &share.mesh_owner, |scene| {
            catalog::record(scene.store, &Key::mesh(&share.mesh))
        })?;
        if let Some((record, _)) = record {
            found.push((format!("{SHARED}{name}"), wire::reference(&record)));
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found
        .last()
        .filter(|_| has_more)
        .map(|(last, _)| token_of(&scope, last));
    let page = found.into_iter().map(|(_, mesh)| mesh).collect();
    Ok(answer(Kind::Mesh, page, last))
}

fn answer(kind: Kind, page: Vec<Value>, token: Option<String>) -> Value {
    let mut answer = Map::new();
    answer.insert(kind.list_member().to_owned(), Value::Array(page));
    if let Some(token) = token {
        answer.insert("nextToken".to_owned(), Value::String(token));
    }
    Value::Object(answer)
}

fn limit(input: &Input) -> usize {
    input.number("limit").unwrap_or(PAGE).min(PAGE)
}

/// Where the request's token continues, if it has one.
pub(super) fn position(input: &Input, scope: &str) -> Result<Option<String>, ApiError> {
    let Some(token) = input.query("nextToken") else {
        return Ok(None);
    };
    let text = read_token(token)?;
    let position = text.strip_prefix(&seal(scope)).map(str::to_owned);
    position.map(Some).ok_or_else(|| wrong_token(token))
}

/// The token that continues the list `scope` after `last`. It is of no use to any other list.
pub(super) fn token_of(scope: &str, last: &str) -> String {
    write_token(&format!("{}{last}", seal(scope)))
}

/// What the tokens of one list begin with.
fn seal(scope: &str) -> String {
    let mut seal = hex(&Sha256::digest(scope.as_bytes()));
    seal.truncate(8);
    seal
}

/// The token that continues after `last`.
pub(crate) fn write_token(last: &str) -> String {
    hex(last.as_bytes())
}

/// Where a token continues.
pub(crate) fn read_token(token: &str) -> Result<String, ApiError> {
    let wrong = || wrong_token(token);
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

fn wrong_token(token: &str) -> ApiError {
    ApiError::bad_request(format!("nextToken: is none that this list gave out, is {token:?}"))
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
