//! What each operation of App Mesh and of Cloud Map takes. Those of our own API are in `own::rules`.

use ferromesh_model::resource::Kind;

use super::{Role, Rule, Subject};
use crate::appmesh::{accounts, Found, Verb};
use crate::cloud_map;
use crate::request::Request;

/// What an operation of App Mesh takes.
pub(crate) fn of_app_mesh(found: &Found, request: &Request) -> Rule {
    let role = match found.call.verb {
        Verb::Describe | Verb::List | Verb::ListTags => Role::Reader,
        Verb::Create | Verb::Update | Verb::Delete | Verb::Tag | Verb::Untag => Role::Operator,
    };
    let label = |name: &str| found.labels.get(name).cloned();
    match (found.call.verb, found.call.kind) {
        (Verb::List, Some(Kind::Mesh)) => Rule::somewhere(role, Subject::Mesh),
        (Verb::Create, Some(Kind::Mesh)) => of_mesh(role, Subject::Mesh, member(request, "meshName")),
        (
            Verb::Create
            | Verb::Describe
            | Verb::Update
            | Verb::Delete
            | Verb::List
            | Verb::Tag
            | Verb::Untag
            | Verb::ListTags,
            Some(kind),
        ) => of_mesh(role, kind.into(), label("meshName")),
        // Tags, of whatever the ARN names.
        (_, None) => {
            let members = request.query_members().unwrap_or_default();
            let key = members.get("resourceArn").and_then(|arn| accounts::key_of(arn));
            match key {
                Some(key) => Rule::mesh(role, key.kind.into(), &key.mesh),
                // It will be refused for what it is, by whoever has the role anywhere.
                None => Rule::somewhere(role, Subject::Mesh),
            }
        }
    }
}

/// What an operation of Cloud Map takes: namespaces belong to no mesh.
pub(crate) fn of_cloud_map(call: &cloud_map::Call) -> Rule {
    let role = if call.is_change { Role::Operator } else { Role::Reader };
    Rule::server(role, Subject::Registry)
}

/// A role in a mesh; where a request names none, it will be refused for that by whoever has the role anywhere.
pub(crate) fn of_mesh(role: Role, kind: Subject, mesh: Option<String>) -> Rule {
    match mesh {
        Some(mesh) => Rule::mesh(role, kind, &mesh),
        None => Rule::somewhere(role, kind),
    }
}

/// A member of the body that is a string.
pub(crate) fn member(request: &Request, name: &str) -> Option<String> {
    let body = request.object().ok()?;
    body.get(name)?.as_str().map(str::to_owned)
}
