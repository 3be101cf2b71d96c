//! Tags: names and values that people hang on resources.

use std::collections::BTreeSet;

use ferromesh_model::record::{Record, Tag};
use ferromesh_model::resource::Key;
use ferromesh_model::validate::{self, Lookup};
use ferromesh_model::Violation;
use ferromesh_store::catalog;
use serde_json::{json, Map, Value};

use super::accounts::Named;
use super::{listing, Input, Scene};
use crate::view;
use crate::{ApiError, ErrorKind};

/// Most tags of a resource.
const MOST: usize = 50;
/// Most tags in a page; also what a page has when the client does not say.
const PAGE: usize = 50;

/// The tags in a body, sorted by key.
pub(super) fn read(input: &Input) -> Result<Vec<Tag>, ApiError> {
    let tags = input.body.get("tags").cloned().unwrap_or_else(|| json!([]));
    let tags = serde_json::from_value(tags);
    let mut tags: Vec<Tag> = tags.map_err(|error| ApiError::bad_request(format!("tags: cannot be read: {error}")))?;
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(tags)
}

/// What shapes do not say of sorted tags.
pub(crate) fn rules(tags: &[Tag]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut keys = BTreeSet::new();
    for tag in tags {
        if !keys.insert(&tag.key) {
            violations.push(Violation::new(
                "tags",
                format!("key {:?} is there more than once", tag.key),
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            violations.push(Violation::new(
                "tags",
                format!("key {:?} begins with the reserved aws:", tag.key),
            ));
        }
    }
    violations
}

/// Adds tags to others, which stay unless they have a new value.
pub(crate) fn merge(tags: &mut Vec<Tag>, new: &[Tag]) -> Result<(), ApiError> {
    tags.retain(|tag| !new.iter().any(|new| new.key == tag.key));
    tags.extend(new.iter().cloned());
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    at_most(tags.len())
}

fn at_most(count: usize) -> Result<(), ApiError> {
    if count > MOST {
        return Err(ApiError::new(
            ErrorKind::TooManyTags,
            format!("tags: a resource can have at most {MOST}, would have {count}"),
        ));
    }
    Ok(())
}

/// Adds tags to a resource, or changes the values of those it has.
pub(super) fn tag(scene: &Scene<'_>, input: &Input) -> Result<Value, ApiError> {
    let new = read(input)?;
    ApiError::refuse(rules(&new))?;
    change(scene, input, |tags| {
        tags.retain(|tag| !new.iter().any(|new| new.key == tag.key));
        tags.extend(new.iter().cloned());
    })
}

/// Removes tags from a resource; those it does not have are no mistake.
pub(super) fn untag(scene: &Scene<'_>, input: &Input) -> Result<Value, ApiError> {
    let keys: Vec<&str> = input
        .body
        .get("tagKeys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    change(scene, input, |tags| {
        tags.retain(|tag| !keys.contains(&tag.key.as_str()))
    })
}

/// One page of a resource's tags in the order of their keys.
pub(super) fn list(scene: &Scene<'_>, input: &Input) -> Result<Value, ApiError> {
    let (key, arn) = resource(input)?;
    let found = catalog::record(scene.store, &key)?.map(|(record, _)| record);
    let record = found
        .filter(|record| record.metadata.arn == arn)
        .ok_or_else(|| absent(scene, &key))?;
    let scope = format!("tags/{arn}");
    let after = listing::position(input, &scope)?;
    let limit = input.number("limit").unwrap_or(PAGE).min(PAGE);
    let mut rest: Vec<&Tag> = record
        .tags
        .iter()
        .filter(|tag| after.as_ref().is_none_or(|after| tag.key > *after))
        .collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let mut answer = Map::new();
    if let (true, Some(last)) = (has_more, rest.last()) {
        answer.insert("nextToken".to_owned(), json!(listing::token_of(&scope, &last.key)));
    }
    answer.insert("tags".to_owned(), json!(rest));
    Ok(Value::Object(answer))
}

fn change(scene: &Scene<'_>, input: &Input, change: impl Fn(&mut Vec<Tag>)) -> Result<Value, ApiError> {
    let (key, arn) = resource(input)?;
    view::commit(scene.store, |view| {
        let found: Option<Record> = view.record(&key)?;
        let mut record = found
            .filter(|record| record.metadata.arn == arn)
            .ok_or_else(|| absent(scene, &key))?;
        let before = record.tags.clone();
        change(&mut record.tags);
        record.tags.sort_by(|a, b| a.key.cmp(&b.key));
        at_most(record.tags.len())?;
        let changes = if record.tags == before {
            Vec::new()
        } else {
            vec![catalog::put_record(&record)?]
        };
        Ok::<_, ApiError>((changes, ()))
    })?;
    Ok(json!({}))
}

/// The resource whose tags are meant.
fn resource(input: &Input) -> Result<(Key, String), ApiError> {
    let named = Named::read(input.query("resourceArn").map_or("", String::as_str))?;
    Ok((named.key, named.arn))
}

fn absent(scene: &Scene<'_>, key: &Key) -> ApiError {
    validate::not_found(scene.owner, key).into()
}
