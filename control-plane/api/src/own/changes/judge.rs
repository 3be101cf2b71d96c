//! What a change set makes of the resources, judged on the state in which all of it has happened.

use ferromesh_model::policy::Policy;
use ferromesh_model::record::Record;
use ferromesh_store::{catalog, key, Change};

use super::read::{Action, ChangeSet, Entity};
use crate::appmesh::changes::{self, Plan};
use crate::appmesh::Scene;
use crate::own::policies;
use crate::request::Expected;
use crate::view::View;
use crate::{ApiError, ErrorKind};

/// A change set that may happen.
pub(super) struct Judged {
    pub(super) outcomes: Vec<Outcome>,
    /// All writes, each key once.
    pub(super) writes: Vec<Change>,
}

/// What becomes of one resource or policy.
pub(super) enum Outcome {
    Resource(Box<Plan>),
    Policy {
        before: Option<Box<Policy>>,
        after: Option<Box<Policy>>,
    },
}

impl Outcome {
    /// What happens, in one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Resource(plan) if plan.is_empty() => "unchanged",
            Self::Resource(plan) => word(plan.before.is_some(), plan.after.is_some()),
            Self::Policy { before, after } if before == after => "unchanged",
            Self::Policy { before, after } => word(before.is_some(), after.is_some()),
        }
    }

    pub(super) fn mesh(&self) -> &str {
        match self {
            Self::Resource(plan) => plan.record().map_or("", |record: &Record| &record.key.mesh),
            Self::Policy { before, after } => after.as_ref().or(before.as_ref()).map_or("", |policy| &policy.mesh),
        }
    }
}

fn word(was_there: bool, will_be: bool) -> &'static str {
    match (was_there, will_be) {
        (false, _) => "created",
        (true, true) => "updated",
        (true, false) => "deleted",
    }
}

/// # Errors
/// Everything that is wrong, each with the index of its change.
pub(super) fn judge(
    scene: &Scene<'_>,
    view: &View<'_>,
    set: &ChangeSet,
    now: f64,
) -> Result<Judged, Vec<(usize, ApiError)>> {
    let mut found = Vec::new();
    let mut outcomes = Vec::with_capacity(set.entries.len());
    let mut writes = Vec::new();
    // All is planned on what is there …
    for entry in &set.entries {
        match plan(scene, view, &entry.subject, now) {
            Ok((outcome, changes)) => {
                outcomes.push((entry.index, outcome));
                writes.extend(changes);
            }
            Err(error) => found.push((entry.index, error)),
        }
    }
    once(&mut writes);
    view.plan(&writes);
    // … and judged on what will be, without what cannot even be planned.
    for (index, outcome) in &outcomes {
        let judged = match outcome {
            Outcome::Resource(plan) => plan.judge(scene, view),
            Outcome::Policy {
                after: Some(policy), ..
            } => policy.check_among(view, scene.owner).map_err(ApiError::from),
            Outcome::Policy { after: None, .. } => Ok(()),
        };
        if let Err(error) = judged {
            found.push((*index, error));
        }
    }
    if !found.is_empty() {
        found.sort_by_key(|(index, _)| *index);
        return Err(found);
    }
    Ok(Judged {
        outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        writes,
    })
}

fn plan(scene: &Scene<'_>, view: &View<'_>, entity: &Entity, now: f64) -> Result<(Outcome, Vec<Change>), ApiError> {
    match entity {
        Entity::Resource(wish) => {
            let plan = changes::plan(scene, view, wish, now)?;
            let writes = plan.writes(view)?;
            Ok((Outcome::Resource(Box::new(plan)), writes))
        }
        Entity::Policy {
            mesh,
            name,
            action,
            policy,
            if_version,
        } => {
            let stored = view.get(&key::policy(mesh, name))?;
            let before: Option<Box<Policy>> = stored.as_ref().map(catalog::read).transpose()?;
            match (&stored, action) {
                (Some(_), Action::Create) => {
                    let message = format!("policy {name:?} already exists in mesh {mesh:?}");
                    return Err(ApiError::new(ErrorKind::Conflict, message));
                }
                (None, Action::Update | Action::Delete) => return Err(policies::absent(mesh, name)),
                (None, _) if if_version.is_some() => return Err(policies::absent(mesh, name)),
                _ => {}
            }
            if let (Some(expected), Some(stored)) = (if_version, &stored) {
                Expected::check(*expected, &format!("policy {name}"), stored.modified)?;
            }
            let after = policy.clone();
            let writes = match &after {
                None => policies::deletion(mesh, name),
                Some(_) if after == before && *action == Action::Put => Vec::new(),
                Some(after) => vec![catalog::put_policy(after)?],
            };
            Ok((Outcome::Policy { before, after }, writes))
        }
    }
}

/// A mesh takes its policies along, which may be deleted beside it; a store writes a key once in a transaction.
fn once(writes: &mut Vec<Change>) {
    let mut seen = std::collections::BTreeSet::new();
    writes.retain(|change| match change {
        Change::Put { key, .. } | Change::Delete { key } => seen.insert(key.clone()),
    });
}
