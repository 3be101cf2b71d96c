//! What a client hears of a change set: what becomes of each resource, what becomes of the proxies, what is doubtful.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_model::mesh::Mesh;
use ferromesh_model::record::Record;
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate::{Lookup, Rejection};
use ferromesh_store::{catalog, key};
use serde_json::{json, Map, Value};

use super::judge::{Judged, Outcome};
use super::read::Proxies;
use crate::appmesh::Scene;
use crate::difference::differences;
use crate::view::View;
use crate::{ApiError, ApiState};

/// Whether an answer says what of a resource changes. What is remembered for a client token leaves it out: it would be as
/// large as the resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diffs {
    Shown,
    LeftOut,
}

/// What becomes of each resource and policy, in the order of the set.
pub(super) fn changes(judged: &Judged, diffs: Diffs) -> Map<String, Value> {
    let changes = judged.outcomes.iter().map(|outcome| {
        let mut shown = match outcome {
            Outcome::Resource(plan) => plan.record().map(named).unwrap_or_default(),
            Outcome::Policy { before, after } => {
                let policy = after.as_ref().or(before.as_ref());
                let mut shown = Map::new();
                shown.insert("kind".to_owned(), json!("policy"));
                shown.insert("mesh".to_owned(), json!(policy.map(|policy| &policy.mesh)));
                shown.insert("name".to_owned(), json!(policy.map(|policy| &policy.name)));
                shown
            }
        };
        shown.insert("action".to_owned(), json!(outcome.word()));
        if diffs == Diffs::LeftOut {
            return Value::Object(shown);
        }
        let (before, after) = match outcome {
            Outcome::Resource(plan) => (plan.before.as_ref().map(content), plan.after.as_ref().map(content)),
            Outcome::Policy { before, after } => {
                let content =
                    |policy: &ferromesh_model::policy::Policy| json!({ "target": policy.target, "spec": policy.spec });
                (before.as_deref().map(content), after.as_deref().map(content))
            }
        };
        let diff = match (before, after) {
            (Some(before), Some(after)) => differences(&before, &after),
            (None, Some(after)) => members(after, "after"),
            (Some(before), None) => members(before, "before"),
            (None, None) => Vec::new(),
        };
        shown.insert("diff".to_owned(), Value::Array(diff));
        Value::Object(shown)
    });
    let mut answer = Map::new();
    answer.insert("changes".to_owned(), changes.collect());
    answer
}

fn named(record: &Record) -> Map<String, Value> {
    let Key {
        mesh,
        kind,
        parent,
        name,
    } = &record.key;
    let mut shown = Map::new();
    shown.insert("kind".to_owned(), json!(kind.wire_name()));
    shown.insert("mesh".to_owned(), json!(mesh));
    if let Some(parent) = parent {
        shown.insert("parent".to_owned(), json!(parent));
    }
    shown.insert("name".to_owned(), json!(name));
    shown.insert("version".to_owned(), json!(record.metadata.version));
    shown.insert("arn".to_owned(), json!(record.metadata.arn));
    shown
}

/// What of a resource its author decides.
fn content(record: &Record) -> Value {
    let mut content = json!({ "spec": record.spec });
    if !record.tags.is_empty() {
        let tags = record.tags.iter().map(|tag| (tag.key.clone(), json!(tag.value)));
        content["tags"] = Value::Object(tags.collect());
    }
    content
}

/// The members of a resource that is there on one side only.
fn members(content: Value, side: &str) -> Vec<Value> {
    let Value::Object(members) = content else {
        return Vec::new();
    };
    let shown = members
        .into_iter()
        .map(|(name, value)| json!({ "path": format!("/{name}"), side: value }));
    shown.collect()
}

/// What is doubtful about the meshes now and was not before, and what no longer is.
pub(super) fn add_findings(
    scene: &Scene<'_>,
    state: &ApiState,
    judged: &Judged,
    answer: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    findings(state, &meshes(scene, judged)?, answer);
    Ok(())
}

/// The same, and how the configuration of the proxies differs.
pub(super) fn add_configuration(
    scene: &Scene<'_>,
    state: &ApiState,
    judged: &Judged,
    proxies: Proxies,
    answer: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    answer.insert("dryRun".to_owned(), json!(true));
    let meshes = meshes(scene, judged)?;
    findings(state, &meshes, answer);
    let only = match proxies {
        Proxies::All => None,
        Proxies::None => return Ok(()),
        Proxies::Connected => Some(connected(state)),
    };
    let mut changed = Vec::new();
    for (before, after) in &meshes {
        changed.extend(
            state
                .previewer
                .configuration(before.as_ref(), after.as_ref(), only.as_ref()),
        );
    }
    answer.insert("proxies".to_owned(), Value::Array(changed));
    Ok(())
}

fn connected(state: &ApiState) -> BTreeSet<String> {
    let is_connected = |proxy: &&Value| proxy.get("state").and_then(Value::as_str) != Some("disconnected");
    let proxies = state.proxies.list();
    let ids = proxies.iter().filter(is_connected);
    ids.filter_map(|proxy| proxy.get("id")?.as_str().map(str::to_owned))
        .collect()
}

fn findings(state: &ApiState, meshes: &[Sides], answer: &mut Map<String, Value>) {
    let mut added = Vec::new();
    let mut removed = Vec::new();
    for (before, after) in meshes {
        let of = |mesh: &Option<Mesh>| {
            mesh.as_ref()
                .map_or_else(Vec::new, |mesh| state.previewer.findings(mesh))
        };
        let (before, after) = (of(before), of(after));
        added.extend(after.iter().filter(|finding| !before.contains(finding)).cloned());
        removed.extend(before.into_iter().filter(|finding| !after.contains(finding)));
    }
    answer.insert("findings".to_owned(), json!({ "added": added, "removed": removed }));
}

/// A mesh as it is and as it will be; none where there is no such mesh.
type Sides = (Option<Mesh>, Option<Mesh>);

/// Each mesh that the set changes, as it is and as it will be.
fn meshes(scene: &Scene<'_>, judged: &Judged) -> Result<Vec<Sides>, ApiError> {
    let changed = judged.outcomes.iter().filter(|outcome| outcome.word() != "unchanged");
    let names: BTreeSet<&str> = changed.map(Outcome::mesh).collect();
    let mut meshes = Vec::new();
    for name in names {
        // Views of their own: nothing of the change depends on what it looks like.
        let before = View::new(scene.store);
        let after = View::new(scene.store);
        after.plan(&judged.writes);
        meshes.push((assembled(scene, &before, name)?, assembled(scene, &after, name)?));
    }
    Ok(meshes)
}

fn assembled(scene: &Scene<'_>, view: &View<'_>, name: &str) -> Result<Option<Mesh>, ApiError> {
    let Some(mesh) = view.record(&Key::mesh(name))? else {
        return Ok(None);
    };
    let mut children = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mesh) {
        children.extend(view.records(kind, name, None)?);
    }
    let policies = view.values(&key::policies(name))?;
    let policies = policies.iter().map(catalog::read).collect::<Result<Vec<_>, _>>()?;
    let mut mesh = Mesh::assemble(&mesh, &children, policies)
        .map_err(|violations| ApiError::from(Rejection::Invalid(violations)))?;
    let rollbacks = catalog::rollbacks(scene.store)?.into_iter();
    let of_mesh = rollbacks.filter(|known| known.mesh == name);
    let of_mesh: BTreeMap<_, _> = of_mesh.map(|known| (known.policy.clone(), known)).collect();
    mesh.rollbacks = of_mesh;
    Ok(Some(mesh))
}
