//! Creating, updating and deleting resources.

use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate::{self, Lookup, New, Rejection};
use ferromesh_store::{catalog, key, Change};
use serde_json::{json, Value};

use super::tokens::Token;
use super::{name_member, tags, wire, Call, Input, Scene};
use crate::view::{self, View};
use crate::ApiError;

/// Makes a resource.
pub(super) fn create(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let member = name_member(kind);
    let name = input.text(&member).unwrap_or_default();
    let tags = tags::read(input)?;
    let mut violations: Vec<_> = validate::name(kind, &member, name).into_iter().collect();
    let spec = spec(kind, input);
    violations.extend(validate::spec(kind, &spec));
    violations.extend(tags::rules(&tags));
    ApiError::refuse(violations)?;

    let key = input.key_named(kind, name);
    let now = scene.clock.now();
    change(scene, call, input, now, |view| {
        if view.record(&key)?.is_some() {
            return Err(exists(scene, &key).into());
        }
        judge(scene, view, &key, &spec, New::Yes)?;
        let account = &scene.config.account;
        Ok(Record {
            key: key.clone(),
            spec: spec.clone(),
            metadata: Metadata {
                arn: key.arn(&scene.config.region, account),
                created_at: now,
                last_updated_at: now,
                mesh_owner: account.clone(),
                resource_owner: account.clone(),
                uid: uuid::Uuid::new_v4().to_string(),
                version: 1,
            },
            tags: tags.clone(),
        })
    })
}

/// Replaces a resource's spec.
pub(super) fn update(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let spec = spec(kind, input);
    ApiError::refuse(validate::spec(kind, &spec))?;
    let key = input.key(kind);
    let now = scene.clock.now();
    change(scene, call, input, now, |view| {
        let mut record = current(scene, view, &key)?;
        judge(scene, view, &key, &spec, New::No)?;
        record.spec = spec.clone();
        advance(&mut record, now);
        Ok(record)
    })
}

/// Deletes a resource on which nothing depends.
pub(super) fn delete(scene: &Scene<'_>, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let key = input.key(kind);
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let mut record = current(scene, view, &key)?;
        validate::delete(view, &key)?;
        let mut changes = vec![Change::delete(key::record(&key))];
        if kind == Kind::Mesh {
            // Nothing but the mesh gives its policies a meaning, and a later mesh of this name is another one.
            changes.extend(view.keys(&key::policies(&key.mesh))?.into_iter().map(Change::delete));
            changes.extend(view.keys(&key::rollbacks(&key.mesh))?.into_iter().map(Change::delete));
        } else {
            // As App Mesh answers: the deletion counts as a change, of all but meshes.
            advance(&mut record, now);
        }
        Ok((changes, wire::data(&record, wire::Status::Deleted)))
    })
}

/// Commits one new state of a resource, once for each client token.
fn change(
    scene: &Scene<'_>,
    call: &Call,
    input: &Input,
    now: f64,
    judge: impl Fn(&View<'_>) -> Result<Record, ApiError>,
) -> Result<Value, ApiError> {
    let token = Token::of(call, input);
    view::commit(scene.store, |view| {
        if let Some(token) = &token {
            if let Some(answer) = token.answer(view, now)? {
                return Ok((Vec::new(), answer));
            }
        }
        let record = judge(view)?;
        let answer = wire::data(&record, wire::Status::Active);
        let mut changes = vec![catalog::put_record(&record)?];
        if let Some(token) = &token {
            changes.extend(token.remember(view, now, (&record.key, &record.metadata.uid), &answer)?);
        }
        Ok((changes, answer))
    })
}

/// The spec in the body. Only meshes may leave theirs out, which is an empty one.
fn spec(kind: Kind, input: &Input) -> Value {
    match input.body.get("spec") {
        Some(spec) => spec.clone(),
        None => {
            debug_assert_eq!(kind, Kind::Mesh, "the service model requires every other spec");
            json!({})
        }
    }
}

/// Judges a resource among the others.
fn judge(scene: &Scene<'_>, view: &View<'_>, key: &Key, spec: &Value, is_new: New) -> Result<(), ApiError> {
    validate::put(view, &scene.config.account, key, spec)?;
    let backends = match key.kind {
        Kind::VirtualNode => spec.get("backends").and_then(Value::as_array).map_or(0, Vec::len),
        _ => 0,
    };
    validate::quota(view, &scene.config.quotas, key, is_new, backends)?;
    Ok(())
}

fn current(scene: &Scene<'_>, view: &View<'_>, key: &Key) -> Result<Record, ApiError> {
    match view.record(key)? {
        Some(record) => Ok(record),
        None => Err(super::absent(scene, key)?),
    }
}

/// Counts one more version. Time does not go back, whatever the clock does.
fn advance(record: &mut Record, now: f64) {
    record.metadata.version += 1;
    record.metadata.last_updated_at = now.max(record.metadata.last_updated_at);
}

fn exists(scene: &Scene<'_>, key: &Key) -> Rejection {
    let Key { kind, mesh, name, .. } = key;
    let account = &scene.config.account;
    Rejection::Exists(match (kind, key.parent_key()) {
        (Kind::Mesh, _) => format!("Mesh with name {name} already exists for account {account}"),
        (_, None) => format!("{kind} with name {name} already exists under mesh {mesh} for account {account}"),
        (_, Some(parent)) => format!(
            "{kind} with name {name} already exists under {} {} of mesh {mesh} for account {account}",
            parent.kind, parent.name
        ),
    })
}
