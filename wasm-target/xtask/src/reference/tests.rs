//! The pages of the reference: that they are made of the types as these are now.

mod fields;
mod pages;
mod subject;

use std::path::Path;

use serde_json::Value;

use subject::SUBJECTS;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_pages_are_those_of_the_types() {
    let pages = pages::pages(root()).unwrap();
    let stale = pages::stale(root(), &pages).unwrap();
    assert!(stale.is_empty(), "run `cargo xtask reference`: {stale:?}");
}

#[test]
fn the_control_plane_takes_the_policies_of_the_pages() {
    for subject in &SUBJECTS {
        let mut policy: Value = serde_json::from_str(&pages::policy(subject)).unwrap();
        policy["mesh"] = "demo".into();
        policy["name"] = "example".into();
        let found = ferromesh_model::policy::check(&policy);
        assert!(found.is_empty(), "{}: {found:?}", subject.name);
    }
}

/// The documents have every member that the policy reads; a test beside them sees to that.
#[test]
fn every_member_has_a_row() {
    let pages: Vec<String> = pages::pages(root()).unwrap().into_values().collect();
    for name in ["plugin.json", "upstream.json"] {
        let file = root().join("filters/policy/tests/schema").join(name);
        let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for path in paths(&document, "") {
            let row = format!("| `{path}` |");
            assert!(
                pages.iter().any(|page| page.contains(&row)),
                "no page has a row for {path}"
            );
        }
    }
}

/// The paths of all members, as pages write them: those of a route's policy begin there.
fn paths(value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let inner = match path {
                    "" => name.clone(),
                    "routes" => String::new(),
                    _ => format!("{path}.{name}"),
                };
                found.extend(Some(inner.clone()).filter(|inner| !inner.is_empty()));
                let inner = if inner == "default" { String::new() } else { inner };
                found.extend(paths(member, &inner));
            }
        }
        Value::Array(items) => {
            // A source within `anyOf` is written as one without.
            let inner = path.strip_suffix(".anyOf").map_or(format!("{path}[]"), str::to_owned);
            found.extend(items.iter().flat_map(|item| paths(item, &inner)));
        }
        _ => {}
    }
    found
}
