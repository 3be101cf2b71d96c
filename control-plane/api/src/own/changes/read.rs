//! A change set's body, read.

use std::collections::BTreeMap;

use ferromesh_model::policy::{self, Policy};
use ferromesh_model::record::Tag;
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::{shapes, Violation};
use serde_json::{json, Map, Value};

use crate::access::Subject;
use crate::appmesh::changes::{What, Wish};
use crate::own::policies;
use crate::request::Expected;
use crate::{ApiError, ErrorKind};

/// Most changes of a set.
pub(super) const MOST: usize = 1000;

/// A change set whose members have the right form.
pub(super) struct ChangeSet {
    pub(super) entries: Vec<Entry>,
    pub(super) dry_run: bool,
    pub(super) proxies: Proxies,
    pub(super) token: Option<String>,
    /// The body without its token, which tells one set from another.
    pub(super) content: Value,
}

/// Whose configuration a dry run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxies {
    /// Every virtual node's and virtual gateway's.
    All,
    /// Those that are connected.
    Connected,
    /// Nobody's.
    None,
}

/// One change.
pub(super) struct Entry {
    /// Its place in the set.
    pub(super) index: usize,
    pub(super) subject: Entity,
}

/// What a change is about.
pub(super) enum Entity {
    Resource(Wish),
    Policy {
        mesh: String,
        name: String,
        action: Action,
        /// `None` if it is to be deleted.
        policy: Option<Box<Policy>>,
        if_version: Option<Expected>,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Update,
    Put,
    Delete,
}

impl Entry {
    pub(super) fn mesh(&self) -> &str {
        match &self.subject {
            Entity::Resource(wish) => &wish.key.mesh,
            Entity::Policy { mesh, .. } => mesh,
        }
    }

    pub(super) fn subject(&self) -> Subject {
        match &self.subject {
            Entity::Resource(wish) => wish.key.kind.into(),
            Entity::Policy { .. } => Subject::Policy,
        }
    }

    /// Name in messages.
    fn label(&self) -> String {
        match &self.subject {
            Entity::Resource(wish) => wish.key.to_string(),
            Entity::Policy { mesh, name, .. } => format!("mesh/{mesh}/policy/{name}"),
        }
    }
}

/// Reads a body. Everything that is wrong with any of the changes alone is told at once.
pub(super) fn change_set(body: &Map<String, Value>) -> Result<ChangeSet, ApiError> {
    let mut violations = Vec::new();
    for member in body.keys() {
        if !["changes", "dryRun", "proxies", "clientToken"].contains(&member.as_str()) {
            violations.push(Violation::new(member.clone(), "is not a member of a change set"));
        }
    }
    let dry_run = match body.get("dryRun") {
        None => false,
        Some(Value::Bool(dry_run)) => *dry_run,
        Some(_) => {
            violations.push(Violation::new("dryRun", "must be true or false"));
            false
        }
    };
    let proxies = match body.get("proxies").map(Value::as_str) {
        None | Some(Some("all")) => Proxies::All,
        Some(Some("connected")) => Proxies::Connected,
        Some(Some("none")) => Proxies::None,
        Some(_) => {
            violations.push(Violation::new("proxies", "must be all, connected or none"));
            Proxies::All
        }
    };
    let token = match body.get("clientToken") {
        None => None,
        Some(Value::String(token)) => Some(token.clone()),
        Some(_) => {
            violations.push(Violation::new("clientToken", "must be a string"));
            None
        }
    };
    let changes = match body.get("changes") {
        Some(Value::Array(changes)) if changes.len() <= MOST => changes.as_slice(),
        Some(Value::Array(changes)) => {
            let message = format!("must have at most {MOST} elements, has {}", changes.len());
            violations.push(Violation::new("changes", message));
            &[]
        }
        Some(_) => {
            violations.push(Violation::new("changes", "must be an array"));
            &[]
        }
        None => {
            violations.push(Violation::new("changes", "is required"));
            &[]
        }
    };
    ApiError::refuse(violations)?;

    let mut found = Vec::new();
    let mut entries = Vec::with_capacity(changes.len());
    for (index, change) in changes.iter().enumerate() {
        let mut wrong = Vec::new();
        if let Some(subject) = entity(change, &mut wrong) {
            entries.push(Entry { index, subject });
        }
        if !wrong.is_empty() {
            let error = ApiError {
                violations: wrong,
                ..ApiError::new(ErrorKind::BadRequest, "")
            };
            found.push((index, error));
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &entries {
        if let Some(first) = seen.insert(entry.label(), entry.index) {
            let message = format!("changes[{first}] is about {} already", entry.label());
            found.push((entry.index, ApiError::bad_request(message)));
        }
    }
    if !found.is_empty() {
        return Err(super::told(&found));
    }
    let mut content = body.clone();
    content.remove("clientToken");
    Ok(ChangeSet {
        entries,
        dry_run,
        proxies,
        token,
        content: Value::Object(content),
    })
}

/// Reads one change; `None` if it cannot be known what it is about.
fn entity(change: &Value, wrong: &mut Vec<Violation>) -> Option<Entity> {
    let Some(members) = change.as_object() else {
        wrong.push(Violation::new("", "must be an object"));
        return None;
    };
    let mut text = |name: &str, required: bool| match members.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(_) => {
            wrong.push(Violation::new(name, "must be a string that is not empty"));
            None
        }
        None => {
            if required {
                wrong.push(Violation::new(name, "is required"));
            }
            None
        }
    };
    let action = text("action", true);
    let kind = text("kind", true);
    let name = text("name", true);
    let is_mesh = kind.as_deref() == Some("mesh");
    let mesh = text("mesh", !is_mesh);
    let parent_given = text("parent", false);
    let action = match action.as_deref() {
        Some("create") => Some(Action::Create),
        Some("update") => Some(Action::Update),
        Some("put") => Some(Action::Put),
        Some("delete") => Some(Action::Delete),
        Some(other) => {
            let message = format!("must be create, update, put or delete, is {other:?}");
            wrong.push(Violation::new("action", message));
            None
        }
        None => None,
    };
    let if_version = if_version(members, action, wrong);
    let (action, kind, name) = (action?, kind?, name?);
    if kind == "policy" {
        return policy(members, action, &mesh?, &name, if_version, wrong);
    }
    let Some(kind) = Kind::from_wire_name(&kind) else {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.wire_name()).collect();
        let message = format!("must be one of {}, policy, is {kind:?}", known.join(", "));
        wrong.push(Violation::new("kind", message));
        return None;
    };
    let known = ["action", "kind", "mesh", "name", "parent", "spec", "tags", "ifVersion"];
    unknown(members, &known, wrong);
    let key = match (kind.parent(), parent_given) {
        (None, None) if is_mesh => {
            if mesh.as_ref().is_some_and(|mesh| *mesh != name) {
                wrong.push(Violation::new(
                    "mesh",
                    format!("must be {name:?} like the name of the mesh"),
                ));
            }
            Key::mesh(name)
        }
        (None, None) => Key::in_mesh(mesh?, kind, name),
        (None, Some(_)) => {
            wrong.push(Violation::new(
                "parent",
                format!("is for routes and gateway routes, not for a {kind}"),
            ));
            return None;
        }
        (Some(_), Some(parent)) => Key::in_parent(mesh?, kind, parent, name),
        (Some(parent), None) => {
            wrong.push(Violation::new(
                "parent",
                format!("is required: the name of the {parent}"),
            ));
            return None;
        }
    };
    let wish = Wish {
        what: what(members, action, kind, wrong),
        key,
        if_version,
    };
    wrong.extend(wish.check("name"));
    Some(Entity::Resource(wish))
}

fn what(members: &Map<String, Value>, action: Action, kind: Kind, wrong: &mut Vec<Violation>) -> What {
    if action == Action::Delete {
        for member in ["spec", "tags"] {
            if members.contains_key(member) {
                wrong.push(Violation::new(member, "has no place in a deletion"));
            }
        }
        return What::Delete;
    }
    let spec = match members.get("spec") {
        Some(spec) => spec.clone(),
        None => {
            if kind != Kind::Mesh {
                wrong.push(Violation::new("spec", "is required"));
            }
            json!({})
        }
    };
    let tags = members.get("tags").map_or_else(Vec::new, |tags| {
        let violations = shapes::check("TagList", tags);
        let read: Vec<Tag> = serde_json::from_value(tags.clone()).unwrap_or_default();
        wrong.extend(violations.into_iter().map(|violation| violation.under("tags")));
        let mut read = read;
        read.sort_by(|a, b| a.key.cmp(&b.key));
        read
    });
    match action {
        Action::Create => What::Create { spec, tags },
        Action::Update => What::Update { spec, tags },
        Action::Put | Action::Delete => What::Put { spec, tags },
    }
}

fn policy(
    members: &Map<String, Value>,
    action: Action,
    mesh: &str,
    name: &str,
    if_version: Option<Expected>,
    wrong: &mut Vec<Violation>,
) -> Option<Entity> {
    let known = ["action", "kind", "mesh", "name", "target", "spec", "ifVersion"];
    unknown(members, &known, wrong);
    let policy = if action == Action::Delete {
        for member in ["target", "spec"] {
            if members.contains_key(member) {
                wrong.push(Violation::new(member, "has no place in a deletion"));
            }
        }
        None
    } else {
        wrong.extend(policies::name(name));
        let mut body = json!({ "mesh": mesh, "name": name });
        for member in ["target", "spec"] {
            if let Some(value) = members.get(member) {
                body[member] = value.clone();
            }
        }
        let violations = policy::check(&body);
        let is_right = violations.is_empty();
        wrong.extend(violations);
        match serde_json::from_value(body) {
            Ok(policy) => Some(Box::new(policy)),
            Err(error) => {
                if is_right {
                    wrong.push(Violation::new("", format!("cannot be read as a policy: {error}")));
                }
                return None;
            }
        }
    };
    Some(Entity::Policy {
        mesh: mesh.to_owned(),
        name: name.to_owned(),
        action,
        policy,
        if_version,
    })
}

fn if_version(members: &Map<String, Value>, action: Option<Action>, wrong: &mut Vec<Violation>) -> Option<Expected> {
    let value = members.get("ifVersion")?;
    match (value.as_u64(), action) {
        (_, Some(Action::Create)) => {
            wrong.push(Violation::new(
                "ifVersion",
                "has no place in a creation: there is no version yet",
            ));
            None
        }
        (Some(version), _) => Some(Expected::Version(version)),
        (None, _) => {
            wrong.push(Violation::new("ifVersion", format!("must be a version, is {value}")));
            None
        }
    }
}

fn unknown(members: &Map<String, Value>, known: &[&str], wrong: &mut Vec<Violation>) {
    for member in members.keys().filter(|member| !known.contains(&member.as_str())) {
        wrong.push(Violation::new(member.clone(), "is not a member of such a change"));
    }
}
