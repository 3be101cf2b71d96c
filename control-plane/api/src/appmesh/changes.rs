//! Creating, updating and deleting resources.

use ferromesh_model::record::{Metadata, Record, Tag};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate::{self, Lookup, New, Rejection};
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change, StoreError};
use serde_json::{json, Value};

use super::tokens::Token;
use super::{accounts, tags, wire, Call, Input, Scene};
use crate::request::Expected;
use crate::view::{self, View};
use crate::ApiError;

/// What somebody wants of one resource. The single operations and change sets are judged by the same steps: [`Wish::check`]
/// alone, [`plan`] against what is there, [`Plan::judge`] among what will be there.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) key: Key,
    pub(crate) what: What,
    /// The version that the resource must have.
    pub(crate) if_version: Option<Expected>,
}

/// What becomes of the resource.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// It is made; there must be none.
    Create { spec: Value, tags: Vec<Tag> },
    /// It gets another spec; it must be there.
    Update { spec: Value, tags: Vec<Tag> },
    /// It is made or gets another spec, unless it has this one already.
    Put { spec: Value, tags: Vec<Tag> },
    /// It is deleted; it must be there.
    Delete,
}

impl Wish {
    /// Everything that is wrong with it whatever else there is; `name_at` is the member that carries a new name.
    pub(crate) fn check(&self, name_at: &str) -> Vec<Violation> {
        let kind = self.key.kind;
        let mut violations = Vec::new();
        let (spec, tags) = match &self.what {
            What::Create { spec, tags } | What::Put { spec, tags } => {
                violations.extend(validate::name(kind, name_at, &self.key.name));
                (spec, tags)
            }
            What::Update { spec, tags } => (spec, tags),
            What::Delete => return violations,
        };
        violations.extend(validate::spec(kind, spec));
        violations.extend(tags::rules(tags));
        violations
    }
}

/// What a wish makes of a resource.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) before: Option<Record>,
    /// As it will be stored; `None` if it is deleted.
    pub(crate) after: Option<Record>,
    /// A deleted resource as the answer shows it.
    deleted: Option<Record>,
}

/// Holds a wish against what is there.
pub(crate) fn plan(scene: &Scene<'_>, view: &View<'_>, wish: &Wish, now: f64) -> Result<Plan, ApiError> {
    let Wish { key, what, if_version } = wish;
    let before = view.record(key)?;
    if let Some(record) = &before {
        match what {
            What::Create { .. } => {}
            What::Update { .. } | What::Put { .. } => accounts::may_update(scene, record)?,
            What::Delete => accounts::may_delete(scene, record)?,
        }
    }
    if let Some(expected) = if_version {
        let Some(record) = &before else {
            return Err(super::absent(scene, key)?);
        };
        expected.check(&format!("{} {}", key.kind, key.name), record.metadata.version)?;
    }
    let after = match (what, before.clone()) {
        (What::Create { .. }, Some(_)) => return Err(exists(scene, key).into()),
        (What::Create { spec, tags } | What::Put { spec, tags }, None) => made(scene, key, spec, tags, now),
        (What::Update { .. } | What::Delete, None) => return Err(super::absent(scene, key)?),
        (What::Update { spec, tags }, Some(mut record)) => {
            record.spec = spec.clone();
            advance(&mut record, now);
            tags::merge(&mut record.tags, tags)?;
            record
        }
        (What::Put { spec, tags }, Some(mut record)) => {
            let shown = |spec| ferromesh_model::describe(key.kind, spec);
            if shown(&record.spec) != shown(spec) {
                record.spec = spec.clone();
                advance(&mut record, now);
            }
            tags::merge(&mut record.tags, tags)?;
            record
        }
        (What::Delete, Some(mut record)) => {
            if key.kind != Kind::Mesh {
                // As App Mesh answers: the deletion counts as a change, of all but meshes.
                advance(&mut record, now);
            }
            return Ok(Plan {
                before,
                after: None,
                deleted: Some(record),
            });
        }
    };
    Ok(Plan {
        before,
        after: Some(after),
        deleted: None,
    })
}

impl Plan {
    /// Whether nothing would be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The resource as it will be, a deleted one as it was.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.after.as_ref().or(self.deleted.as_ref())
    }

    /// Judges it among the others, as far as the view knows what they will be.
    pub(crate) fn judge(&self, scene: &Scene<'_>, view: &View<'_>) -> Result<(), ApiError> {
        match (&self.before, &self.after) {
            (Some(record), None) => Ok(validate::delete(view, &record.key)?),
            (None, None) => Ok(()),
            (before, Some(record)) => {
                let is_new = if before.is_some() { New::No } else { New::Yes };
                judge(scene, view, &record.key, &record.spec, is_new)
            }
        }
    }

    /// What is written.
    pub(crate) fn writes(&self, view: &View<'_>) -> Result<Vec<Change>, StoreError> {
        let Some(record) = &self.after else {
            let Some(Record { key, metadata, .. }) = &self.before else {
                return Ok(Vec::new());
            };
            let mut changes = vec![Change::delete(key::record(key))];
            if key.kind == Kind::Mesh {
                // Nothing but the mesh gives its policies a meaning, and a later mesh of this name is another one.
                changes.extend(view.keys(&key::policies(&key.mesh))?.into_iter().map(Change::delete));
                changes.extend(view.keys(&key::rollbacks(&key.mesh))?.into_iter().map(Change::delete));
                changes.push(Change::delete(key::module_choice(&key.mesh)));
                changes.extend(accounts::unshare(view, &metadata.mesh_owner, &key.mesh)?);
            }
            return Ok(changes);
        };
        if self.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![catalog::put_record(record)?])
    }
}

/// Makes a resource.
pub(super) fn create(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let member = kind.name_member();
    let wish = Wish {
        key: input.key_named(kind, input.text(member).unwrap_or_default()),
        what: What::Create {
            spec: spec(kind, input),
            tags: tags::read(input)?,
        },
        // A precondition on what is not there yet would never hold.
        if_version: None,
    };
    ApiError::refuse(wish.check(member))?;
    change(scene, call, input, &wish)
}

/// Replaces a resource's spec.
pub(super) fn update(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let wish = Wish {
        key: input.key(kind),
        what: What::Update {
            spec: spec(kind, input),
            tags: Vec::new(),
        },
        if_version: input.if_version,
    };
    ApiError::refuse(wish.check(kind.name_member()))?;
    change(scene, call, input, &wish)
}

/// Deletes a resource on which nothing depends.
pub(super) fn delete(scene: &Scene<'_>, call: &Call, kind: Kind, input: &Input) -> Result<Value, ApiError> {
    let wish = Wish {
        key: input.key(kind),
        what: What::Delete,
        if_version: input.if_version,
    };
    change(scene, call, input, &wish)
}

/// Commits one change, once for each client token.
fn change(scene: &Scene<'_>, call: &Call, input: &Input, wish: &Wish) -> Result<Value, ApiError> {
    let token = Token::of(scene, call, input);
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        if let Some(token) = &token {
            if let Some(answer) = token.answer(view, now)? {
                return Ok((Vec::new(), answer));
            }
        }
        let plan = plan(scene, view, wish, now)?;
        plan.judge(scene, view)?;
        let mut changes = plan.writes(view)?;
        let status = match plan.after {
            Some(_) => wire::Status::Active,
            None => wire::Status::Deleted,
        };
        let answer = plan.record().map_or(Value::Null, |record| wire::data(record, status));
        if let (Some(token), Some(record)) = (&token, &plan.after) {
            changes.extend(token.remember(view, now, Some((&record.key, &record.metadata.uid)), &answer)?);
        }
        Ok((changes, answer))
    })
}

fn made(scene: &Scene<'_>, key: &Key, spec: &Value, tags: &[Tag], now: f64) -> Record {
    let account = &scene.caller.account;
    Record {
        key: key.clone(),
        spec: spec.clone(),
        metadata: Metadata {
            arn: accounts::arn(scene, key, account),
            created_at: now,
            last_updated_at: now,
            mesh_owner: scene.owner.to_owned(),
            resource_owner: account.clone(),
            uid: uuid::Uuid::new_v4().to_string(),
            version: 1,
        },
        tags: tags.to_vec(),
    }
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
    validate::put(view, scene.owner, key, spec)?;
    let backends = match key.kind {
        Kind::VirtualNode => spec.get("backends").and_then(Value::as_array).map_or(0, Vec::len),
        _ => 0,
    };
    // The rule counts what there is besides a new resource, and a planned one is in the view already.
    validate::quota(&Others { view, key }, &scene.config.quotas, key, is_new, backends)?;
    Ok(())
}

/// A view of everything but one resource.
struct Others<'a> {
    view: &'a View<'a>,
    key: &'a Key,
}

impl Lookup for Others<'_> {
    type Error = StoreError;

    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        match key == self.key {
            true => Ok(None),
            false => self.view.record(key),
        }
    }

    fn records(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, StoreError> {
        let mut records = self.view.records(kind, mesh, parent)?;
        records.retain(|record| record.key != *self.key);
        Ok(records)
    }

    fn count(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<usize, StoreError> {
        let all = self.view.count(kind, mesh, parent)?;
        let own = self.key;
        let is_among = own.kind == kind
            && (kind == Kind::Mesh || own.mesh == mesh)
            && (parent.is_none() || own.parent.as_deref() == parent);
        let is_counted = is_among && self.view.record(own)?.is_some();
        // Between the two reads another control plane may have made it; the commit notices.
        Ok(all.saturating_sub(usize::from(is_counted)))
    }
}

/// Counts one more version. Time does not go back, whatever the clock does.
fn advance(record: &mut Record, now: f64) {
    record.metadata.version += 1;
    record.metadata.last_updated_at = now.max(record.metadata.last_updated_at);
}

fn exists(scene: &Scene<'_>, key: &Key) -> Rejection {
    let Key { kind, mesh, name, .. } = key;
    let account = scene.owner;
    Rejection::Exists(match (kind, key.parent_key()) {
        (Kind::Mesh, _) => format!("Mesh with name {name} already exists for account {account}"),
        (_, None) => format!("{kind} with name {name} already exists under mesh {mesh} for account {account}"),
        (_, Some(parent)) => format!(
            "{kind} with name {name} already exists under {} {} of mesh {mesh} for account {account}",
            parent.kind, parent.name
        ),
    })
}
