//! What is looked at when all resources are there: order, doubles, and the API's own rules.

use std::collections::HashMap;

use ferromesh_model::{resource::Kind, shapes, validate};

use crate::{
    document::Lines,
    finding::{Finding, Place, Report, Severity},
    resource::Resource,
};

/// Sorts the resources by dependency, refuses the second of two with one name, and reports what the API would refuse.
pub fn all(resources: &mut Vec<Resource>, report: &mut Report) {
    resources.sort_by_key(Resource::rank);
    let mut seen: HashMap<_, String> = HashMap::new();
    resources.retain(|resource| match seen.get(&resource.key) {
        None => {
            seen.insert(resource.key.clone(), resource.origin.to_string());
            true
        }
        Some(first) => {
            report.push(finding(
                resource,
                "",
                format!("{} already stands in {first}", resource.key),
            ));
            false
        }
    });
    for resource in resources.iter() {
        alone(resource, report);
    }
}

fn finding(resource: &Resource, path: &str, reason: String) -> Finding {
    Finding {
        severity: Severity::Error,
        file: resource.origin.file.clone(),
        line: resource.origin.line,
        subject: resource.origin.subject.clone(),
        path: path.to_owned(),
        reason,
    }
}

fn alone(resource: &Resource, report: &mut Report) {
    // What could not be carried over is missing, and that has been said where it stood.
    let incomplete = report.has_error_on(&resource.origin.file, &resource.origin.subject);
    for violation in validate::spec(resource.key.kind, &resource.spec) {
        if incomplete && violation.message == "is required" {
            continue;
        }
        let reason = format!("the API will refuse {}: {}", resource.key, violation.message);
        report.push(finding(resource, &violation.path, reason));
    }
    let key = &resource.key;
    let names = [(Kind::Mesh, Some(&key.mesh)), (key.kind, Some(&key.name))];
    let parent = key.kind.parent().map(|kind| (kind, key.parent.as_ref()));
    for (kind, name) in names.into_iter().chain(parent) {
        let length = name.map_or(0, |name| name.chars().count());
        // A service's name has no limit of its own; as part of a URL it has to be something.
        if length == 0 || (length > 255 && kind != Kind::VirtualService) {
            let reason = format!("the API will refuse {key}: must have 1 to 255 characters, has {length}");
            report.push(finding(resource, kind.name_member(), reason));
        }
    }
    if let Some(tags) = resource.tag_list() {
        for violation in shapes::check("TagList", &tags) {
            let reason = format!("the API will refuse {key}: {}", violation.message);
            report.push(finding(resource, &violation.under("tags").path, reason));
        }
    }
    let owner = resource.mesh_owner.as_deref();
    if let Some(owner) = owner.filter(|owner| owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit())) {
        let place = Place {
            file: &resource.origin.file,
            lines: Lines::NONE,
            subject: &resource.origin.subject,
        };
        report.error(place, "meshOwner", format!("an account id has 12 digits, is {owner:?}"));
    }
}
