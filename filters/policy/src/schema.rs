//! What may be written, as JSON Schema (draft 2020-12): for the reference pages and for editors.
//!
//! The types say it themselves: their members, defaults and docs, and as limits the constants that
//! [`PluginConfig::check`] refuses by. A schema is more lenient than the check where one field limits another,
//! and it counts characters where the check counts bytes.

use schemars::generate::SchemaSettings;
use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::mesh::PluginConfig;
use crate::observability::Formats;

/// How `traceContext` is written: `true` (W3C), `false`, or which formats are read and written.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[allow(dead_code)] // only its form counts
pub(crate) enum SwitchOrFormats {
    /// `true`: W3C Trace Context is read and written. `false`: traces are left alone.
    Switch(bool),
    /// The formats that are read and those that are written.
    Formats(Formats),
}

/// The schema of a plugin's configuration; a route's policy is its definition `RouteConfig`.
#[must_use]
pub fn plugin_config() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<PluginConfig>()
        .to_value();
    tidy(&mut schema, &[]);
    schema
}

/// Makes descriptions of docs: without links of rustdoc, and with the names that members have in JSON.
fn tidy(schema: &mut Value, siblings: &[String]) {
    match schema {
        Value::Object(members) => {
            let own: Vec<String> = match members.get("properties") {
                Some(Value::Object(properties)) => properties.keys().cloned().collect(),
                _ => Vec::new(),
            };
            tidy_members(members, siblings, &own);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, siblings)),
        _ => {}
    }
}

fn tidy_members(members: &mut Map<String, Value>, siblings: &[String], own: &[String]) {
    // Rust's names of numbers mean nothing to editors; the limits are in `minimum` and `maximum`.
    let is_number = |format: &Value| {
        let format = format.as_str().unwrap_or_default();
        format == "double" || format.starts_with("uint")
    };
    if members.get("format").is_some_and(is_number) {
        members.remove("format");
    }
    for (name, member) in members {
        match (name.as_str(), member) {
            ("description", Value::String(text)) => {
                let names = if own.is_empty() { siblings } else { own };
                *text = description(text, names);
            }
            // Defaults and fixed values are data.
            ("default" | "const" | "enum", _) => {}
            ("properties" | "$defs", Value::Object(parts)) => parts.values_mut().for_each(|part| tidy(part, own)),
            (_, member) => tidy(member, siblings),
        }
    }
}

/// One line for each paragraph.
fn description(docs: &str, names: &[String]) -> String {
    let paragraphs = docs.split("\n\n").map(|paragraph| {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let unlinked = line.replace("[`", "`").replace("`]", "`");
        let words = unlinked.split('`').enumerate().map(|(index, part)| match index % 2 {
            0 => part.to_owned(),
            _ => written(part, names),
        });
        words.collect::<Vec<_>>().join("`")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// A name in code: of a module its last part, and of a member the one that it has in JSON.
fn written(code: &str, names: &[String]) -> String {
    let last = code.rsplit("::").next().unwrap_or(code);
    let mut camel = String::new();
    for part in last.split('_') {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if !camel.is_empty() => camel.extend(first.to_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(letters.as_str());
    }
    if names.contains(&camel) {
        camel
    } else {
        last.to_owned()
    }
}
