//! Blocks as values: `count`, `for_each` and `dynamic` are carried out.

use hcl::{Body, Expression, Structure, Value};
use serde_json::Map;

use super::scope::{json, Scope};
use crate::{
    document::below,
    finding::{Place, Report},
};

/// Most instances that one block makes.
const MAX_INSTANCES: usize = 10_000;

/// One of the resources that a block makes: its key in square brackets, and what names mean in it.
pub struct Instance {
    pub index: String,
    pub scope: Scope,
    pub key: Option<Value>,
}

/// The instances of a resource's block.
///
/// # Errors
/// What cannot be evaluated.
pub fn instances(body: &Body, scope: &Scope) -> Result<Vec<Instance>, String> {
    let expression = |name: &str| {
        body.attributes()
            .find(|attribute| attribute.key() == name)
            .map(hcl::Attribute::expr)
    };
    if let Some(count) = expression("count") {
        let count = scope.evaluate(count)?;
        let number = count
            .as_number()
            .and_then(hcl::Number::as_u64)
            .and_then(|count| usize::try_from(count).ok());
        let number = number.filter(|count| *count <= MAX_INSTANCES);
        let number = number.ok_or_else(|| format!("count is {count}: expected a number up to {MAX_INSTANCES}"))?;
        return Ok((0..number)
            .map(|index| Instance {
                index: format!("[{index}]"),
                scope: scope.with("count.index", Value::from(index)),
                key: Some(Value::from(index)),
            })
            .collect());
    }
    let Some(each) = expression("for_each") else {
        return Ok(vec![Instance {
            index: String::new(),
            scope: scope.clone(),
            key: None,
        }]);
    };
    let items = items(scope.evaluate(each)?)?;
    let instance = |(key, value): (Value, Value)| Instance {
        index: format!("[{key}]"),
        scope: scope.with("each.key", key.clone()).with("each.value", value),
        key: Some(key),
    };
    Ok(items.into_iter().map(instance).collect())
}

/// Keys and values of what `for_each` goes over.
fn items(collection: Value) -> Result<Vec<(Value, Value)>, String> {
    let items: Vec<(Value, Value)> = match collection {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (Value::String(key), value))
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| (item.clone(), item)).collect(),
        other => return Err(format!("for_each is {other}: expected a map or a set")),
    };
    if items.len() > MAX_INSTANCES {
        return Err(format!(
            "for_each has {} elements, at most {MAX_INSTANCES} are made",
            items.len()
        ));
    }
    Ok(items)
}

/// A body as a value: attributes by name, blocks as lists. What cannot be evaluated is reported and left out; its
/// names come second.
pub fn body(
    body: &Body,
    scope: &Scope,
    path: &str,
    place: Place<'_>,
    report: &mut Report,
) -> (Map<String, serde_json::Value>, Vec<String>) {
    let mut members: Map<String, serde_json::Value> = Map::new();
    let mut unknown = Vec::new();
    for structure in body.iter() {
        match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key();
                // Terraform's own; they may name what is nowhere evaluated.
                if path.is_empty() && ["depends_on", "provider", "count", "for_each"].contains(&name) {
                    continue;
                }
                match scope.evaluate(attribute.expr()) {
                    Ok(value) => {
                        members.insert(name.to_owned(), json(&value));
                    }
                    Err(reason) => {
                        report.error(place, &below(path, name), hint(attribute.expr(), &reason));
                        unknown.push(name.to_owned());
                    }
                }
            }
            Structure::Block(block) if block.identifier() == "dynamic" => {
                dynamic(block, scope, path, place, report, &mut members);
            }
            Structure::Block(block) => {
                let name = block.identifier();
                if path.is_empty() && ["lifecycle", "timeouts", "provisioner", "connection"].contains(&name) {
                    continue;
                }
                let (inner, _) = self::body(block.body(), scope, &below(path, name), place, report);
                push(&mut members, name, inner);
            }
        }
    }
    (members, unknown)
}

fn dynamic(
    block: &hcl::Block,
    scope: &Scope,
    path: &str,
    place: Place<'_>,
    report: &mut Report,
    members: &mut Map<String, serde_json::Value>,
) {
    let Some(name) = block.labels().first().map(hcl::BlockLabel::as_str) else {
        return report.error(place, path, "a dynamic block has a label");
    };
    let path = below(path, name);
    let attribute = |name: &str| block.body().attributes().find(|attribute| attribute.key() == name);
    let content = block.body().blocks().find(|inner| inner.identifier() == "content");
    let (Some(each), Some(content)) = (attribute("for_each"), content) else {
        return report.error(place, &path, "a dynamic block has for_each and content");
    };
    let iterator = match attribute("iterator").map(hcl::Attribute::expr) {
        Some(Expression::Variable(variable)) => variable.to_string(),
        _ => name.to_owned(),
    };
    let items = match scope.evaluate(each.expr()).and_then(items) {
        Ok(items) => items,
        Err(reason) => return report.error(place, &path, hint(each.expr(), &reason)),
    };
    for (key, value) in items {
        let scope = scope
            .with(&format!("{iterator}.key"), key)
            .with(&format!("{iterator}.value"), value);
        let (inner, _) = body(content.body(), &scope, &path, place, report);
        push(members, name, inner);
    }
}

fn push(members: &mut Map<String, serde_json::Value>, name: &str, inner: Map<String, serde_json::Value>) {
    let list = members.entry(name.to_owned()).or_insert_with(|| serde_json::json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(serde_json::Value::Object(inner));
    }
}

/// Why an expression has no value, and how to give it one.
pub fn hint(expression: &Expression, reason: &str) -> String {
    let shown: String = hcl::format::to_string(expression)
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    let plain = matches!(expression, Expression::Traversal(_)) && !shown.contains('[');
    if plain {
        let name = shown.strip_prefix("var.").unwrap_or(&shown);
        format!("{shown} is not known here: give it with --var {name}=…")
    } else {
        format!("{shown} cannot be evaluated: {reason}")
    }
}
