//! Checks JSON values against the shapes of App Mesh's service model.
//!
//! All mistakes are found at once, each with its path. What a shape cannot say (which members exclude one another, what
//! must exist) is the matter of [`crate::validate`].

use serde_json::{Map, Value};

pub use crate::generated::{operations, shape, shapes, Location, Member, Operation, Pattern, Shape, Type};
use crate::Violation;

/// Characters of an offending value that a message repeats.
const SHOWN: usize = 64;

/// Everything that is wrong with `value` as a value of the shape named `shape`; empty when nothing is.
///
/// Paths are relative to the value. An unknown shape name is itself reported as a violation.
///
/// ```
/// let spec = serde_json::json!({ "priority": 1001, "colour": "red" });
/// let found: Vec<String> =
///     ferromesh_model::shapes::check("RouteSpec", &spec).iter().map(ToString::to_string).collect();
/// assert_eq!(found, ["colour: is not a member of RouteSpec", "priority: must be at most 1000, is 1001"]);
/// ```
pub fn check(shape: &str, value: &Value) -> Vec<Violation> {
    match crate::generated::shape(shape) {
        Some(shape) => check_against(shape, value),
        None => vec![Violation::new("", format!("no shape is named {shape}"))],
    }
}

/// Everything that is wrong with `value` as a value of `shape`; empty when nothing is.
pub fn check_against(shape: &Shape, value: &Value) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.value(shape, value);
    checker.violations
}

/// Everything that is wrong with a request body of an operation whose input is `input`: only the members that the body
/// carries are looked at. Empty when nothing is.
pub fn check_body(input: &Shape, body: &Map<String, Value>) -> Vec<Violation> {
    let mut checker = Checker::default();
    if let Type::Structure(members) = input.ty {
        let carried: Vec<&Member> = members
            .iter()
            .filter(|member| member.location == Location::Body)
            .collect();
        checker.structure(input.name, &carried, body);
    }
    checker.violations
}

#[derive(Default)]
struct Checker {
    path: String,
    violations: Vec<Violation>,
}

impl Checker {
    fn found(&mut self, message: String) {
        self.violations.push(Violation::new(self.path.clone(), message));
    }

    fn below(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        check(self);
        self.path.truncate(length);
    }

    fn value(&mut self, shape: &Shape, value: &Value) {
        match (&shape.ty, value) {
            (Type::Structure(members), Value::Object(object)) => {
                self.structure(shape.name, &members.iter().collect::<Vec<_>>(), object);
            }
            (Type::Union(members), Value::Object(object)) => self.union(shape.name, members, object),
            (Type::List { member, min, max }, Value::Array(elements)) => {
                self.list(member, *min, *max, elements);
            }
            (Type::String { min, max, pattern }, Value::String(text)) => self.string(*min, *max, *pattern, text),
            (Type::Enum(values), Value::String(text)) => {
                if !values.contains(&text.as_str()) {
                    self.found(format!("must be one of {}, is {}", values.join(", "), shown(text)));
                }
            }
            (Type::Integer { min, max }, Value::Number(number)) => self.integer(*min, *max, number),
            (Type::Float { min, max }, Value::Number(number)) => {
                // A serde_json number is always a finite f64 without its arbitrary_precision feature.
                let value = number.as_f64().unwrap_or(f64::NAN);
                if value < *min {
                    self.found(format!("must be at least {min}, is {number}"));
                } else if value > *max || value.is_nan() {
                    self.found(format!("must be at most {max}, is {number}"));
                }
            }
            (Type::Boolean, Value::Bool(_)) | (Type::Timestamp, Value::Number(_)) | (Type::Any, _) => {}
            (ty, value) => self.found(format!("must be {}, is {}", article(ty), kind(value))),
        }
    }

    fn structure(&mut self, name: &str, members: &[&Member], object: &Map<String, Value>) {
        for (key, value) in object {
            match members.iter().find(|member| member.name == key) {
                Some(member) => self.below(key, |this| this.value(member.shape, value)),
                None => self.unknown(key, name),
            }
        }
        for member in members
            .iter()
            .filter(|member| member.required && !object.contains_key(member.name))
        {
            self.below(member.name, |this| this.found("is required".to_owned()));
        }
    }

    fn union(&mut self, name: &str, members: &[Member], object: &Map<String, Value>) {
        let mut present = Vec::new();
        for (key, value) in object {
            match members.iter().find(|member| member.name == key) {
                Some(member) => {
                    present.push(key.as_str());
                    self.below(key, |this| this.value(member.shape, value));
                }
                None => self.unknown(key, name),
            }
        }
        if present.len() != 1 {
            let choices: Vec<&str> = members.iter().map(|member| member.name).collect();
            let has = if present.is_empty() {
                "none".to_owned()
            } else {
                present.join(" and ")
            };
            self.found(format!("must have exactly one of {}, has {has}", choices.join(", ")));
        }
    }

    fn unknown(&mut self, key: &str, shape: &str) {
        let key = &shown_plain(key);
        self.below(key, |this| this.found(format!("is not a member of {shape}")));
    }

    fn list(&mut self, member: &Shape, min: usize, max: Option<usize>, elements: &[Value]) {
        if elements.len() < min {
            self.found(format!("must have at least {min} elements, has {}", elements.len()));
        }
        if let Some(max) = max.filter(|max| elements.len() > *max) {
            self.found(format!("must have at most {max} elements, has {}", elements.len()));
        }
        for (index, element) in elements.iter().enumerate() {
            self.below(&format!("[{index}]"), |this| this.value(member, element));
        }
    }

    fn string(&mut self, min: usize, max: Option<usize>, pattern: Option<&Pattern>, text: &str) {
        let length = text.chars().count();
        if length < min {
            self.found(format!("must have at least {min} characters, has {length}"));
        }
        if let Some(max) = max.filter(|max| length > *max) {
            self.found(format!("must have at most {max} characters, has {length}"));
        }
        if let Some(pattern) = pattern.filter(|pattern| length >= min && !pattern.is_match(text)) {
            self.found(format!("must match {}, is {}", pattern.as_str(), shown(text)));
        }
    }

    fn integer(&mut self, min: i64, max: i64, number: &serde_json::Number) {
        match number.as_i64() {
            Some(value) if value < min => self.found(format!("must be at least {min}, is {value}")),
            Some(value) if value > max => self.found(format!("must be at most {max}, is {value}")),
            Some(_) => {}
            None if number.is_u64() => self.found(format!("must be at most {max}, is {number}")),
            None => self.found(format!("must be a number without a fraction, is {number}")),
        }
    }
}

/// What a type asks for, with its article.
fn article(ty: &Type) -> &'static str {
    match ty {
        Type::Structure(_) | Type::Union(_) => "an object",
        Type::List { .. } => "an array",
        Type::String { .. } | Type::Enum(_) => "a string",
        Type::Integer { .. } | Type::Float { .. } | Type::Timestamp => "a number",
        Type::Boolean => "true or false",
        Type::Any => "a value",
    }
}

/// What a value is, for a message.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", shown(text)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The text in quotes, cut off so that a message stays readable.
fn shown(text: &str) -> String {
    format!("{:?}", shown_plain(text))
}

/// The text cut off so that a message stays readable.
fn shown_plain(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
