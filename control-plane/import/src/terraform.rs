//! Terraform: `aws_appmesh_*` in a state, in `terraform show -json`, and in configuration.
//!
//! A state says what was made and so is the better source; configuration is evaluated as far as it stands alone:
//! variables, locals, `count`, `for_each`, `dynamic` blocks, and references from one App Mesh resource to another.

mod expand;
mod functions;
mod module;
mod scope;
mod state;

use std::collections::BTreeMap;

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use crate::{
    convert::{convert, name_of, text_of},
    document::{below, Configuration, Document},
    finding::{Place, Report, Severity},
    resource::{spec_shape, Origin, Resource},
    spelling::Spelling,
    Options,
};

pub fn read_states(documents: &[Document], report: &mut Report) -> Vec<Resource> {
    documents
        .iter()
        .flat_map(|document| state::read(document, report))
        .collect()
}

pub fn read_modules(
    modules: &BTreeMap<String, Vec<Configuration>>,
    options: &Options,
    report: &mut Report,
) -> Vec<Resource> {
    let mut resources = Vec::new();
    for files in modules.values() {
        resources.extend(module::read(files, options, report));
    }
    resources
}

/// The kind of a type such as `aws_appmesh_virtual_node`.
fn kind_of(type_name: &str) -> Option<Kind> {
    Some(match type_name.strip_prefix("aws_appmesh_")? {
        "mesh" => Kind::Mesh,
        "virtual_node" => Kind::VirtualNode,
        "virtual_service" => Kind::VirtualService,
        "virtual_router" => Kind::VirtualRouter,
        "route" => Kind::Route,
        "virtual_gateway" => Kind::VirtualGateway,
        "gateway_route" => Kind::GatewayRoute,
        _ => return None,
    })
}

/// Types that carry nothing of a mesh are named once for each file.
fn left_aside(file: &str, others: &BTreeMap<String, usize>, report: &mut Report) {
    if !others.is_empty() {
        let list: Vec<String> = others.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        let reason = format!("resources of other types are left aside: {}", list.join(", "));
        report.file(Severity::Note, file, None, reason);
    }
}

/// The attribute that names what holds a resource.
fn parent_attribute(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Route => Some("virtual_router_name"),
        Kind::GatewayRoute => Some("virtual_gateway_name"),
        _ => None,
    }
}

/// What the provider computes, and what is for Terraform alone.
const NOT_OURS: [&str; 12] = [
    "arn",
    "created_date",
    "depends_on",
    "id",
    "last_updated_date",
    "lifecycle",
    "provider",
    "region",
    "resource_owner",
    "timeouts",
    "count",
    "for_each",
];

/// A resource from its attributes. `unknown`: attributes that could not be evaluated, which has been reported.
fn resource(
    kind: Kind,
    attributes: &Map<String, Value>,
    unknown: &[String],
    path: &str,
    place: Place<'_>,
    report: &mut Report,
) -> Option<Resource> {
    let parent = parent_attribute(kind);
    for name in attributes.keys() {
        let known = ["name", "mesh_name", "mesh_owner", "spec", "tags", "tags_all"].contains(&name.as_str());
        if !known && Some(name.as_str()) != parent && !NOT_OURS.contains(&name.as_str()) {
            report.error(place, &below(path, name), "unknown argument: it is not carried over");
        }
    }
    let text = |name: &str| match attributes.get(name)? {
        Value::String(text) if !text.is_empty() => Some(name_of(text.clone())),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut required = |name: &str| {
        let value = text(name);
        if value.is_none() && !unknown.iter().any(|missing| missing == name) {
            report.error(place, path, format!("it has no {name}"));
        }
        value
    };
    let own = required("name")?;
    let key = match (kind, parent) {
        (Kind::Mesh, _) => Key::mesh(own),
        (_, None) => Key::in_mesh(required("mesh_name")?, kind, own),
        (_, Some(parent)) => Key::in_parent(required("mesh_name")?, kind, required(parent)?, own),
    };
    let spec_path = below(path, "spec");
    let spec = attributes.get("spec").cloned();
    let spec = spec.and_then(|spec| convert(Spelling::Terraform, spec_shape(kind), spec, &spec_path, place, report));
    let spec = match (spec, kind) {
        (Some(spec), _) => spec,
        (None, Kind::Mesh | Kind::VirtualService) => json!({}),
        (None, _) => {
            report.error(place, path, "it has no spec");
            return None;
        }
    };
    // With the provider's default tags, where there are any: that is what the resource had.
    let is_map = |name: &str| attributes.get(name).and_then(Value::as_object);
    let tags = is_map("tags_all").or(is_map("tags")).map(|tags| {
        let tags = tags.iter().filter(|(_, value)| !value.is_null());
        tags.map(|(key, value)| (key.clone(), text_of(value.clone()))).collect()
    });
    Some(Resource {
        mesh_owner: text("mesh_owner"),
        spec,
        tags,
        metadata: None,
        origin: Origin {
            file: place.file.to_owned(),
            line: place.lines.at(path),
            subject: place.subject.to_owned(),
            path: spec_path,
        },
        key,
    })
}
