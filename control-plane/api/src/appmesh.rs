//! App Mesh's API: which operation a request means, and its answer.

pub(crate) mod accounts;
mod calls;
pub(crate) mod changes;
mod input;
mod listing;
pub(crate) mod tags;
pub(crate) mod tokens;
mod wire;

use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate;
use ferromesh_store::{catalog, Store};
use serde_json::Value;

pub(crate) use calls::{find, is_app_mesh, Call, Found, Verb};
pub(crate) use listing::{read_token, write_token};

use crate::request::Request;
use crate::{ApiConfig, ApiError, ApiState, Caller, Clock};
use input::Input;

/// What answering needs.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) config: &'a ApiConfig,
    pub(crate) clock: &'a dyn Clock,
    /// Who asks.
    pub(crate) caller: &'a Caller,
    /// Account whose meshes `store` shows.
    pub(crate) owner: &'a str,
    /// The store of all accounts.
    pub(crate) whole: &'a dyn Store,
}

impl<'a> Scene<'a> {
    /// The scene of a request, with the meshes of the server's own account; [`accounts::of_owner`] shows others.
    pub(crate) fn new(state: &'a ApiState, caller: &'a Caller) -> Self {
        Self {
            store: state.store.as_ref(),
            config: &state.config,
            clock: state.clock.as_ref(),
            caller,
            owner: &state.config.account,
            whole: state.store.as_ref(),
        }
    }
}

/// The answer to one request.
pub(crate) fn answer(scene: &Scene<'_>, found: &Found, request: &Request) -> Result<Value, ApiError> {
    let input = Input::read(found, request)?;
    let owner = accounts::owner(scene, found.call, &input)?;
    accounts::of_owner(scene, &owner, |scene| {
        accounts::enter(scene, found.call, &input)?;
        act(scene, found.call, &input)
    })
}

fn act(scene: &Scene<'_>, call: &Call, input: &Input) -> Result<Value, ApiError> {
    match (call.verb, call.kind) {
        (Verb::Create, Some(kind)) => changes::create(scene, call, kind, input),
        (Verb::Update, Some(kind)) => changes::update(scene, call, kind, input),
        (Verb::Delete, Some(kind)) => changes::delete(scene, call, kind, input),
        (Verb::Describe, Some(kind)) => describe(scene, &input.key(kind)),
        (Verb::List, Some(Kind::Mesh)) => listing::meshes(scene, input),
        (Verb::List, Some(kind)) => listing::list(scene, kind, input),
        (Verb::Tag, _) => tags::tag(scene, input),
        (Verb::Untag, _) => tags::untag(scene, input),
        (Verb::ListTags, _) => tags::list(scene, input),
        (_, None) => Err(ApiError::internal(&format!(
            "operation {} has no kind",
            call.operation.name
        ))),
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
    Ok(validate::not_found(scene.owner, key).into())
}

/// Refuses a resource whose mesh, router or gateway does not exist.
fn above(scene: &Scene<'_>, key: &Key) -> Result<(), ApiError> {
    let view = crate::view::View::new(scene.store);
    validate::parents(&view, scene.owner, key)?;
    Ok(())
}
