//! The input of an operation, from wherever the request carries it, checked against the service model.

use std::collections::BTreeMap;

use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::shapes::{self, Location, Member, Type};
use ferromesh_model::Violation;
use serde_json::{Map, Value};

use super::Found;
use crate::request::{Expected, Request};
use crate::ApiError;

/// A checked input.
#[derive(Debug)]
pub(super) struct Input {
    labels: BTreeMap<&'static str, String>,
    query: BTreeMap<String, String>,
    pub(super) body: Map<String, Value>,
    /// The version that the resource must have, if the client asks for one.
    pub(super) if_version: Option<Expected>,
}

impl Input {
    /// Reads and checks everything that the operation's input shape names. All violations are told at once.
    pub(super) fn read(found: &Found, request: &Request) -> Result<Self, ApiError> {
        let shape = found.call.operation.input;
        let Type::Structure(members) = shape.ty else {
            return Err(ApiError::internal(&format!("{} is no structure", shape.name)));
        };
        let mut query = request.query_members()?;
        // What the operation does not know does not count: CreateMesh has no meshOwner.
        query.retain(|name, _| {
            let mut members = members.iter();
            members.any(|member| member.location == Location::Query && member.name == name)
        });
        let mut violations = Vec::new();
        for member in members {
            match member.location {
                Location::Body => {}
                Location::Uri => {
                    let label = found.labels.get(member.name).map_or("", String::as_str);
                    violations.extend(check_text(member, label));
                    // A label is a name; one that names nothing that can exist deserves a better answer than 404.
                    if label.starts_with("arn:") {
                        violations.push(Violation::new(
                            member.name,
                            format!("must be a name, is the ARN {label:?}"),
                        ));
                    }
                }
                Location::Query => match query.get(member.name) {
                    Some(text) => violations.extend(check_text(member, text)),
                    None if member.required => violations.push(Violation::new(member.name, "is required")),
                    None => {}
                },
            }
        }
        let body = if members.iter().any(|member| member.location == Location::Body) {
            request.object()?
        } else {
            Map::new()
        };
        violations.extend(shapes::check_body(shape, &body));
        ApiError::refuse(violations)?;
        Ok(Self {
            labels: found.labels.clone(),
            query,
            body,
            if_version: request.if_match()?,
        })
    }

    /// A label of the path.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// All labels of the path.
    pub(super) fn labels(&self) -> &BTreeMap<&'static str, String> {
        &self.labels
    }

    /// A member of the query string.
    pub(super) fn query(&self, name: &str) -> Option<&String> {
        self.query.get(name)
    }

    /// A number in the query string.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.query(name)?.parse().ok()
    }

    /// A string in the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// Key of the resource that the path names.
    pub(super) fn key(&self, kind: Kind) -> Key {
        self.key_named(kind, self.label(kind.name_member()))
    }

    /// Key of a resource of this name in the collection that the path names.
    pub(super) fn key_named(&self, kind: Kind, name: &str) -> Key {
        let mesh = self.label("meshName");
        match kind.parent() {
            _ if kind == Kind::Mesh => Key::mesh(name),
            Some(parent) => Key::in_parent(mesh, kind, self.label(parent.name_member()), name),
            None => Key::in_mesh(mesh, kind, name),
        }
    }
}

/// A label or query member is text; what its shape wants as a number must look like one.
fn check_text(member: &Member, text: &str) -> Vec<Violation> {
    let value = match member.shape.ty {
        Type::Integer { .. } => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => return vec![Violation::new(member.name, format!("must be a number, is {text:?}"))],
        },
        _ => Value::from(text),
    };
    let violations = shapes::check_against(member.shape, &value).into_iter();
    violations.map(|violation| violation.under(member.name)).collect()
}
