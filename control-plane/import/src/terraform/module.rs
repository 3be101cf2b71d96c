//! One folder of configuration.

use std::collections::BTreeMap;

use hcl::{Block, Body, Expression, Value};

use super::{expand, kind_of, left_aside, parent_attribute, resource, scope::Scope};
use crate::{
    document::{Configuration, Lines},
    finding::{Place, Report, Severity},
    resource::Resource,
    Options,
};

/// Locals and names of resources may refer to one another over so many steps.
const MAX_PASSES: usize = 20;

pub fn read(files: &[Configuration], options: &Options, report: &mut Report) -> Vec<Resource> {
    Module::read(files, options, report)
}

/// A resource's block.
struct Declared<'a> {
    file: &'a str,
    line: Option<u32>,
    type_name: String,
    name: String,
    body: Body,
}

impl Declared<'_> {
    fn address(&self) -> String {
        format!("{}.{}", self.type_name, self.name)
    }
}

#[derive(Default)]
struct Module<'a> {
    resources: Vec<Declared<'a>>,
    locals: Vec<(String, Expression)>,
    scope: Scope,
}

impl<'a> Module<'a> {
    fn read(files: &'a [Configuration], options: &Options, report: &mut Report) -> Vec<Resource> {
        let mut module = Self::default();
        let mut variables: Vec<Block> = Vec::new();
        let mut values: Vec<(String, Expression)> = Vec::new();
        for file in files {
            let Some(body) = parsed(file, report) else { continue };
            if file.file.ends_with(".tfvars") {
                let value = |attribute: &hcl::Attribute| (attribute.key().to_owned(), attribute.expr().clone());
                values.extend(body.attributes().map(value));
            } else {
                variables.extend(module.take(file, body, report));
            }
        }
        module.variables(&variables, &values, options);
        for (name, text) in options.variables.iter().filter(|(name, _)| name.contains('.')) {
            module.scope.set(name, Value::from(text.as_str()));
        }
        module.settle();
        module.make(report)
    }

    /// Takes the blocks of a file; variables come back.
    fn take(&mut self, file: &'a Configuration, body: Body, report: &mut Report) -> Vec<Block> {
        let mut variables = Vec::new();
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for block in body.into_blocks() {
            let label = |index: usize| block.labels().get(index).map(|label| label.as_str().to_owned());
            match (block.identifier(), label(0), label(1)) {
                ("variable", Some(_), _) => variables.push(block),
                ("locals", ..) => {
                    let local = |attribute: &hcl::Attribute| (attribute.key().to_owned(), attribute.expr().clone());
                    self.locals.extend(block.body().attributes().map(local));
                }
                ("resource", Some(type_name), Some(name)) if type_name.starts_with("aws_appmesh_") => {
                    self.resources.push(Declared {
                        file: &file.file,
                        line: line_of(&file.text, &format!("resource \"{type_name}\" \"{name}\"")),
                        type_name,
                        name,
                        body: block.body,
                    });
                }
                ("resource", Some(type_name), _) => *others.entry(type_name).or_default() += 1,
                ("module", Some(name), _) => {
                    let line = line_of(&file.text, &format!("module \"{name}\""));
                    let reason = format!(
                        "module {name} is not followed: give its folder too, or the state (terraform show -json)"
                    );
                    report.file(Severity::Warning, &file.file, line, reason);
                }
                _ => {}
            }
        }
        left_aside(&file.file, &others, report);
        variables
    }

    fn variables(&mut self, variables: &[Block], values: &[(String, Expression)], options: &Options) {
        for variable in variables {
            let Some(name) = variable.labels().first().map(|label| label.as_str().to_owned()) else {
                continue;
            };
            let attribute = |name: &str| variable.body().attributes().find(|attribute| attribute.key() == name);
            let is_text = attribute("type").is_some_and(|attribute| attribute.expr().to_string() == "string");
            let default = attribute("default").and_then(|default| self.scope.evaluate(default.expr()).ok());
            let assigned = values.iter().rfind(|(assigned, _)| *assigned == name);
            let assigned = assigned.and_then(|(_, value)| self.scope.evaluate(value).ok());
            let given = options.variables.get(&name).map(|text| {
                let text_default = matches!(default, Some(Value::String(_)));
                let literal = (!is_text && !text_default).then(|| literal(text)).flatten();
                literal.unwrap_or_else(|| Value::from(text.as_str()))
            });
            if let Some(value) = given.or(assigned).or(default) {
                self.scope.set(&format!("var.{name}"), value);
            }
        }
        self.scope.set("terraform.workspace", Value::from("default"));
    }

    /// Locals refer to resources' names, these to locals: evaluated until nothing new comes out.
    fn settle(&mut self) {
        let mut locals = std::mem::take(&mut self.locals);
        for _ in 0..MAX_PASSES {
            let before = self.scope.clone();
            locals.retain(|(name, expression)| match self.scope.evaluate(expression) {
                Ok(value) => {
                    self.scope.set(&format!("local.{name}"), value);
                    false
                }
                Err(_) => true,
            });
            for index in 0..self.resources.len() {
                if let Some(value) = self.exported(&self.resources[index]) {
                    self.scope.set(&self.resources[index].address(), value);
                }
            }
            if before.same(&self.scope) {
                return;
            }
        }
    }

    /// What others may refer to: `name`, `mesh_name`, and of a mesh `id`, which is its name.
    fn exported(&self, declared: &Declared<'_>) -> Option<Value> {
        let kind = kind_of(&declared.type_name)?;
        let instances = expand::instances(&declared.body, &self.scope).ok()?;
        let counted = instances
            .first()
            .is_some_and(|instance| matches!(instance.key, Some(Value::Number(_))));
        let mut list = Vec::new();
        let mut map = hcl::Map::new();
        let names = ["name", "mesh_name", "mesh_owner"]
            .into_iter()
            .chain(parent_attribute(kind));
        let names: Vec<&str> = names.collect();
        for instance in instances {
            let mut members = hcl::Map::new();
            for attribute in declared
                .body
                .attributes()
                .filter(|attribute| names.contains(&attribute.key()))
            {
                if let Ok(value) = instance.scope.evaluate(attribute.expr()) {
                    members.insert(attribute.key().to_owned(), value);
                }
            }
            if kind == ferromesh_model::resource::Kind::Mesh {
                if let Some(name) = members.get("name").cloned() {
                    members.insert("id".to_owned(), name);
                }
            }
            match instance.key {
                None => return Some(Value::Object(members)),
                Some(Value::String(key)) => {
                    map.insert(key, Value::Object(members));
                }
                Some(_) => list.push(Value::Object(members)),
            }
        }
        Some(if counted {
            Value::Array(list)
        } else {
            Value::Object(map)
        })
    }

    fn make(&self, report: &mut Report) -> Vec<Resource> {
        let mut resources = Vec::new();
        for declared in &self.resources {
            let mut lines = Lines::default();
            if let Some(line) = declared.line {
                lines.set("", line);
            }
            let address = declared.address();
            let place = Place {
                file: declared.file,
                lines: &lines,
                subject: &address,
            };
            let Some(kind) = kind_of(&declared.type_name) else {
                report.error(
                    place,
                    "",
                    format!("{} is no resource of App Mesh's", declared.type_name),
                );
                continue;
            };
            let instances = match expand::instances(&declared.body, &self.scope) {
                Ok(instances) => instances,
                Err(reason) => {
                    report.error(place, "", format!("how many there are is not known here: {reason}"));
                    continue;
                }
            };
            for instance in instances {
                let subject = format!("{address}{}", instance.index);
                let place = Place {
                    subject: &subject,
                    ..place
                };
                let (members, unknown) = expand::body(&declared.body, &instance.scope, "", place, report);
                resources.extend(resource(kind, &members, &unknown, "", place, report));
            }
        }
        resources
    }
}

fn parsed(file: &Configuration, report: &mut Report) -> Option<Body> {
    // The parser bounds its own depth: 64 levels of nesting, 128 operators in a row.
    match hcl::parse(&file.text) {
        Ok(body) => Some(body),
        Err(error) => {
            let (line, reason) = match &error {
                hcl::Error::Parse(error) => (u32::try_from(error.location().line()).ok(), error.message().to_owned()),
                other => (None, other.to_string()),
            };
            report.file(
                Severity::Error,
                &file.file,
                line,
                format!("it is no Terraform configuration: {reason}"),
            );
            None
        }
    }
}

/// A number, a boolean, a list or a map as it is written on a command line.
fn literal(text: &str) -> Option<Value> {
    let body = hcl::parse(&format!("value = {text}\n")).ok()?;
    let attribute = body.into_attributes().next()?;
    Scope::default().evaluate(attribute.expr()).ok()
}

/// The line on which a block begins.
fn line_of(text: &str, beginning: &str) -> Option<u32> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let index = text.lines().position(|line| words(line).starts_with(beginning))?;
    u32::try_from(index + 1).ok()
}
