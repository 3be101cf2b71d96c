//! `/v1/policies`: our own settings beside App Mesh's resources.

use ferromesh_model::policy::{self, Policy, RampTurn, TurnRefused};
use ferromesh_model::resource::Key;
use ferromesh_model::validate;
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change, Revision};
use serde_json::{json, Value};

use crate::access::{Role, Subject};
use crate::appmesh::Scene;
use crate::request::{Expected, Request};
use crate::view::{self, View};
use crate::{ApiError, ErrorKind};

/// All policies, or with `?mesh=M` those of one mesh.
pub(super) fn list(scene: &Scene<'_>, request: &Request) -> Result<Value, ApiError> {
    let query = request.query_members()?;
    let mesh = query.get("mesh").map(String::as_str);
    if let Some(mesh) = mesh {
        let key = Key::mesh(mesh);
        if catalog::record(scene.store, &key)?.is_none() {
            return Err(validate::not_found(&scene.config.account, &key).into());
        }
    }
    let mut policies = catalog::policies(scene.store, mesh)?;
    policies.retain(|policy| scene.caller.may(Role::Reader, Subject::Policy, &policy.mesh));
    Ok(json!({ "policies": policies }))
}

/// One policy, with the status of its rollbacks where there have been any, and its version: the revision of the store in
/// which it was last written.
pub(super) fn get(scene: &Scene<'_>, mesh: &str, name: &str) -> Result<(Value, Revision), ApiError> {
    match catalog::policy(scene.store, mesh, name)? {
        Some((policy, version)) => {
            let mut shown = json!(policy);
            if let Some(status) = super::rollback::status(scene, mesh, name)? {
                shown["status"] = status;
            }
            Ok((shown, version))
        }
        None => Err(absent(mesh, name)),
    }
}

/// Makes or replaces a policy. The names in the body may be left out; given, they must be those of the path. A status is
/// passed over, so that what was read can be written. With `If-Match` only a policy of that version is replaced.
pub(super) fn put(scene: &Scene<'_>, mesh: &str, name: &str, request: &Request) -> Result<(Value, Revision), ApiError> {
    let expected = request.if_match()?;
    let mut body = request.object()?;
    body.remove("status");
    let mut violations: Vec<_> = self::name(name).into_iter().collect();
    for (member, in_path) in [("mesh", mesh), ("name", name)] {
        let in_body = body.entry(member).or_insert_with(|| json!(in_path));
        if in_body.as_str().is_some_and(|in_body| in_body != in_path) {
            violations.push(Violation::new(
                member,
                format!("must be {in_path:?} like in the path, is {in_body}"),
            ));
        }
    }
    let body = Value::Object(body);
    violations.extend(policy::check(&body));
    ApiError::refuse(violations)?;
    let policy: Policy = serde_json::from_value(body)
        .map_err(|error| ApiError::bad_request(format!("body: cannot be read as a policy: {error}")))?;
    let (_, written) = view::commit_at(scene.store, |view: &View<'_>| {
        if let Some(expected) = expected {
            fits(view, mesh, name, expected)?;
        }
        policy.check_among(view, &scene.config.account)?;
        Ok::<_, ApiError>((vec![catalog::put_policy(&policy)?], ()))
    })?;
    Ok((json!(policy), written.unwrap_or_default()))
}

/// Refuses a change of a policy that has another version.
fn fits(view: &View<'_>, mesh: &str, name: &str, expected: Expected) -> Result<(), ApiError> {
    let stored = view.get(&key::policy(mesh, name))?.ok_or_else(|| absent(mesh, name))?;
    expected.check(&format!("policy {name:?}"), stored.modified)
}

/// Starts, pauses or resumes a policy's ramp and gives back the policy.
pub(super) fn turn_ramp(scene: &Scene<'_>, mesh: &str, name: &str, turn: RampTurn) -> Result<Value, ApiError> {
    // Whole milliseconds since 1970 are far below what a cast could lose.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now = (scene.clock.now() * 1000.0).round() as u64;
    view::commit(scene.store, |view| {
        let stored = view.get(&key::policy(mesh, name))?.ok_or_else(|| absent(mesh, name))?;
        let mut policy: Policy = catalog::read(&stored)?;
        policy.turn_ramp(turn, now).map_err(|refused| {
            let word = turn.as_str();
            match refused {
                TurnRefused::NoRamp => {
                    ApiError::bad_request(format!("policy {name:?} has no spec.canary.ramp to {word}"))
                }
                TurnRefused::NotNow(why) => {
                    let message = format!("the ramp of policy {name:?} cannot {word} now: {why}");
                    ApiError::new(ErrorKind::Conflict, message)
                }
            }
        })?;
        // Pauses have a limit, and a route that has changed since may have other targets.
        ApiError::refuse(policy::check(&json!(policy)))?;
        policy.check_among(view, &scene.config.account)?;
        Ok((vec![catalog::put_policy(&policy)?], json!(policy)))
    })
}

/// Deletes a policy and gives back what it was. With `If-Match` only one of that version.
pub(super) fn delete(scene: &Scene<'_>, mesh: &str, name: &str, request: &Request) -> Result<Value, ApiError> {
    let expected = request.if_match()?;
    view::commit(scene.store, |view| {
        let key = key::policy(mesh, name);
        let stored = view.get(&key)?.ok_or_else(|| absent(mesh, name))?;
        if let Some(expected) = expected {
            fits(view, mesh, name, expected)?;
        }
        let policy: Policy = catalog::read(&stored)?;
        Ok((deletion(mesh, name), json!(policy)))
    })
}

/// The writes that delete a policy.
pub(super) fn deletion(mesh: &str, name: &str) -> Vec<Change> {
    // A later policy of this name is another one.
    vec![
        Change::delete(key::policy(mesh, name)),
        Change::delete(key::rollback(mesh, name)),
    ]
}

/// What is wrong with the name of a policy.
pub(super) fn name(name: &str) -> Option<Violation> {
    validate::name(ferromesh_model::resource::Kind::Route, "name", name)
}

pub(super) fn absent(mesh: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("policy {name:?} is not present in mesh {mesh:?}"))
}
