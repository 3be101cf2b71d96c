//! YAML documents with their lines and with CloudFormation's short forms: `!Ref x` becomes `{"Ref": "x"}`.
//!
//! Values are built from the parser's events without recursion. Depth and number of values are bounded, an alias
//! counting as all that it stands for, so that no small file becomes a large value.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{json, Map, Value};

use super::{below, Document, Lines, MAX_DEPTH, MAX_VALUES};
use crate::finding::{Report, Severity};

/// Functions that have a short form; `!Ref` and `!Condition` keep their names.
const FUNCTIONS: [&str; 18] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
];

/// All documents of a text; empty ones are left out.
pub fn documents(file: &str, text: &str, report: &mut Report) -> Vec<Document> {
    let mut documents = Vec::new();
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let taken = match next {
            Ok((event, span)) => builder.take(event, span).map_err(|reason| (builder.line, reason)),
            Err(error) => Err((line(error.marker().line()), format!("it is no YAML: {}", error.info()))),
        };
        match taken {
            Ok(Some((Value::Null, _))) | Ok(None) => {}
            Ok(Some((value, lines))) => documents.push(Document {
                file: file.to_owned(),
                value,
                lines,
            }),
            Err((line, reason)) => {
                report.file(Severity::Error, file, Some(line), reason);
                return documents;
            }
        }
    }
    documents
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// A collection that is being read.
struct Open {
    content: Content,
    tag: Option<String>,
    anchor: usize,
    path: String,
    /// Values inside, aliases multiplied out.
    size: usize,
}

enum Content {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>, Vec<Value>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    lines: Lines,
    /// Values of the whole file.
    total: usize,
    done: Option<Value>,
    line: u32,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<(Value, Lines)>, String> {
        self.line = line(span.start.line());
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.lines = Lines::default();
                self.done = None;
            }
            Event::DocumentEnd => {
                return Ok(self.done.take().map(|value| (value, std::mem::take(&mut self.lines))));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag
                    .as_deref()
                    .map(Tag::parts)
                    .map(|(handle, suffix)| (handle.to_owned(), suffix.to_owned()));
                if tag.is_none() && self.takes_key(&text) {
                    return Ok(None);
                }
                let value = scalar(&text, style, tag.as_ref());
                let value = tagged(value, local(tag.as_ref()))?;
                self.put(value, 1, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(Content::List(Vec::new()), anchor, tag.as_deref())?,
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Content::Map(Map::new(), None, Vec::new()), anchor, tag.as_deref())?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(id) => {
                let (value, size) = self
                    .anchors
                    .get(&id)
                    .cloned()
                    .ok_or("an alias stands inside its own anchor")?;
                if let (Some(Content::Map(_, key @ None, _)), Value::String(text)) =
                    (self.open.last_mut().map(|open| &mut open.content), &value)
                {
                    *key = Some(text.clone());
                } else {
                    self.put(value, size, 0)?;
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Whether the scalar is the key of the next value.
    fn takes_key(&mut self, text: &str) -> bool {
        let line = self.line;
        let Some(open) = self.open.last_mut() else { return false };
        let Content::Map(_, key @ None, _) = &mut open.content else {
            return false;
        };
        self.lines.set(&below(&open.path, text), line);
        *key = Some(text.to_owned());
        true
    }

    /// Path of the value that comes next.
    fn path(&self) -> String {
        match self.open.last() {
            None => String::new(),
            Some(open) => match &open.content {
                Content::List(items) => format!("{}[{}]", open.path, items.len()),
                Content::Map(_, key, _) => below(&open.path, key.as_deref().unwrap_or_default()),
            },
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, tag: Option<&Tag>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        if let Some(Open {
            content: Content::Map(_, None, _),
            ..
        }) = self.open.last()
        {
            return Err("a list or a mapping stands as a key".to_owned());
        }
        let path = self.path();
        self.lines.set(&path, self.line);
        let tag = tag
            .map(Tag::parts)
            .map(|(handle, suffix)| (handle.to_owned(), suffix.to_owned()));
        self.open.push(Open {
            content,
            tag: local(tag.as_ref()).map(str::to_owned),
            anchor,
            path,
            size: 1,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::Array(items),
            Content::Map(mut members, _, merged) => {
                for source in merged {
                    merge(&mut members, source)?;
                }
                Value::Object(members)
            }
        };
        let value = tagged(value, open.tag.as_deref())?;
        // Its members were counted when they came.
        self.put_counted(value, open.size, 1, open.anchor)
    }

    fn put(&mut self, value: Value, size: usize, anchor: usize) -> Result<(), String> {
        self.put_counted(value, size, size, anchor)
    }

    fn put_counted(&mut self, value: Value, size: usize, new: usize, anchor: usize) -> Result<(), String> {
        self.total = self.total.saturating_add(new);
        if self.total > MAX_VALUES {
            return Err(format!(
                "it holds more than {MAX_VALUES} values, aliases multiplied out"
            ));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let path = self.path();
        self.lines.set(&path, self.line);
        let Some(open) = self.open.last_mut() else {
            self.done = Some(value);
            return Ok(());
        };
        open.size = open.size.saturating_add(size);
        match &mut open.content {
            Content::List(items) => items.push(value),
            Content::Map(members, key, merged) => match key.take() {
                Some(key) if key == "<<" && !matches!(value, Value::String(_)) => merged.push(value),
                Some(key) => {
                    if members.contains_key(&key) {
                        return Err(format!("the key {key:?} stands twice in one mapping"));
                    }
                    members.insert(key, value);
                }
                None => return Err("a key is no text".to_owned()),
            },
        }
        Ok(())
    }
}

/// YAML 1.1's merge key: members that are not there yet.
fn merge(members: &mut Map<String, Value>, source: Value) -> Result<(), String> {
    match source {
        Value::Object(source) => {
            for (key, value) in source {
                members.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(sources) => sources.into_iter().try_for_each(|source| merge(members, source)),
        _ => Err("the merge key << takes a mapping or a list of them".to_owned()),
    }
}

/// The name of a tag of the document's own: `!Ref`.
fn local(tag: Option<&(String, String)>) -> Option<&str> {
    tag.filter(|(handle, _)| handle == "!")
        .map(|(_, suffix)| suffix.as_str())
        .filter(|suffix| !suffix.is_empty())
}

fn tagged(value: Value, tag: Option<&str>) -> Result<Value, String> {
    let Some(tag) = tag else { return Ok(value) };
    Ok(match (tag, &value) {
        ("Ref" | "Condition", _) => json!({ tag: value }),
        ("GetAtt", Value::String(text)) => match text.split_once('.') {
            Some((id, attribute)) => json!({"Fn::GetAtt": [id, attribute]}),
            None => json!({ "Fn::GetAtt": value }),
        },
        ("Transform", _) => json!({ "Fn::Transform": value }),
        (name, _) if FUNCTIONS.contains(&name) => json!({ format!("Fn::{name}"): value }),
        (name, _) => return Err(format!("the tag !{name} is none of CloudFormation's")),
    })
}

/// A scalar by YAML 1.2's core schema. A number is one only if it is written as one: `012345678901` stays a text,
/// because account ids begin with zeros.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&(String, String)>) -> Value {
    let core = tag
        .filter(|(handle, _)| handle == "tag:yaml.org,2002:")
        .map(|(_, suffix)| suffix.as_str());
    if core == Some("str")
        || (core.is_none() && (style != ScalarStyle::Plain || tag.is_some_and(|(_, s)| s.is_empty())))
    {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let first = text.bytes().next().unwrap_or_default();
    if first.is_ascii_digit() || first == b'-' {
        // JSON's numbers: no leading zeros, no plus, no underscores.
        if let Ok(Value::Number(number)) = serde_json::from_str::<Value>(text) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Value>, String> {
        let mut report = Report::default();
        let documents = documents("f", text, &mut report);
        match report.into_findings().first() {
            Some(finding) => Err(finding.to_string()),
            None => Ok(documents.into_iter().map(|document| document.value).collect()),
        }
    }

    #[test]
    fn short_forms_are_long_ones() {
        let text = "a: !Ref X\nb: !GetAtt X.Y.Z\nc: !Sub '${X}'\nd: !Join ['-', [a, !Ref B]]\ne: !If [C, !Ref A, 1]\n\
                    f: !GetAtt [X, Y]\ng: !Condition D\nh: !Sub\n  - x\n  - {A: 1}\n";
        let expected = json!({
            "a": {"Ref": "X"}, "b": {"Fn::GetAtt": ["X", "Y.Z"]}, "c": {"Fn::Sub": "${X}"},
            "d": {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}, "e": {"Fn::If": ["C", {"Ref": "A"}, 1]},
            "f": {"Fn::GetAtt": ["X", "Y"]}, "g": {"Condition": "D"}, "h": {"Fn::Sub": ["x", {"A": 1}]},
        });
        assert_eq!(read(text), Ok(vec![expected]));
        assert!(read("a: !Reff X").unwrap_err().contains("!Reff"));
    }

    #[test]
    fn scalars_are_what_they_look_like() {
        let text = "[1, -2, 1.5, 012345678901, '1', true, no, ~, 'null', !!str 5, 1e3, 0x10, 1_000, '']";
        let expected = json!([
            1,
            -2,
            1.5,
            "012345678901",
            "1",
            true,
            "no",
            null,
            "null",
            "5",
            1000.0,
            "0x10",
            "1_000",
            ""
        ]);
        assert_eq!(read(text), Ok(vec![expected]));
    }

    #[test]
    fn documents_anchors_and_merge_keys_are_read() {
        let text = "---\n# nothing\n---\na: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  x: 3\n--- 7\n";
        let expected = json!({"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}, "c": {"x": 3, "y": 2}});
        assert_eq!(read(text), Ok(vec![expected, json!(7)]));
    }

    #[test]
    fn lines_lead_to_the_value() {
        let mut report = Report::default();
        let documents = documents("f", "a:\n  b:\n    - c: 1\n    - d:\n        e: 2\n", &mut report);
        let line = |path| documents[0].lines.at(path);
        assert_eq!((line("a"), line("a.b"), line("a.b[0]")), (Some(1), Some(2), Some(3)));
        assert_eq!((line("a.b[1].d.e"), line("a.b[1].d.f")), (Some(5), Some(4)));
    }

    #[test]
    fn bombs_and_towers_are_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let previous = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
        }
        assert!(read(&bomb).unwrap_err().contains("values"), "{:?}", read(&bomb));
        for tower in [
            "[".repeat(100_000),
            "{a: ".repeat(100_000),
            "- ".repeat(100_000),
            "a:\n".repeat(3),
        ] {
            assert!(read(&tower).is_err() || tower.len() < 10);
        }
        assert!(read("a: &a [*a]").is_err());
        assert!(read("a: 1\na: 2").unwrap_err().contains("twice"));
        assert!(read("[a]: 1").is_err());
    }
}
