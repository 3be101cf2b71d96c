//! The leaves of the spec trees: every field that holds no further fields, each value of an enumeration by itself.
//!
//! Written as paths, such as `route.httpRoute.match.method=GET` or `virtualNode.listeners[].portMapping.port`.

use std::collections::BTreeSet;

use ferromesh_model::shapes::{Shape, Type};
use serde_json::Value;

/// The kinds of resources as cases name them, with the shapes of their specs.
pub const SPECS: &[(&str, &str)] = &[
    ("mesh", "MeshSpec"),
    ("virtualService", "VirtualServiceSpec"),
    ("virtualRouter", "VirtualRouterSpec"),
    ("route", "RouteSpec"),
    ("virtualNode", "VirtualNodeSpec"),
    ("virtualGateway", "VirtualGatewaySpec"),
    ("gatewayRoute", "GatewayRouteSpec"),
];

/// Every leaf, in the order of the service model.
pub fn all() -> Vec<String> {
    let mut found = Vec::new();
    for (kind, shape) in SPECS {
        if let Some(shape) = ferromesh_model::shapes::shape(shape) {
            below(shape, (*kind).to_owned(), &mut found);
        }
    }
    found
}

fn below(shape: &Shape, path: String, found: &mut Vec<String>) {
    match &shape.ty {
        Type::Structure(members) | Type::Union(members) => {
            for member in *members {
                below(member.shape, format!("{path}.{}", member.name), found);
            }
        }
        Type::List { member, .. } => below(member, format!("{path}[]"), found),
        Type::Enum(values) => found.extend(values.iter().map(|value| format!("{path}={value}"))),
        Type::Boolean => found.extend([true, false].map(|value| format!("{path}={value}"))),
        _ => found.push(path),
    }
}

/// The leaves that a spec sets.
pub fn set(kind: &str, spec: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let shape = SPECS.iter().find(|(name, _)| *name == kind);
    if let Some(shape) = shape.and_then(|(_, shape)| ferromesh_model::shapes::shape(shape)) {
        collect(shape, spec, kind.to_owned(), &mut found);
    }
    found
}

fn collect(shape: &Shape, value: &Value, path: String, found: &mut BTreeSet<String>) {
    match (&shape.ty, value) {
        (Type::Structure(members) | Type::Union(members), Value::Object(object)) => {
            for member in *members {
                if let Some(value) = object.get(member.name) {
                    collect(member.shape, value, format!("{path}.{}", member.name), found);
                }
            }
        }
        (Type::List { member, .. }, Value::Array(elements)) => {
            for element in elements {
                collect(member, element, format!("{path}[]"), found);
            }
        }
        (Type::Enum(_), Value::String(value)) => drop(found.insert(format!("{path}={value}"))),
        (Type::Boolean, Value::Bool(value)) => drop(found.insert(format!("{path}={value}"))),
        _ => drop(found.insert(path)),
    }
}

/// What a pattern such as `a.{b,c=D}.e` stands for.
pub fn expand(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![pattern.to_owned()];
    };
    let choices = choices.split(',').map(str::trim);
    choices
        .flat_map(|choice| expand(&format!("{before}{choice}{after}")))
        .collect()
}
