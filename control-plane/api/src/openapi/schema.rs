//! JSON Schemas: from the tables that requests are checked with, and by hand.

use ferromesh_model::shapes::{Member, Shape, Type};
use serde_json::{json, Map, Value};

/// A text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// A text of at least one character.
pub(super) fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

/// One of these texts.
pub(super) fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

/// A number without a fraction that is not negative.
pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// A number.
pub(super) fn number() -> Value {
    json!({"type": "number"})
}

/// True or false.
pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// An object with any names and values of one kind.
pub(super) fn map(of: Value) -> Value {
    json!({"type": "object", "additionalProperties": of})
}

/// An object with these members and no others: those that it always has, then those that it may have.
pub(super) fn object<const R: usize, const O: usize>(
    required: [(&'static str, Value); R],
    optional: [(&'static str, Value); O],
) -> Value {
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let members: Map<String, Value> = required
        .into_iter()
        .chain(optional)
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    closed(members, &names)
}

/// One of the schemas under `components`.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An error in App Mesh's form.
pub(super) fn error() -> Value {
    let mut error = object([("message", text())], []);
    error["description"] = json!("What is wrong, for a person.");
    error
}

fn closed(members: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": members, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A shape, with the shapes of its members as `inner` has them.
pub(super) fn of_shape(shape: &Shape, inner: &dyn Fn(&Shape) -> Value) -> Value {
    match &shape.ty {
        Type::Structure(members) => structure(members.iter(), inner),
        Type::Union(members) => {
            let members = members.iter();
            let members = members.map(|member| (member.name.to_owned(), inner(member.shape)));
            let mut schema = closed(members.collect(), &[]);
            schema["minProperties"] = json!(1);
            schema["maxProperties"] = json!(1);
            schema
        }
        Type::List { member, min, max } => {
            let mut schema = list(inner(member));
            if *min > 0 {
                schema["minItems"] = json!(min);
            }
            if let Some(max) = max {
                schema["maxItems"] = json!(max);
            }
            schema
        }
        Type::String { min, max, pattern } => {
            let mut schema = text();
            if *min > 0 {
                schema["minLength"] = json!(min);
            }
            if let Some(max) = max {
                schema["maxLength"] = json!(max);
            }
            if let Some(pattern) = pattern {
                schema["pattern"] = json!(pattern.as_str());
            }
            schema
        }
        Type::Enum(values) => one_of(values),
        Type::Integer { min, max } => {
            let mut schema = json!({"type": "integer"});
            if *min > i64::MIN {
                schema["minimum"] = json!(min);
            }
            if *max < i64::MAX {
                schema["maximum"] = json!(max);
            }
            schema
        }
        Type::Float { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Type::Boolean => boolean(),
        Type::Timestamp => json!({
            "type": "number",
            "description": "Seconds since 1970-01-01 UTC, with or without a fraction.",
        }),
        Type::Any => json!({}),
    }
}

/// Some members of a structure.
pub(super) fn structure<'a>(members: impl Iterator<Item = &'a Member>, inner: &dyn Fn(&Shape) -> Value) -> Value {
    let mut schemas = Map::new();
    let mut required = Vec::new();
    for member in members {
        schemas.insert(member.name.to_owned(), inner(member.shape));
        if member.required {
            required.push(member.name);
        }
    }
    closed(schemas, &required)
}

/// A shape with everything in it, for tables whose names are not those of App Mesh.
pub(super) fn whole(shape: &Shape) -> Value {
    of_shape(shape, &whole)
}
