//! Resource documents: what stands in the files that `apply` reads.
//!
//! Four forms, in JSON or YAML, several to a file:
//! - App Mesh's create input, as `aws appmesh create-… --cli-input-json` takes it:
//!   `{"meshName": "m", "virtualNodeName": "n", "spec": {…}, "tags": […]}`;
//! - App Mesh's describe output, bare or as the CLI wraps it: `{"virtualNode": {"meshName": …, "spec": …, "metadata": …}}`;
//! - files that another tool made (dumps with tags, CloudFormation, Kubernetes manifests, Terraform), which [`super::import`] reads;
//! - our policies: `{"name": "p", "mesh": "m", "target": {…}, "spec": {…}}`, bare or wrapped in `policy`.

mod files;

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

pub use files::read;

/// One resource to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it was read, for messages: `mesh.yaml, document 2`.
    pub origin: String,
    /// What it says.
    pub content: Content,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A resource of App Mesh.
    Resource {
        /// Which one.
        key: Key,
        /// Its spec, verbatim.
        spec: Value,
        /// Its tags, if the document has any.
        tags: Option<Value>,
    },
    /// A policy of ours.
    Policy {
        /// Its mesh.
        mesh: String,
        /// Its name.
        name: String,
        /// `{"target": …, "spec": …}`
        body: Value,
    },
}

impl Content {
    /// Name in messages: `virtualNode/n`, `virtualRouter/r/route/t`, `policy/p`.
    pub fn label(&self) -> String {
        match self {
            Self::Resource { key, .. } => label(key),
            Self::Policy { name, .. } => format!("policy/{name}"),
        }
    }

    /// The mesh it belongs to.
    pub fn mesh(&self) -> &str {
        match self {
            Self::Resource { key, .. } => &key.mesh,
            Self::Policy { mesh, .. } => mesh,
        }
    }

    /// Place in the order of creation: whatever is referred to comes before whatever refers.
    pub fn rank(&self) -> usize {
        match self {
            Self::Resource { key, .. } => Kind::ALL.iter().position(|kind| *kind == key.kind).unwrap_or(0),
            Self::Policy { .. } => Kind::ALL.len(),
        }
    }
}

/// Name of a resource in messages, without its mesh.
pub fn label(key: &Key) -> String {
    let part = key.resource_part();
    match part.strip_prefix(&format!("mesh/{}/", key.mesh)) {
        Some(inside) => inside.to_owned(),
        None => part,
    }
}

/// Reads one value: a document, or a list of them. `default_mesh` fills in where a document names none.
///
/// # Errors
/// What is wrong, with the origin.
pub fn parse(origin: &str, value: Value, default_mesh: Option<&str>) -> Result<Vec<Document>, String> {
    match value {
        Value::Array(items) => {
            let parsed = items.into_iter().enumerate().map(|(index, item)| {
                let origin = format!("{origin}, item {}", index + 1);
                parse(&origin, item, default_mesh)
            });
            Ok(parsed.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        Value::Object(members) => {
            let content = content(members, default_mesh).map_err(|reason| format!("{origin}: {reason}"))?;
            Ok(vec![Document {
                origin: origin.to_owned(),
                content,
            }])
        }
        other => Err(format!(
            "{origin}: expected an object or a list, found {}",
            type_name(&other)
        )),
    }
}

fn content(members: Map<String, Value>, default_mesh: Option<&str>) -> Result<Content, String> {
    let members = unwrapped(members);
    if members.contains_key("target") {
        policy(members, default_mesh)
    } else {
        resource(members, default_mesh)
    }
}

/// The CLI prints `{"virtualNode": {…}}`; the service itself answers without the wrapper.
fn unwrapped(mut members: Map<String, Value>) -> Map<String, Value> {
    let wrapper = match members.keys().next() {
        Some(name) if members.len() == 1 && (name == "policy" || Kind::from_wire_name(name).is_some()) => name.clone(),
        _ => return members,
    };
    match members.remove(&wrapper) {
        Some(Value::Object(inner)) => inner,
        Some(other) => Map::from_iter([(wrapper, other)]),
        None => members,
    }
}

fn resource(mut members: Map<String, Value>, default_mesh: Option<&str>) -> Result<Content, String> {
    let mut take_name = |member: &str| match members.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if !name.is_empty() => Ok(Some(name)),
        Some(other) => Err(format!("{member} is {other}: expected a name")),
    };
    let mut names = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mesh) {
        if let Some(name) = take_name(kind.name_member())? {
            names.push((kind, name));
        }
    }
    let mesh_name = take_name("meshName")?;
    let mesh = || {
        let name = mesh_name.clone().or(default_mesh.map(str::to_owned));
        name.ok_or("it has no meshName, and --mesh gives none")
    };
    let key = match names.as_slice() {
        [] => Key::mesh(mesh_name.clone().ok_or(
            "it has none of the members that say what it is: meshName, virtualNodeName, virtualServiceName, \
             virtualRouterName, routeName, virtualGatewayName, gatewayRouteName, or target of a policy",
        )?),
        [(kind, name)] if kind.parent().is_none() => Key::in_mesh(mesh()?, *kind, name),
        [(kind, name)] => {
            let parent = kind.parent().map_or("", Kind::name_member);
            return Err(format!("{} {name:?} has no {parent}", kind.name_member()));
        }
        // In the order of creation the parent stands before its child.
        [(parent, parent_name), (kind, name)] if kind.parent() == Some(*parent) => {
            Key::in_parent(mesh()?, *kind, parent_name, name)
        }
        [(kind, name), (parent, parent_name)] if kind.parent() == Some(*parent) => {
            Key::in_parent(mesh()?, *kind, parent_name, name)
        }
        several => {
            let members: Vec<_> = several.iter().map(|(kind, _)| kind.name_member()).collect();
            return Err(format!("it is several resources at once: {}", members.join(", ")));
        }
    };
    let spec = match (members.remove("spec"), key.kind) {
        (Some(spec), _) => spec,
        (None, Kind::Mesh) => json!({}),
        (None, _) => return Err(format!("{} has no spec", label(&key))),
    };
    let tags = members.remove("tags");
    // What the service adds to a resource, and what only a call has.
    for ignored in ["metadata", "status", "meshOwner", "clientToken"] {
        members.remove(ignored);
    }
    if let Some(unknown) = members.keys().next() {
        return Err(format!("{}: unknown member {unknown:?}", label(&key)));
    }
    Ok(Content::Resource { key, spec, tags })
}

fn policy(mut members: Map<String, Value>, default_mesh: Option<&str>) -> Result<Content, String> {
    let mut take_name = |member: &str| match members.remove(member) {
        Some(Value::String(name)) if !name.is_empty() => Ok(Some(name)),
        None => Ok(None),
        Some(other) => Err(format!("policy: {member} is {other}: expected a name")),
    };
    let name = take_name("name")?.ok_or("policy: it has no name")?;
    let mesh = take_name("mesh")?
        .or(default_mesh.map(str::to_owned))
        .ok_or_else(|| format!("policy/{name}: it has no mesh, and --mesh gives none"))?;
    let known = ["target", "spec", "version", "createdAt", "lastUpdatedAt", "metadata"];
    if let Some(unknown) = members.keys().find(|member| !known.contains(&member.as_str())) {
        return Err(format!("policy/{name}: unknown member {unknown:?}"));
    }
    let target = members.remove("target").unwrap_or(Value::Null);
    let spec = members.remove("spec").unwrap_or_else(|| json!({}));
    Ok(Content::Policy {
        mesh,
        name,
        body: json!({ "target": target, "spec": spec }),
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
