//! App Mesh's API: which operation a request means, and its answer.

mod calls;
mod changes;
mod input;
mod listing;
mod tags;
mod tokens;
mod wire;

use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate;
use ferromesh_store::{catalog, Store};
use serde_json::Value;

pub(crate) use calls::{find, is_app_mesh, Call, Found, Verb};
pub(crate) use listing::{read_token, write_token};

use crate::request::Request;
use crate::{ApiConfig, ApiError, Clock, ErrorKind};
use input::Input;

/// What answering needs.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) config: &'a ApiConfig,
    pub(crate) clock: &'a dyn Clock,
}

/// The answer to one request.
pub(crate) fn answer(scene: &Scene<'_>, found: &Found, request: &Request) -> Result<Value, ApiError> {
    let input = Input::read(found, request)?;
    owner_is_us(scene, &input)?;
    match (found.call.verb, found.call.kind) {
        (Verb::Create, Some(kind)) => changes::create(scene, found.call, kind, &input),
        (Verb::Update, Some(kind)) => changes::update(scene, found.call, kind, &input),
        (Verb::Delete, Some(kind)) => changes::delete(scene, kind, &input),
        (Verb::Describe, Some(kind)) => describe(scene, &input.key(kind)),
        (Verb::List, Some(kind)) => listing::list(scene, found.call, kind, &input),
        (Verb::Tag, _) => tags::tag(scene, &input),
        (Verb::Untag, _) => tags::untag(scene, &input),
        (Verb::ListTags, _) => tags::list(scene, &input),
        (_, None) => Err(ApiError::internal(&format!(
            "operation {} has no kind",
            found.call.operation.name
        ))),
    }
}

/// A mesh of another account would be one that is shared with us, and none is.
fn owner_is_us(scene: &Scene<'_>, input: &Input) -> Result<(), ApiError> {
    let account = &scene.config.account;
    match input.query("meshOwner") {
        Some(owner) if owner != account => Err(ApiError::new(
            ErrorKind::Forbidden,
            format!("meshOwner: must be {account}, the account of this control plane, is {owner}"),
        )),
        _ => Ok(()),
    }
}

fn describe(scene: &Scene<'_>, key: &Key) -> Result<Value, ApiError> {
    match catalog::record(scene.store, key)? {
        Some((record, _)) => Ok(wire::data(&record, wire::Status::Active)),
        None => Err(absent(scene, key)?),
    }
}

/// Says what is missing: the resource, or already something above it.
fn absent(scene: &Scene<'_>, key: &Key) -> Result<ApiError, ApiError> {
    above(scene, key)?;
    Ok(validate::not_found(&scene.config.account, key).into())
}

/// Refuses a resource whose mesh, router or gateway does not exist.
fn above(scene: &Scene<'_>, key: &Key) -> Result<(), ApiError> {
    let view = crate::view::View::new(scene.store);
    validate::parents(&view, &scene.config.account, key)?;
    Ok(())
}

/// The text of a virtual node's name and the like as the wire has it: `virtualNodeName`.
fn name_member(kind: Kind) -> String {
    format!("{}Name", kind.wire_name())
}
