//! That no field of App Mesh's specs goes untested, and how that is found out.

mod leaves;
mod sources;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use serde_json::json;

#[test]
fn every_field_is_set_by_a_golden_case_and_shown_by_traffic() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let table = table::Table::of(root).unwrap();
    assert!(
        table.problems.is_empty(),
        "{}\n{}",
        table.text(),
        table.problems.join("\n")
    );
}

#[test]
fn a_field_without_fields_is_a_leaf_and_each_value_of_an_enumeration_too() {
    let all = leaves::all();
    for leaf in [
        "route.httpRoute.match.method=GET",
        "route.httpRoute.match.headers[].invert=false",
        "virtualNode.listeners[].portMapping.port",
        "gatewayRoute.priority",
    ] {
        assert!(all.iter().any(|known| known == leaf), "{leaf}");
    }
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn a_spec_sets_what_it_has_and_nothing_else() {
    let spec = json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}, "unknown": 1}]});
    let set: Vec<String> = leaves::set("virtualRouter", &spec).into_iter().collect();
    assert_eq!(
        set,
        [
            "virtualRouter.listeners[].portMapping.port",
            "virtualRouter.listeners[].portMapping.protocol=http"
        ]
    );
}

#[test]
fn a_pattern_stands_for_each_of_its_choices() {
    assert_eq!(
        leaves::expand("a.{b,c=D}[].{e,f}"),
        ["a.b[].e", "a.b[].f", "a.c=D[].e", "a.c=D[].f"]
    );
}

/// A repository with one golden case, one traffic case, one test and a list.
fn repository(case: &str, test: &str, untested: &str) -> io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let router = "{kind: virtualRouter, name: r, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}";
    for (path, text) in [
        (
            "control-plane/emit/testdata/one/in.yaml",
            format!("resources: [{router}]\n"),
        ),
        (
            "integration/fields/routers/port.yaml",
            format!("{case}\nresources: [{router}]\n"),
        ),
        ("integration/fields/untested.yaml", untested.to_owned()),
        ("integration/tests/routers/main.rs", format!("//! {test}\n")),
    ] {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap())?;
        fs::write(file, text)?;
    }
    Ok(folder)
}

/// What is wrong with ports and protocols of virtual routers in such a repository.
fn problems(case: &str, test: &str, untested: &str) -> Vec<String> {
    let folder = repository(case, test, untested).unwrap();
    let parts = ["portMapping.port ", "portMapping.port,", "protocol=http ", "nonsense"];
    let found = table::Table::of(folder.path()).unwrap().problems.into_iter();
    found
        .filter(|problem| !problem.contains("virtualNode") && !problem.contains("virtualGateway"))
        .filter(|problem| parts.iter().any(|part| problem.contains(part)))
        .collect()
}

const PORT: &str = "virtualRouter.listeners[].portMapping.port";

#[test]
fn a_field_that_nothing_shows_is_a_problem() {
    let found = problems(&format!("shows: ['{PORT}']"), "none", "[]");
    assert_eq!(
        found,
        ["virtualRouter.listeners[].portMapping.protocol=http is shown by no traffic test"]
    );
}

#[test]
fn a_test_shows_what_its_header_says_and_a_variant_what_its_values_make_of_the_case() {
    let case = format!(
        "variants:\n  - {{name: http, leaf: protocol=http}}\nshows: [\"{}.${{leaf}}\"]",
        "virtualRouter.listeners[].portMapping"
    );
    let found = problems(&case, &format!("shows: {PORT}"), "[]");
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_case_cannot_show_what_it_does_not_set_nor_what_is_no_field() {
    let found = problems(
        "shows: [virtualRouter.nonsense]",
        &format!("shows: {{{PORT},nonsense}}"),
        "[]",
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("its resources do not set"), "{found:#?}");
    let unknown = found.iter().filter(|problem| problem.contains("is no leaf")).count();
    assert_eq!(unknown, 2, "{found:#?}");
}

#[test]
fn a_reason_is_for_a_field_that_nothing_shows() {
    let untested = format!("- {{leaves: ['{PORT}', 'virtualRouter.nonsense'], why: because}}");
    let found = problems(&format!("shows: ['{PORT}']"), "none", &untested);
    assert!(found
        .iter()
        .any(|problem| problem.contains("nonsense is listed as not tested, and is no leaf")));
    let stale = format!("{PORT} is listed as not tested, and routers/port shows it");
    assert!(found.contains(&stale), "{found:#?}");
}
