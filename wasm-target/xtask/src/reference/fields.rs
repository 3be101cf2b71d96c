//! The rows of a page's table: one for each field that a schema allows, with its form, default and limits.

use serde_json::{Map, Value};

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As in the messages of the filters, with `[]` for the items of a list and `NAME` for a name of the user's.
    pub path: String,
    /// What is written there.
    pub form: String,
    /// What holds when it is left out.
    pub default: Default,
    /// The least and the most that is allowed; empty: nothing beyond the form.
    pub limits: String,
    /// What it is for.
    pub description: String,
    /// The words that may be written, each with what it says.
    pub values: Vec<(String, String)>,
}

/// What holds when a field is left out.
#[derive(Clone, Debug, PartialEq)]
pub enum Default {
    /// It must not be.
    Required,
    /// This is as if it were written.
    Value(Value),
    /// What the description says.
    Absent,
    /// It is one of several ways to write the field before it.
    Choice,
}

/// A schema whose parts refer to each other.
pub struct Schema<'s> {
    root: &'s Value,
}

type Members = Map<String, Value>;

/// What a part says of itself and of the definition that it refers to.
struct Part<'s> {
    members: &'s Members,
    name: Option<&'s str>,
}

impl<'s> Schema<'s> {
    /// The parts of this schema.
    pub fn new(root: &'s Value) -> Self {
        Self { root }
    }

    /// The fields of a definition, each before those within it. `beyond`: definitions that have a page of their own.
    pub fn fields(&self, definition: &str, path: &str, beyond: &[&str]) -> Vec<Field> {
        let mut walk = Walk {
            schema: self,
            beyond,
            within: vec![definition],
            found: Vec::new(),
        };
        if let Some(members) = self.definition(definition) {
            walk.inside(members, path);
        }
        walk.found
    }

    /// A definition; the root is `PluginConfig`.
    pub fn definition(&self, name: &str) -> Option<&'s Members> {
        match name {
            "PluginConfig" => self.root.as_object(),
            _ => self.root.get("$defs")?.get(name)?.as_object(),
        }
    }

    /// Follows a reference, and looks behind "or null": a member that may be left out may be null.
    fn resolve(&self, members: &'s Members) -> Part<'s> {
        let alternatives = members.get("anyOf").and_then(Value::as_array);
        let mut others = alternatives
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .filter(|part| !is_null(part));
        let members = match (alternatives, others.next(), others.next()) {
            (Some(all), Some(only), None) if all.len() == 2 => only,
            _ => members,
        };
        let Some(reference) = members.get("$ref").and_then(Value::as_str) else {
            return Part { members, name: None };
        };
        let name = reference.rsplit('/').next().unwrap_or_default();
        let name = if reference == "#" { "PluginConfig" } else { name };
        Part {
            members: self.definition(name).unwrap_or(members),
            name: Some(name),
        }
    }
}

struct Walk<'s, 'w> {
    schema: &'w Schema<'s>,
    beyond: &'w [&'w str],
    /// Definitions around the one that is read: one that holds itself is not read twice.
    within: Vec<&'w str>,
    found: Vec<Field>,
}

impl<'s: 'w, 'w> Walk<'s, 'w> {
    /// The fields inside of a value.
    fn inside(&mut self, members: &'s Members, path: &str) {
        let required: Vec<&str> = list(members, "required").filter_map(Value::as_str).collect();
        for (name, property) in members
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let Value::Object(property) = property else { continue };
            let default = match property.get("default") {
                _ if required.contains(&name.as_str()) => Default::Required,
                None | Some(Value::Null) => Default::Absent,
                Some(value) => Default::Value(value.clone()),
            };
            self.field(property, join(path, name), default);
        }
        if let Some(Value::Object(entry)) = members.get("additionalProperties") {
            self.nested(entry, join(path, "NAME"));
        }
        if let Some(Value::Object(item)) = members.get("items") {
            self.nested(item, format!("{path}[]"));
        }
        // The alternatives of a choice: each is an object with one member, or stands without one.
        for alternative in list(members, "oneOf").chain(list(members, "anyOf")) {
            let Value::Object(alternative) = alternative else {
                continue;
            };
            if alternative.contains_key("const") || is_null(alternative) {
                continue;
            }
            if tag(alternative).is_some() {
                self.choice(alternative, path);
            } else {
                self.nested(alternative, path.to_owned());
            }
        }
    }

    /// One alternative of a choice that is named by its only member.
    fn choice(&mut self, alternative: &'s Members, path: &str) {
        let Some((name, Value::Object(content))) = tag(alternative) else {
            return;
        };
        let mut field = self.described(content, join(path, name), Default::Choice);
        if let Some(text) = text(alternative, "description") {
            field.description = text.to_owned();
        }
        let path = field.path.clone();
        self.found.push(field);
        self.nested(content, path);
    }

    fn field(&mut self, property: &'s Members, path: String, default: Default) {
        let field = self.described(property, path.clone(), default);
        self.found.push(field);
        self.nested(property, path);
    }

    fn nested(&mut self, members: &'s Members, path: String) {
        let part = self.schema.resolve(members);
        match part.name {
            Some(name) if self.within.contains(&name) || self.beyond.contains(&name) => {}
            Some(name) => {
                self.within.push(name);
                self.inside(part.members, &path);
                self.within.pop();
            }
            None => self.inside(part.members, &path),
        }
    }

    fn described(&self, property: &'s Members, path: String, default: Default) -> Field {
        let part = self.schema.resolve(property);
        let item = part.members.get("items").and_then(Value::as_object);
        let item = item.map(|item| self.schema.resolve(item).members);
        Field {
            form: self.form(property),
            default,
            limits: self.limits(property, part.members),
            description: self.description(property, &part),
            values: item.into_iter().chain([part.members]).flat_map(words).collect(),
            path,
        }
    }

    /// What the field says, and what its type says besides.
    fn description(&self, property: &Members, part: &Part<'_>) -> String {
        let of_type = text(part.members, "description").unwrap_or_default();
        let Some(own) = text(property, "description") else {
            return of_type.to_owned();
        };
        let has_settings = part.members.contains_key("properties") || is_choice(part.members);
        let is_told = part.name.is_some_and(|name| self.beyond.contains(&name)) || own == of_type || !has_settings;
        if is_told {
            own.to_owned()
        } else {
            format!("{own} {of_type}").trim_end().to_owned()
        }
    }

    /// What is written there, in words.
    fn form(&self, members: &'s Members) -> String {
        let part = self.schema.resolve(members);
        if part.name.is_some_and(|name| self.within.contains(&name)) {
            return "object, as around it".to_owned();
        }
        let members = part.members;
        let alternatives: Vec<&Members> = list(members, "oneOf")
            .chain(list(members, "anyOf"))
            .filter_map(Value::as_object)
            .filter(|alternative| !is_null(alternative))
            .collect();
        if alternatives.iter().any(|alternative| alternative.contains_key("const")) {
            return "one word of those listed".to_owned();
        }
        if !alternatives.is_empty() {
            let tags: Vec<&str> = alternatives.iter().filter_map(|part| Some(tag(part)?.0)).collect();
            if tags.len() == alternatives.len() {
                return format!("object with one of {}", quoted(&tags));
            }
            let forms: Vec<String> = alternatives.iter().map(|part| self.form(part)).collect();
            return forms.join(", or ");
        }
        if members.contains_key("enum") {
            return "one word of those listed".to_owned();
        }
        let kinds: Vec<&str> = match members.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        match kinds.into_iter().find(|kind| *kind != "null") {
            Some("array") => match members.get("items") {
                Some(Value::Object(item)) => format!("list: {}", self.form(item)),
                _ => "list".to_owned(),
            },
            Some("object") => match members.get("additionalProperties") {
                Some(Value::Object(entry)) => format!("object: by name, {}", self.form(entry)),
                _ if members.get("properties").is_none() => "`{}`".to_owned(),
                _ => "object".to_owned(),
            },
            Some(kind) => kind.to_owned(),
            None => "anything".to_owned(),
        }
    }

    /// The limits of a value and of its items. A field's own come before those of its definition.
    fn limits(&self, property: &'s Members, definition: &'s Members) -> String {
        let get = |name: &str| property.get(name).or_else(|| definition.get(name));
        let mut found = Vec::new();
        found.extend(range(get("minimum"), get("maximum"), ""));
        found.extend(range(get("minLength"), get("maxLength"), " bytes"));
        found.extend(range(get("minItems"), get("maxItems"), " items"));
        found.extend(range(get("minProperties"), get("maxProperties"), " names"));
        if get("uniqueItems") == Some(&Value::Bool(true)) {
            found.push("none twice".to_owned());
        }
        if let Some(Value::Object(item)) = get("items") {
            let part = self.schema.resolve(item);
            let limits = self.limits(item, part.members);
            if !limits.is_empty() {
                found.push(format!("each {limits}"));
            }
        }
        found.join("; ")
    }
}

/// Whether a value is an object with one of several members.
fn is_choice(members: &Members) -> bool {
    list(members, "oneOf").any(|part| part.as_object().and_then(tag).is_some())
}

/// The words that may be written, each with what it says.
fn words(members: &Members) -> Vec<(String, String)> {
    let named = list(members, "enum").filter_map(|word| Some((word.as_str()?.to_owned(), String::new())));
    let described = list(members, "oneOf").filter_map(|word| {
        let says = word.get("description").and_then(Value::as_str).unwrap_or_default();
        Some((word.get("const")?.as_str()?.to_owned(), says.to_owned()))
    });
    named.chain(described).collect()
}

fn range(least: Option<&Value>, most: Option<&Value>, unit: &str) -> Option<String> {
    let least = least.map(number);
    let most = most.map(number);
    Some(match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}{unit}"),
        (Some(least), None) if unit.is_empty() => format!("{least} or more"),
        (Some(least), None) if least == "1" => format!("at least 1{}", unit.trim_end_matches('s')),
        (Some(least), None) => format!("at least {least}{unit}"),
        (None, Some(most)) => format!("at most {most}{unit}"),
        (None, None) => return None,
    })
}

/// Digits in groups of three from 10,000 on, and no `.0`.
pub fn number(value: &Value) -> String {
    let text = match value.as_f64() {
        // Written out: 0.000001, not 1e-6.
        Some(value) if value.fract() != 0.0 => format!("{value}"),
        Some(value) => format!("{value:.0}"),
        None => value.to_string(),
    };
    if text.contains('.') || text.len() < 5 {
        return text;
    }
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The only member of an alternative that is named by it.
fn tag(alternative: &Members) -> Option<(&str, &Value)> {
    let required: Vec<&Value> = list(alternative, "required").collect();
    let properties = alternative.get("properties")?.as_object()?;
    match (required.as_slice(), properties.len()) {
        ([_], 1) => properties.iter().next().map(|(name, content)| (name.as_str(), content)),
        _ => None,
    }
}

fn is_null(part: &Members) -> bool {
    part.get("type").and_then(Value::as_str) == Some("null")
}

fn list<'v>(members: &'v Members, name: &str) -> impl Iterator<Item = &'v Value> {
    members.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(members: &'v Members, name: &str) -> Option<&'v str> {
    members.get(name).and_then(Value::as_str)
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
