//! Files as values with the lines on which they stand.

mod json;
mod yaml;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    detect::{self, Format, Text},
    finding::{Report, Severity},
    Source, MAX_SOURCE_BYTES,
};

/// Deepest nesting that is read; the deepest App Mesh spec in a Terraform state has about 30 levels.
pub const MAX_DEPTH: usize = 100;
/// Most values that one file may hold, aliases multiplied out.
pub const MAX_VALUES: usize = 2_000_000;

/// Lines of values, by path.
#[derive(Debug, Clone, Default)]
pub struct Lines(BTreeMap<String, u32>);

impl Lines {
    /// No lines are known.
    pub const NONE: &'static Self = &Self(BTreeMap::new());

    pub fn set(&mut self, path: &str, line: u32) {
        self.0.entry(path.to_owned()).or_insert(line);
    }

    /// The line of the value at `path`, or of the nearest one around it.
    pub fn at(&self, path: &str) -> Option<u32> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            if path.is_empty() {
                return None;
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
    }
}

/// `path` and a member or an element below it.
pub fn below(path: &str, member: &str) -> String {
    if path.is_empty() {
        member.to_owned()
    } else {
        format!("{path}.{member}")
    }
}

/// One value of a file.
#[derive(Debug, Clone)]
pub struct Document {
    pub file: String,
    pub value: Value,
    pub lines: Lines,
}

/// A text in Terraform's language.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub file: String,
    pub text: String,
}

/// All files, by what they are.
#[derive(Debug, Default)]
pub struct Loaded {
    pub described: Vec<Document>,
    pub templates: Vec<Document>,
    pub manifests: Vec<Document>,
    pub states: Vec<Document>,
    /// Terraform files by folder: a folder is a module.
    pub modules: BTreeMap<String, Vec<Configuration>>,
}

/// Reads every file; what cannot be read is reported.
pub fn load(sources: &[Source], format: Option<Format>, report: &mut Report) -> Loaded {
    let mut loaded = Loaded::default();
    for source in sources {
        if source.bytes.len() > MAX_SOURCE_BYTES {
            let reason = format!(
                "it has {} bytes, at most {MAX_SOURCE_BYTES} are read",
                source.bytes.len()
            );
            report.file(Severity::Error, &source.name, None, reason);
            continue;
        }
        let text = match std::str::from_utf8(&source.bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                report.file(
                    Severity::Error,
                    &source.name,
                    None,
                    format!("it is no UTF-8 text: {error}"),
                );
                continue;
            }
        };
        let kind = detect::text(&source.name, text);
        if kind == Text::Hcl {
            let folder = source.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            loaded
                .modules
                .entry(folder.to_owned())
                .or_default()
                .push(Configuration {
                    file: source.name.clone(),
                    text: text.to_owned(),
                });
            continue;
        }
        let documents = match kind {
            Text::Json => json::documents(&source.name, text, report),
            _ => yaml::documents(&source.name, text, report),
        };
        for document in documents {
            let list = match format.or_else(|| detect::value(&document.value)) {
                Some(Format::CloudFormation) => &mut loaded.templates,
                Some(Format::Kubernetes) => &mut loaded.manifests,
                Some(Format::Terraform) => &mut loaded.states,
                Some(Format::Describe) | None => &mut loaded.described,
            };
            list.push(document);
        }
    }
    loaded
}
