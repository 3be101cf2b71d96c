//! State files of version 4, and what `terraform show -json` prints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{kind_of, left_aside, resource};
use crate::{
    document::{below, Document},
    finding::{Place, Report},
    resource::Resource,
};

pub fn read(document: &Document, report: &mut Report) -> Vec<Resource> {
    let mut reader = Reader {
        document,
        resources: Vec::new(),
        others: BTreeMap::new(),
    };
    let value = &document.value;
    let place = reader.place("");
    if value.get("resource").is_some() {
        report.error(
            place,
            "resource",
            "Terraform's JSON syntax is not read: give the state, or terraform show -json",
        );
    } else if let Some(root) = value.pointer("/values/root_module") {
        reader.module(root, "values.root_module", report);
    } else if value.get("version").and_then(Value::as_u64) == Some(4) {
        reader.state(value, report);
    } else {
        let reason = format!(
            "state version {} is not read, only 4 is",
            value.get("version").unwrap_or(&Value::Null)
        );
        report.error(place, "version", reason);
    }
    left_aside(&document.file, &reader.others, report);
    reader.resources
}

struct Reader<'a> {
    document: &'a Document,
    resources: Vec<Resource>,
    others: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    fn place<'p>(&self, subject: &'p str) -> Place<'p>
    where
        'a: 'p,
    {
        Place {
            file: &self.document.file,
            lines: &self.document.lines,
            subject,
        }
    }

    fn state(&mut self, state: &Value, report: &mut Report) {
        let resources = state.get("resources").and_then(Value::as_array);
        for (index, written) in resources.into_iter().flatten().enumerate() {
            let text = |name: &str| written.get(name).and_then(Value::as_str).unwrap_or_default();
            let path = format!("resources[{index}]");
            if text("mode") == "data" {
                continue;
            }
            let module = match text("module") {
                "" => String::new(),
                module => format!("{module}."),
            };
            let instances = written.get("instances").and_then(Value::as_array);
            for (instance, written) in instances.into_iter().flatten().enumerate() {
                let key = written
                    .get("index_key")
                    .map(|key| format!("[{key}]"))
                    .unwrap_or_default();
                let address = format!("{module}{}.{}{key}", text("type"), text("name"));
                let path = format!("{path}.instances[{instance}].attributes");
                // Replaced, and about to be destroyed.
                if written.get("deposed").is_some() {
                    report.note(self.place(&address), &path, "a deposed instance is left aside");
                    continue;
                }
                self.one(text("type"), &address, written.get("attributes"), &path, report);
            }
        }
    }

    fn module(&mut self, module: &Value, path: &str, report: &mut Report) {
        let resources = module.get("resources").and_then(Value::as_array);
        for (index, written) in resources.into_iter().flatten().enumerate() {
            let text = |name: &str| written.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("mode") != "data" {
                let path = format!("{path}.resources[{index}].values");
                self.one(text("type"), text("address"), written.get("values"), &path, report);
            }
        }
        let children = module.get("child_modules").and_then(Value::as_array);
        for (index, child) in children.into_iter().flatten().enumerate() {
            self.module(child, &below(path, &format!("child_modules[{index}]")), report);
        }
    }

    fn one(&mut self, type_name: &str, address: &str, attributes: Option<&Value>, path: &str, report: &mut Report) {
        let place = self.place(address);
        let Some(kind) = kind_of(type_name) else {
            if type_name.starts_with("aws_appmesh_") {
                report.error(place, path, format!("{type_name} is no resource of App Mesh's"));
            } else {
                *self.others.entry(type_name.to_owned()).or_default() += 1;
            }
            return;
        };
        match attributes.and_then(Value::as_object) {
            Some(attributes) => self
                .resources
                .extend(resource(kind, attributes, &[], path, place, report)),
            None => report.error(place, path, "it has no attributes"),
        }
    }
}
