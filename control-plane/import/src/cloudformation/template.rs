//! A template: its parameters, mappings, conditions, resources and outputs.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
};

use ferromesh_model::resource::Kind;
use serde_json::{Map, Value};

use crate::{
    document::Document,
    finding::{Place, Report},
    Options,
};

/// Most steps that resolving one template takes: conditions and names may refer to one another.
const MAX_STEPS: usize = 2_000_000;
/// Most references that lead from one to the next.
const MAX_HOPS: usize = 40;

/// The kind of a type such as `AWS::AppMesh::VirtualNode`.
pub fn kind_of(type_name: &str) -> Option<Kind> {
    let name = type_name.strip_prefix("AWS::AppMesh::")?;
    Kind::ALL.into_iter().find(|kind| kind.shape_name() == name)
}

/// The name with a capital letter first.
pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A template and what is known from outside.
pub struct Template<'a> {
    document: &'a Document,
    pub options: &'a Options,
    exports: RefCell<BTreeMap<String, Value>>,
    conditions: RefCell<HashMap<String, Option<bool>>>,
    steps: Cell<usize>,
    hops: Cell<usize>,
}

impl<'a> Template<'a> {
    pub fn new(document: &'a Document, options: &'a Options) -> Self {
        Self {
            document,
            options,
            exports: RefCell::default(),
            conditions: RefCell::default(),
            steps: Cell::new(0),
            hops: Cell::new(0),
        }
    }

    pub fn section(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.document.value.get(name)?.as_object()
    }

    pub fn resources(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.section("Resources")
            .into_iter()
            .flatten()
            .map(|(id, resource)| (id.as_str(), resource))
    }

    pub fn resource(&self, id: &str) -> Option<&'a Value> {
        self.section("Resources")?.get(id)
    }

    pub fn transform(&self) -> Option<String> {
        self.document.value.get("Transform").map(Value::to_string)
    }

    pub fn place<'p>(&'p self, subject: &'p str) -> Place<'p> {
        Place {
            file: &self.document.file,
            lines: &self.document.lines,
            subject,
        }
    }

    /// Whether something given from outside can mean anything here.
    pub fn knows(&self, name: &str) -> bool {
        let id = name.split('.').next().unwrap_or_default();
        name.starts_with("AWS::")
            || self
                .section("Parameters")
                .is_some_and(|parameters| parameters.contains_key(name))
            || self.resource(id).is_some()
            || self.document.value.to_string().contains(name)
    }

    /// Adds what the template exports by a name without functions, with its value as it is written.
    pub fn exports(&self, exports: &mut BTreeMap<String, Value>) {
        let mut silent = Report::default();
        for (name, output) in self.section("Outputs").into_iter().flatten() {
            let Some(export) = output.get("Export").and_then(|export| export.get("Name")) else {
                continue;
            };
            let name = self.resolve(export, "", name, &mut silent);
            let value = output
                .get("Value")
                .and_then(|value| self.resolve(value, "", "", &mut silent));
            if let (Some(Value::String(name)), Some(value)) = (name, value) {
                exports.insert(name, value);
            }
        }
        // Its findings belong to whoever imports; the template's own reading starts anew.
        self.conditions.borrow_mut().clear();
        self.steps.set(0);
    }

    pub fn import(&self, exports: &BTreeMap<String, Value>) {
        self.exports.borrow_mut().clone_from(exports);
    }

    pub fn exported(&self, name: &str) -> Option<Value> {
        let given = self
            .options
            .parameters
            .get(name)
            .map(|value| Value::String(value.clone()));
        given.or_else(|| self.exports.borrow().get(name).cloned())
    }

    /// Counts a step; `false` when there were too many.
    pub fn step(&self, path: &str, subject: &str, report: &mut Report) -> bool {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() == MAX_STEPS {
            let reason = format!("the template takes more than {MAX_STEPS} steps to resolve");
            report.error(self.place(subject), path, reason);
        }
        self.steps.get() < MAX_STEPS
    }

    /// Follows a reference, unless too many lead from one to the next.
    pub fn hop<T>(
        &self,
        path: &str,
        subject: &str,
        report: &mut Report,
        follow: impl FnOnce(&Self, &mut Report) -> Option<T>,
    ) -> Option<T> {
        if self.hops.get() >= MAX_HOPS {
            let reason = format!("references lead in a circle, or over more than {MAX_HOPS} steps");
            report.error(self.place(subject), path, reason);
            return None;
        }
        self.hops.set(self.hops.get() + 1);
        let result = follow(self, report);
        self.hops.set(self.hops.get() - 1);
        result
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        let parameter = self.section("Parameters")?.get(name)?;
        let type_name = parameter.get("Type").and_then(Value::as_str).unwrap_or("String");
        let given = self
            .options
            .parameters
            .get(name)
            .map(|text| Value::String(text.clone()));
        let from_store = type_name.starts_with("AWS::SSM::Parameter::Value");
        let default = parameter.get("Default").cloned().filter(|_| !from_store);
        let Some(value) = given.or(default) else {
            let reason = if from_store {
                format!("parameter {name} is read from AWS's parameter store: give it with --parameter {name}=…")
            } else {
                format!("parameter {name} has no default: give it with --parameter {name}=…")
            };
            report.error(self.place(subject), path, reason);
            return None;
        };
        let is_list = type_name == "CommaDelimitedList" || type_name.contains("List<");
        Some(match value {
            Value::String(text) if is_list => {
                let items = text.split(',').map(|item| Value::String(item.trim().to_owned()));
                items.filter(|item| item.as_str() != Some("")).collect()
            }
            value => value,
        })
    }

    /// Whether a condition holds; `None` when nobody can know, which is a finding.
    pub fn condition(&self, name: &str, path: &str, subject: &str, report: &mut Report) -> Option<bool> {
        let known = self.conditions.borrow().get(name).copied();
        if let Some(known) = known {
            if known.is_none() {
                report.error(
                    self.place(subject),
                    path,
                    format!("the condition {name} is not known here"),
                );
            }
            return known;
        }
        let Some(condition) = self.section("Conditions").and_then(|conditions| conditions.get(name)) else {
            report.error(self.place(subject), path, format!("there is no condition {name}"));
            return None;
        };
        let value = self.hop(path, subject, report, |template, report| {
            let path = format!("Conditions.{name}");
            template.resolve(condition, &path, subject, report)
        });
        let holds = match value {
            Some(Value::Bool(holds)) => Some(holds),
            Some(_) => {
                report.error(
                    self.place(subject),
                    path,
                    format!("the condition {name} is neither true nor false"),
                );
                None
            }
            None => None,
        };
        self.conditions.borrow_mut().insert(name.to_owned(), holds);
        holds
    }
}
