//! Intrinsic functions.

use serde_json::{Map, Value};

use super::template::Template;
use crate::{convert::text_of, document::below, finding::Report};

/// Longest text that functions make, in bytes: App Mesh's longest member has 1,024 characters.
const MAX_TEXT: usize = 64 * 1024;

impl Template<'_> {
    /// The value with all functions resolved. `None`: there is none (`AWS::NoValue`), or nobody can know it, which is
    /// a finding.
    pub fn resolve(&self, value: &Value, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        if !self.step(path, subject, report) {
            return None;
        }
        match value {
            Value::Object(members) => match function(members) {
                Some((name, argument)) => self.call(name, argument, path, subject, report),
                None => {
                    let mut resolved = Map::new();
                    for (name, value) in members {
                        if let Some(value) = self.resolve(value, &below(path, name), subject, report) {
                            resolved.insert(name.clone(), value);
                        }
                    }
                    Some(Value::Object(resolved))
                }
            },
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    resolved.extend(self.resolve(item, &format!("{path}[{index}]"), subject, report));
                }
                Some(Value::Array(resolved))
            }
            other => Some(other.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Value, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        let path = below(path, name);
        let path = path.as_str();
        match name {
            "Ref" => match argument.as_str() {
                Some(id) => self.reference(id, path, subject, report),
                None => self.malformed(path, subject, "a name", report),
            },
            "Condition" => match argument.as_str() {
                Some(name) => self.condition(name, path, subject, report).map(Value::Bool),
                None => self.malformed(path, subject, "a name", report),
            },
            "Fn::Sub" => self.substitute(argument, path, subject, report),
            "Fn::If" => self.choose(argument, path, subject, report),
            "Fn::ImportValue" => {
                let name = self.text(argument, path, subject, report)?;
                let value = self.exported(&name);
                if value.is_none() {
                    let reason = format!("another stack exports {name}: give it with --parameter {name}=…");
                    report.error(self.place(subject), path, reason);
                }
                value
            }
            "Fn::GetAtt" => {
                let parts = match argument {
                    Value::String(text) => text.split_once('.').map(|(id, name)| (id.to_owned(), name.to_owned())),
                    Value::Array(items) if items.len() == 2 => {
                        let id = items[0].as_str().map(str::to_owned);
                        id.zip(self.text(&items[1], path, subject, report))
                    }
                    _ => None,
                };
                match parts {
                    Some((id, name)) => self.attribute(&id, &name, path, subject, report),
                    None => self.malformed(path, subject, "a logical id and an attribute", report),
                }
            }
            "Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::FindInMap" | "Fn::Equals" | "Fn::And" | "Fn::Or"
            | "Fn::Not" => {
                let arguments = match self.resolve(argument, path, subject, report) {
                    Some(Value::Array(arguments)) if Some(arguments.len()) == argument.as_array().map(Vec::len) => {
                        arguments
                    }
                    // One of its arguments is missing, and that has been said.
                    Some(Value::Array(_)) | None => return None,
                    Some(_) => return self.malformed(path, subject, "a list", report),
                };
                self.plain(name, arguments, path, subject, report)
            }
            other => {
                report.error(
                    self.place(subject),
                    path,
                    format!("the function {other} is not resolved here"),
                );
                None
            }
        }
    }

    /// Functions of resolved arguments alone.
    fn plain(
        &self,
        name: &str,
        arguments: Vec<Value>,
        path: &str,
        subject: &str,
        report: &mut Report,
    ) -> Option<Value> {
        let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
        match (name, arguments.as_slice()) {
            ("Fn::Join", [Value::String(between), Value::Array(items)]) if items.iter().all(is_scalar) => {
                let texts: Vec<String> = items.iter().cloned().map(text_of).collect();
                self.bounded(texts.join(between), path, subject, report)
            }
            ("Fn::Select", [index, Value::Array(items)]) if is_scalar(index) => {
                let item = text_of(index.clone())
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index));
                if item.is_none() {
                    let reason = format!("there is no element {index} in a list of {}", items.len());
                    report.error(self.place(subject), path, reason);
                }
                item.cloned()
            }
            ("Fn::Split", [Value::String(at), text]) if is_scalar(text) && !at.is_empty() => {
                let text = text_of(text.clone());
                Some(
                    text.split(at.as_str())
                        .map(|part| Value::String(part.to_owned()))
                        .collect(),
                )
            }
            ("Fn::FindInMap", [map, top, second, rest @ ..]) if [map, top, second].into_iter().all(is_scalar) => {
                let names = [map, top, second].map(|name| text_of(name.clone()));
                let found = self
                    .section("Mappings")
                    .and_then(|maps| maps.get(&names[0])?.get(&names[1])?.get(&names[2]));
                let default = rest.first().and_then(|options| options.get("DefaultValue"));
                let value = found.or(default).cloned();
                if value.is_none() {
                    let reason = format!("there is no {} in Mappings", names.join("."));
                    report.error(self.place(subject), path, reason);
                }
                value
            }
            ("Fn::Equals", [one, other]) if is_scalar(one) && is_scalar(other) => {
                Some(Value::Bool(text_of(one.clone()) == text_of(other.clone())))
            }
            ("Fn::Not", [Value::Bool(value)]) => Some(Value::Bool(!value)),
            ("Fn::And", values) if values.iter().all(Value::is_boolean) => {
                Some(Value::Bool(values.iter().all(|value| *value == Value::Bool(true))))
            }
            ("Fn::Or", values) if values.iter().all(Value::is_boolean) => {
                Some(Value::Bool(values.contains(&Value::Bool(true))))
            }
            _ => self.malformed(path, subject, &format!("what {name} takes"), report),
        }
    }

    fn malformed(&self, path: &str, subject: &str, expected: &str, report: &mut Report) -> Option<Value> {
        report.error(self.place(subject), path, format!("expected {expected}"));
        None
    }

    fn bounded(&self, text: String, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        if text.len() > MAX_TEXT {
            let reason = format!("the text has {} bytes, at most {MAX_TEXT} are made", text.len());
            report.error(self.place(subject), path, reason);
            return None;
        }
        Some(Value::String(text))
    }

    fn text(&self, value: &Value, path: &str, subject: &str, report: &mut Report) -> Option<String> {
        match self.resolve(value, path, subject, report)? {
            Value::Array(_) | Value::Object(_) => {
                report.error(self.place(subject), path, "expected a text");
                None
            }
            scalar => Some(text_of(scalar)),
        }
    }

    fn choose(&self, argument: &Value, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        let Some([Value::String(condition), then, otherwise]) = argument.as_array().map(Vec::as_slice) else {
            return self.malformed(path, subject, "a condition and two values", report);
        };
        let holds = self.condition(condition, path, subject, report)?;
        // Only the chosen one: the other may refer to what is not there.
        self.resolve(if holds { then } else { otherwise }, path, subject, report)
    }

    fn substitute(&self, argument: &Value, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        let none = Map::new();
        let (template, own) = match argument {
            Value::String(template) => (template, &none),
            Value::Array(items) => match items.as_slice() {
                [Value::String(template), Value::Object(own)] => (template, own),
                [Value::String(template)] => (template, &none),
                _ => return self.malformed(path, subject, "a text and a map", report),
            },
            _ => return self.malformed(path, subject, "a text", report),
        };
        let mut text = String::new();
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return self.malformed(path, subject, "a } after ${", report);
            };
            rest = after;
            let name = name.trim();
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.resolve(value, path, subject, report),
                (None, Some((id, attribute))) => self.attribute(id, attribute, path, subject, report),
                (None, None) => self.reference(name, path, subject, report),
            };
            match value? {
                Value::Array(_) | Value::Object(_) => {
                    let reason = format!("${{{name}}} is no text");
                    report.error(self.place(subject), path, reason);
                    return None;
                }
                scalar => text.push_str(&text_of(scalar)),
            }
            if text.len() > MAX_TEXT {
                break;
            }
        }
        text.push_str(rest);
        self.bounded(text, path, subject, report)
    }
}

/// The function that an object with one member calls.
fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next().filter(|_| members.len() == 1)?;
    let is_function = name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string());
    is_function.then_some((name.as_str(), argument))
}
