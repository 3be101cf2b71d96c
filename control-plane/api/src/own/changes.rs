//! `POST /v1/changes`: several creates, updates and deletes at once, all or none; and what they would do (`dryRun`).
//!
//! The changes are judged together, on the state in which all of them have happened, so that their order means nothing:
//! a route may stand before its virtual node, and a router's second listener beside the ports that its routes need
//! because of it. Everything that is wrong is told at once. Each change is judged by the code of the single operations.

mod answer;
mod judge;
mod moment;
mod read;

use std::collections::BTreeSet;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::Key;
use ferromesh_model::{validate, Violation};
use ferromesh_store::{catalog, key};
use serde_json::{json, Map, Value};

use crate::access::{Role, Subject};
use crate::appmesh::tokens::Token;
use crate::appmesh::Scene;
use crate::request::Request;
use crate::view::{self, View};
use crate::{ApiError, ApiState, ErrorKind};
use answer::Diffs;
use moment::Moment;
use read::{ChangeSet, Entry};

/// Applies a change set, or says what it would do.
pub(super) fn post(scene: &Scene<'_>, state: &ApiState, request: &Request) -> Result<Value, ApiError> {
    let set = read::change_set(&request.object()?)?;
    for entry in &set.entries {
        // Before anything is looked up, so that a refusal does not say what there is.
        scene
            .caller
            .require(Role::Operator, entry.subject(), entry.mesh())
            .map_err(|error| told(&[(entry.index, error)]))?;
    }
    let now = scene.clock.now();
    if set.dry_run {
        return would_do(scene, state, &set, now);
    }
    let _turn = state.turns.wait();
    let token = Token::of_set(set.token.as_deref(), &set.content);
    let ((mut answer, before), written) = view::commit_at(scene.store, |view| {
        if let Some(token) = &token {
            if let Some(answer) = token.answer(view, now)? {
                return Ok((Vec::new(), (answer, token.revision(view)?)));
            }
        }
        let judged = judge::judge(scene, view, &set, now).map_err(|found| told(&found))?;
        let mut answer = answer::changes(&judged, Diffs::LeftOut);
        answer::add_findings(scene, state, &judged, &mut answer)?;
        let answer = Value::Object(answer);
        let mut writes = judged.writes;
        if let (Some(token), false) = (&token, writes.is_empty()) {
            writes.extend(token.remember(view, now, None, &answer)?);
        }
        Ok::<_, ApiError>((writes, (answer, None)))
    })?;
    let revision = match written.or(before) {
        Some(revision) => revision,
        None => scene.store.revision()?,
    };
    answer["revision"] = json!(revision);
    Ok(answer)
}

/// What a set would do. Whole meshes are lowered for it, so it keeps nobody from writing: it looks at one moment.
fn would_do(scene: &Scene<'_>, state: &ApiState, set: &ChangeSet, now: f64) -> Result<Value, ApiError> {
    let moment = Moment::take(scene.store, read_by(set))?;
    let scene = &Scene {
        store: &moment,
        ..*scene
    };
    let view = View::new(scene.store);
    let judged = judge::judge(scene, &view, set, now).map_err(|found| told(&found))?;
    let mut answer = answer::changes(&judged, Diffs::Shown);
    answer::add_configuration(scene, state, &judged, set.proxies, &mut answer)?;
    answer.insert("revision".to_owned(), json!(scene.store.revision()?));
    Ok(Value::Object(answer))
}

/// What a set is judged by.
fn read_by(set: &ChangeSet) -> Vec<String> {
    let meshes: BTreeSet<&str> = set.entries.iter().map(Entry::mesh).collect();
    let mut prefixes = vec![
        key::MESHES.to_owned(),
        key::ROLLBACKS.to_owned(),
        key::SHARES.to_owned(),
    ];
    prefixes.extend(
        meshes
            .into_iter()
            .flat_map(|mesh| [key::in_mesh(mesh), key::policies(mesh)]),
    );
    prefixes
}

/// `GET /v1/analyze?mesh=M`: what is doubtful about a mesh as it is stored.
pub(super) fn analyze(scene: &Scene<'_>, state: &ApiState, request: &Request) -> Result<Value, ApiError> {
    let query = request.query_members()?;
    let Some(name) = query.get("mesh") else {
        return Err(ApiError::bad_request("mesh: is required"));
    };
    scene.caller.require(Role::Reader, Subject::Mesh, name)?;
    let Some(mesh) = stored(scene, name)? else {
        return Err(validate::not_found(scene.owner, &Key::mesh(name)).into());
    };
    Ok(json!({ "mesh": name, "findings": state.previewer.findings(&mesh) }))
}

/// A mesh as it is stored.
fn stored(scene: &Scene<'_>, name: &str) -> Result<Option<Mesh>, ApiError> {
    let Some(records) = catalog::mesh(scene.store, name)? else {
        return Ok(None);
    };
    let mut mesh = Mesh::assemble(&records.mesh, &records.children, records.policies)
        .map_err(|violations| ApiError::from(validate::Rejection::Invalid(violations)))?;
    let rollbacks = catalog::rollbacks(scene.store)?.into_iter();
    let of_mesh = rollbacks.filter(|rollbacks| rollbacks.mesh == mesh.name);
    mesh.rollbacks = of_mesh.map(|rollbacks| (rollbacks.policy.clone(), rollbacks)).collect();
    Ok(Some(mesh))
}

/// Errors that a message repeats; the answer's list has all of them.
const SHOWN: usize = 10;

/// The errors of single changes as one of the set. Its kind is the one that a client can least do something about by
/// waiting: what is malformed, then what is missing, then what stands in the way.
fn told(found: &[(usize, ApiError)]) -> ApiError {
    let rank = |kind: ErrorKind| match kind {
        ErrorKind::InternalServerError | ErrorKind::ServiceUnavailable => 0,
        ErrorKind::BadRequest | ErrorKind::TooManyTags => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict => 4,
        ErrorKind::ResourceInUse => 5,
        ErrorKind::LimitExceeded => 6,
        // Whoever may not do this hears nothing else.
        _ => 1,
    };
    let kind = found.iter().map(|(_, error)| error.kind).min_by_key(|kind| rank(*kind));
    let kind = kind.unwrap_or(ErrorKind::InternalServerError);
    if rank(kind) < 2 {
        if let Some((_, error)) = found.iter().find(|(_, error)| error.kind == kind) {
            return error.clone();
        }
    }
    let mut violations = Vec::new();
    let mut list = Vec::new();
    for (index, error) in found {
        let at = format!("changes[{index}]");
        let own = match error.violations.as_slice() {
            [] => vec![Violation::new("", error.message.clone())],
            several => several.to_vec(),
        };
        for violation in own {
            let violation = violation.under(&at);
            list.push(json!({
                "index": index,
                "path": violation.path,
                "message": violation.message,
                "type": error.kind.name(),
            }));
            violations.push(violation);
        }
    }
    let shown: Vec<String> = violations.iter().take(SHOWN).map(Violation::to_string).collect();
    let mut message = shown.join("; ");
    if violations.len() > SHOWN {
        message.push_str(&format!("; and {} more", violations.len() - SHOWN));
    }
    let mut details = Map::new();
    details.insert("violations".to_owned(), Value::Array(list));
    ApiError {
        violations,
        details: Some(details),
        ..ApiError::new(kind, message)
    }
}
