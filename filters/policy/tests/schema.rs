//! The schema against the policy: what one takes and refuses, so does the other, as far as a schema can say it.
//!
//! `schema/*.json` have every member that there is. A member that is new in the types is missing in them, and one that the
//! schema does not have makes them invalid.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use ferromesh_policy::mesh::PluginConfig;
use ferromesh_policy::vectors::generate::{plugin_configuration, Place};
use ferromesh_policy::vectors::{Payload, Vector, MODULES};
use ferromesh_policy::{schema, Draws};
use serde_json::{json, Value};

const DOCUMENTS: [&str; 2] = [include_str!("schema/plugin.json"), include_str!("schema/upstream.json")];

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler
            .add_resource("file:///schema.json", schema::plugin_config())
            .unwrap();
        let index = compiler.compile("file:///schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn takes(&self, document: &Value) -> Result<(), String> {
        self.schemas
            .validate(document, self.index)
            .map_err(|error| format!("{error:#}"))
    }
}

fn documents() -> Vec<Value> {
    DOCUMENTS
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// Where the policy finds mistakes; a document that cannot be read has one.
fn mistakes(document: &Value) -> Vec<String> {
    match PluginConfig::parse(document.to_string().as_bytes()) {
        Ok(config) => config
            .check()
            .into_iter()
            .map(|violation| violation.to_string())
            .collect(),
        Err(violation) => vec![violation.to_string()],
    }
}

/// JSON pointers of all values in a document, the document's own first.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (name, part) in parts {
        found.extend(pointers(part).into_iter().map(|pointer| format!("/{name}{pointer}")));
    }
    found
}

fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

/// A part of the schema with what it refers to, "or null" left out.
fn resolved<'s>(root: &'s Value, part: &'s Value) -> &'s Value {
    let mut part = part;
    loop {
        let others = part["anyOf"].as_array().filter(|parts| parts.len() == 2);
        let other = others.filter(|parts| parts.iter().any(|part| part["type"] == "null"));
        if let Some(only) = other.and_then(|parts| parts.iter().find(|part| part["type"] != "null")) {
            part = only;
        } else if let Some(reference) = part["$ref"].as_str() {
            part = root.pointer(reference.trim_start_matches('#')).unwrap();
        } else {
            return part;
        }
    }
}

/// The parts of the schema that are for the value at a pointer, each with the one that refers to it.
fn parts<'s>(root: &'s Value, document: &Value, pointer: &str) -> Vec<(&'s Value, &'s Value)> {
    let mut found = vec![(root, root)];
    let mut here = document;
    for name in pointer.split('/').skip(1) {
        let mut next = Vec::new();
        let mut left: Vec<&Value> = found.iter().map(|(_, part)| *part).collect();
        while let Some(part) = left.pop() {
            for choice in ["oneOf", "anyOf"] {
                let choices = part[choice].as_array().into_iter().flatten();
                left.extend(choices.map(|choice| resolved(root, choice)));
            }
            let inner = match here {
                Value::Array(_) => part.get("items"),
                _ => part["properties"]
                    .get(name)
                    .or_else(|| part.get("additionalProperties").filter(|part| part.is_object())),
            };
            next.extend(inner.map(|inner| (inner, resolved(root, inner))));
        }
        found = next;
        here = here
            .get(name)
            .or_else(|| here.get(name.parse::<usize>().ok()?))
            .unwrap();
    }
    found
}

#[test]
fn takes_documents_with_every_member() {
    let validator = Validator::new();
    for document in documents() {
        assert_eq!(mistakes(&document), [""; 0]);
        validator.takes(&document).unwrap();
    }
}

#[test]
fn the_documents_have_every_member_of_the_schema() {
    let root = schema::plugin_config();
    let definitions = root["$defs"].as_object().unwrap();
    let mut wanted = BTreeSet::new();
    for (name, definition) in definitions
        .iter()
        .map(|(name, part)| (name.as_str(), part))
        .chain([("PluginConfig", &root)])
    {
        let choices = definition["oneOf"].as_array().into_iter().flatten();
        for part in choices.chain([definition]) {
            let members = part["properties"].as_object().into_iter().flatten();
            wanted.extend(members.map(|(member, _)| (name.to_owned(), member.clone())));
        }
    }
    let mut met = BTreeSet::new();
    for document in documents() {
        for pointer in pointers(&document) {
            let Some((parent, member)) = pointer.rsplit_once('/') else {
                continue;
            };
            for (_, part) in parts(&root, &document, parent) {
                let named = |part: &Value| definitions.iter().find(|(_, definition)| *definition == part);
                let choices = ["oneOf", "anyOf"].into_iter().filter_map(|name| part[name].as_array());
                let choices = choices.flatten().map(|choice| resolved(&root, choice));
                for choice in choices
                    .chain([part])
                    .filter(|choice| choice["properties"].get(member).is_some())
                {
                    // An alternative belongs to the choice, unless it is a type of its own.
                    let name = named(choice).or_else(|| named(part));
                    let name = name.map_or("PluginConfig", |(name, _)| name.as_str());
                    met.insert((name.to_owned(), member.to_owned()));
                }
            }
        }
    }
    let missing: Vec<_> = wanted.difference(&met).collect();
    assert!(
        missing.is_empty(),
        "members that tests/schema/*.json do not have: {missing:?}"
    );
}

#[test]
fn refuses_a_member_that_nobody_knows_wherever_the_policy_does() {
    let validator = Validator::new();
    for document in documents() {
        for pointer in pointers(&document) {
            // Names in there are the user's.
            let Some(Value::Object(_)) = document.pointer(&pointer).filter(|_| pointer != "/routes") else {
                continue;
            };
            let mut changed = document.clone();
            changed.pointer_mut(&pointer).unwrap()["unheardOf"] = json!(1);
            assert!(!mistakes(&changed).is_empty(), "the policy takes {pointer}/unheardOf");
            assert!(
                validator.takes(&changed).is_err(),
                "the schema takes {pointer}/unheardOf"
            );
        }
    }
}

#[test]
fn what_is_required_and_what_is_not_is_so_in_both() {
    let validator = Validator::new();
    for document in documents() {
        for pointer in pointers(&document) {
            let Some((parent, member)) = pointer.rsplit_once('/') else {
                continue;
            };
            let mut changed = document.clone();
            let Some(Value::Object(members)) = changed.pointer_mut(parent) else {
                continue;
            };
            members.remove(member);
            let is_read = PluginConfig::parse(changed.to_string().as_bytes()).is_ok();
            assert_eq!(validator.takes(&changed).is_ok(), is_read, "without {pointer}");
        }
    }
}

#[test]
fn a_default_is_what_holds_when_the_member_is_left_out() {
    let root = schema::plugin_config();
    let mut compared = 0;
    for document in documents() {
        for pointer in pointers(&document) {
            for (part, _) in parts(&root, &document, &pointer) {
                let Some(default) = part.get("default") else { continue };
                let (parent, member) = pointer.rsplit_once('/').unwrap();
                let mut without = document.clone();
                without
                    .pointer_mut(parent)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .remove(member);
                let written = with(&document, &pointer, default.clone());
                let parse = |document: &Value| PluginConfig::parse(document.to_string().as_bytes()).unwrap();
                assert_eq!(parse(&without), parse(&written), "{pointer}");
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} defaults");
}

#[test]
fn limits_are_those_that_the_policy_refuses_by() {
    let (root, validator) = (schema::plugin_config(), Validator::new());
    let mut tried = 0;
    for document in documents() {
        for pointer in pointers(&document) {
            let value = document.pointer(&pointer).unwrap();
            for (own, definition) in parts(&root, &document, &pointer) {
                for (limit, beyond) in beyond_limits(value, own)
                    .into_iter()
                    .chain(beyond_limits(value, definition))
                {
                    let changed = with(&document, &pointer, beyond);
                    assert!(
                        validator.takes(&changed).is_err(),
                        "the schema takes {pointer} beyond {limit}"
                    );
                    assert!(
                        !mistakes(&changed).is_empty(),
                        "the policy takes {pointer} beyond {limit}"
                    );
                    tried += 1;
                }
                for (limit, last) in at_limits(own).into_iter().chain(at_limits(definition)) {
                    let changed = with(&document, &pointer, last);
                    validator.takes(&changed).unwrap();
                    let path = pointer.trim_start_matches('/').replace('/', ".");
                    let name = path.rsplit('.').next().unwrap();
                    // What another member of the same object forbids is said of the pair.
                    let refused: Vec<String> = mistakes(&changed)
                        .into_iter()
                        .filter(|mistake| mistake.contains(&format!("{name}: ")))
                        .filter(|mistake| !BY_OTHERS.iter().any(|other| mistake.contains(other)))
                        .collect();
                    assert!(
                        refused.is_empty(),
                        "the policy refuses {pointer} at {limit}: {refused:?}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 150, "only {tried} limits");
}

/// Parts of messages about limits that another member sets.
const BY_OTHERS: [&str; 6] = [
    "in the first step",
    "above the step before",
    "sum of the weights",
    "takes",
    "must be 20 to",
    "a pause must",
];

/// Values just beyond the limits of a part of the schema, for a value like this one.
fn beyond_limits(value: &Value, part: &Value) -> Vec<(&'static str, Value)> {
    let whole = |name: &str| part[name].as_f64().filter(|limit| limit.fract() == 0.0);
    let mut found = Vec::new();
    if value.is_number() {
        found.extend(whole("minimum").map(|limit| ("minimum", json!(limit as i64 - 1))));
        found.extend(whole("maximum").map(|limit| ("maximum", json!(limit as i64 + 1))));
        if part["minimum"].as_f64().is_some_and(|limit| limit.fract() != 0.0) {
            found.push(("minimum", json!(0)));
        }
    }
    if value.is_string() {
        found.extend(whole("minLength").map(|_| ("minLength", json!(""))));
        found.extend(whole("maxLength").map(|limit| ("maxLength", json!("a".repeat(limit as usize + 1)))));
    }
    if let Value::Array(items) = value {
        found.extend(whole("minItems").map(|_| ("minItems", json!([]))));
        let many = |limit: f64| json!(vec![items[0].clone(); limit as usize + 1]);
        found.extend(whole("maxItems").map(|limit| ("maxItems", many(limit))));
        if part["uniqueItems"] == true {
            found.push(("uniqueItems", many(1.0)));
        }
    }
    if value.is_object() {
        let many = |limit: f64| -> Value {
            let policy = value.as_object().unwrap().values().next().unwrap();
            (0..=limit as usize)
                .map(|index| (index.to_string(), policy.clone()))
                .collect()
        };
        found.extend(whole("maxProperties").map(|limit| ("maxProperties", many(limit))));
    }
    found
}

/// The numbers at the limits of a part of the schema.
fn at_limits(part: &Value) -> Vec<(&'static str, Value)> {
    let limits = ["minimum", "maximum"].into_iter();
    limits
        .filter_map(|name| Some((name, part.get(name)?.clone())))
        .collect()
}

#[test]
fn takes_what_the_policy_takes() {
    let validator = Validator::new();
    let mut taken = 0;
    for seed in 0..3_000_u64 {
        let (payload, _) = plugin_configuration(&mut Draws::from_seed(seed), Place::Virtual);
        taken += compare(&validator, &payload, &seed.to_string());
    }
    assert!(taken > 500, "only {taken} valid ones");
    for (module, _) in MODULES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(module);
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let vector: Vector = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            compare(&validator, &vector.plugin, &file.display().to_string());
        }
    }
}

/// 1 if the policy takes it, and then the schema must.
fn compare(validator: &Validator, payload: &Payload, name: &str) -> usize {
    let Ok(document) = serde_json::from_slice::<Value>(&payload.0) else {
        return 0;
    };
    if !mistakes(&document).is_empty() {
        return 0;
    }
    if let Err(error) = validator.takes(&document) {
        panic!("{name}: {error}\n{document}");
    }
    1
}
