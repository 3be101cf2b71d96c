//! CloudFormation templates, written by hand or by CDK: the seven `AWS::AppMesh::*` types.
//!
//! Functions are resolved with parameters, their defaults, mappings, conditions, and what the other resources of the
//! template are called. Nothing is guessed: an account, a region or a certificate's ARN that the template does not
//! say has to be given, or is a finding.

mod attribute;
mod functions;
mod template;

use std::collections::BTreeMap;

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Value};

use crate::{
    convert::{convert, name_of, text_of},
    describe::read_tags,
    document::{below, Document},
    finding::{Report, Severity},
    resource::{spec_shape, Origin, Resource},
    spelling::Spelling,
    Options,
};
use template::{capital, kind_of, Template};

pub fn read(documents: &[Document], options: &Options, report: &mut Report) -> Vec<Resource> {
    let templates: Vec<Template<'_>> = documents
        .iter()
        .map(|document| Template::new(document, options))
        .collect();
    // What one template exports, another of the same input may import.
    let mut exports = BTreeMap::new();
    for template in &templates {
        template.exports(&mut exports);
    }
    let mut resources = Vec::new();
    for template in &templates {
        template.import(&exports);
        resources.extend(all(template, report));
        report_others(template, report);
    }
    let Some(first) = documents.first() else {
        return resources;
    };
    for name in options.parameters.keys() {
        if !templates.iter().any(|template| template.knows(name)) {
            let reason = format!("the given parameter {name} is used by no template");
            report.file(Severity::Warning, &first.file, None, reason);
        }
    }
    resources
}

fn all(template: &Template<'_>, report: &mut Report) -> Vec<Resource> {
    let mut resources = Vec::new();
    if template.section("Resources").is_none() {
        report.error(template.place(""), "Resources", "a template has an object Resources");
    }
    for (id, resource) in template.resources() {
        let path = format!("Resources.{id}");
        let place = template.place(id);
        let Some(type_name) = resource.get("Type").and_then(Value::as_str) else {
            report.error(place, &path, "it has no Type");
            continue;
        };
        let Some(kind) = kind_of(type_name) else { continue };
        if let Some(condition) = resource.get("Condition").and_then(Value::as_str) {
            match template.condition(condition, &below(&path, "Condition"), id, report) {
                Some(true) => {}
                Some(false) => {
                    let reason = format!("its condition {condition} is false: it is left out");
                    report.note(place, &path, reason);
                    continue;
                }
                None => continue,
            }
        }
        resources.extend(one(template, id, kind, resource, report));
    }
    resources
}

fn one(template: &Template<'_>, id: &str, kind: Kind, resource: &Value, report: &mut Report) -> Option<Resource> {
    let place = template.place(id);
    let path = format!("Resources.{id}.Properties");
    let written = resource.get("Properties").cloned().unwrap_or_else(|| json!({}));
    let properties = match template.resolve(&written, &path, id, report) {
        Some(Value::Object(properties)) => properties,
        _ => {
            report.error(place, &path, "expected an object");
            return None;
        }
    };
    let parent = kind.parent();
    let known = |name: &str| {
        let names = [Some(kind), parent, Some(Kind::Mesh)];
        ["Spec", "Tags", "MeshOwner"].contains(&name) || names.into_iter().flatten().any(|kind| property(kind) == name)
    };
    for name in properties.keys().filter(|name| !known(name)) {
        report.error(
            place,
            &below(&path, name),
            format!("{kind} has no such property: it is not carried over"),
        );
    }
    // What could not be resolved has been reported; AWS::NoValue is as if nothing were written.
    let unresolved =
        |of: Kind, report: &Report| written.get(property(of)).is_some() && report.has_error_on(place.file, id);
    let name = |of: Kind, report: &mut Report| match properties.get(&property(of))? {
        Value::String(name) if !name.is_empty() => Some(name_of(name.clone())),
        Value::Number(number) => Some(number.to_string()),
        other => {
            report.error(
                place,
                &below(&path, &property(of)),
                format!("expected a name, found {other}"),
            );
            None
        }
    };
    let required = |of: Kind, report: &mut Report| {
        let name = name(of, report);
        if name.is_none() && !unresolved(of, report) {
            report.error(place, &path, format!("it has no {}", property(of)));
        }
        name
    };
    let mesh = if kind == Kind::Mesh {
        None
    } else {
        Some(required(Kind::Mesh, report)?)
    };
    let parent = match parent {
        Some(parent) => Some(required(parent, report)?),
        None => None,
    };
    let own = match name(kind, report) {
        Some(name) => name,
        None if unresolved(kind, report) => return None,
        None => {
            let reason = format!(
                "it has no {}: CloudFormation made a name from stack, logical id and chance; it is named {id} here, and \
                 what refers to the made name (APPMESH_RESOURCE_ARN of its proxies) has to follow",
                property(kind)
            );
            report.warning(place, &path, reason);
            id.to_owned()
        }
    };
    let key = match (mesh, parent) {
        (None, _) => Key::mesh(own),
        (Some(mesh), None) => Key::in_mesh(mesh, kind, own),
        (Some(mesh), Some(parent)) => Key::in_parent(mesh, kind, parent, own),
    };
    let spec_path = below(&path, "Spec");
    let spec = properties.get("Spec").cloned();
    let spec = spec.and_then(|spec| {
        convert(
            Spelling::CloudFormation,
            spec_shape(kind),
            spec,
            &spec_path,
            place,
            report,
        )
    });
    let spec = match (spec, kind) {
        (Some(spec), _) => spec,
        (None, Kind::Mesh | Kind::VirtualService) => json!({}),
        (None, _) => {
            report.error(place, &path, "it has no Spec");
            return None;
        }
    };
    let tags = read_tags(
        properties.get("Tags"),
        "Key",
        "Value",
        &below(&path, "Tags"),
        place,
        report,
    );
    Some(Resource {
        mesh_owner: properties.get("MeshOwner").cloned().map(text_of),
        spec,
        tags,
        metadata: None,
        origin: Origin {
            file: place.file.to_owned(),
            line: place.lines.at(&format!("Resources.{id}")),
            subject: id.to_owned(),
            path: spec_path,
        },
        key,
    })
}

/// The property that holds the name of a kind: `VirtualNodeName`.
pub fn property(kind: Kind) -> String {
    capital(kind.name_member())
}

/// One line says what else the template makes.
fn report_others(template: &Template<'_>, report: &mut Report) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, resource) in template.resources() {
        let Some(type_name) = resource.get("Type").and_then(Value::as_str) else {
            continue;
        };
        if type_name == "AWS::CloudFormation::Stack" {
            let reason = "a nested stack is not followed: give its template as a file of its own";
            report.warning(template.place(id), &format!("Resources.{id}"), reason);
        } else if type_name.starts_with("AWS::AppMesh::") && kind_of(type_name).is_none() {
            let reason = format!("{type_name} is no type of App Mesh's");
            report.error(template.place(id), &format!("Resources.{id}.Type"), reason);
        } else if kind_of(type_name).is_none() {
            *counts.entry(type_name).or_default() += 1;
        }
    }
    if !counts.is_empty() {
        let list: Vec<String> = counts.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        let reason = format!("resources of other types are left aside: {}", list.join(", "));
        report.note(template.place(""), "Resources", reason);
    }
    if let Some(transform) = template.transform() {
        let reason = format!("the transform {transform} is not run: give the template as it was processed");
        report.warning(template.place(""), "Transform", reason);
    }
}
