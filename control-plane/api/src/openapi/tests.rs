//! The document against the server that it describes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use http::Method;

use super::operation::label;
use super::*;

/// Something that may stand in a path for a label.
fn example(path: &str) -> Vec<String> {
    let segment = |segment: &str| match label(segment) {
        Some("kind") => "virtualNode".to_owned(),
        Some("account") => "123456789012".to_owned(),
        Some(label) => format!("a-{label}"),
        None => segment.to_owned(),
    };
    path.trim_start_matches('/').split('/').map(segment).collect()
}

#[test]
fn finds_every_operation_of_ours_under_its_own_name() {
    for described in own() {
        let method = Method::from_bytes(described.method.as_bytes()).expect("a method");
        let found = crate::own::find(&method, &example(described.path));
        let found = found.unwrap_or_else(|methods| panic!("{}: the server has {methods:?}", described.path));
        assert_eq!(found.name(), described.name, "{} {}", described.method, described.path);
    }
}

#[test]
fn describes_every_method_of_every_path() {
    let mut described: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let own = own();
    for operation in &own {
        described.entry(operation.path).or_default().insert(operation.method);
    }
    for (path, methods) in described {
        let has = crate::own::find(&Method::TRACE, &example(path)).expect_err("no page has TRACE");
        assert_eq!(has.into_iter().collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

/// Every page has a name, and says it in a function `name` in `own.rs` or a file below `own/`.
#[test]
fn describes_every_page_that_there_is() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![sources.join("own.rs")];
    for entry in std::fs::read_dir(sources.join("own")).expect("the pages") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source");
        let Some((_, body)) = text.split_once("fn name(self) -> &'static str {") else {
            continue;
        };
        let body = body.split("\n    }\n").next().unwrap_or_default();
        names.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    let described: BTreeSet<String> = own().iter().map(|described| described.name.to_owned()).collect();
    assert!(described.len() > 30, "{described:?}");
    let missing: Vec<_> = names.difference(&described).collect();
    assert!(missing.is_empty(), "pages without a description: {missing:?}");
    let unknown: Vec<_> = described.difference(&names).collect();
    assert!(unknown.is_empty(), "descriptions without a page: {unknown:?}");
}

/// Methods and paths of the patterns in a function that finds pages, with `{}` for what is no word.
fn routes(source: &str, function: &str, before: &str) -> BTreeSet<String> {
    let Some((_, rest)) = source.split_once(function) else {
        return BTreeSet::new();
    };
    let body = rest.split("\n}\n").next().unwrap_or_default();
    let mut routes = BTreeSet::new();
    let mut path = String::new();
    for line in body.lines().map(str::trim) {
        if let Some((pattern, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let segments = pattern.split(", ").filter(|segment| !["", ".."].contains(segment));
            let words = segments.map(|segment| segment.strip_prefix('"').map_or("{}", |word| word.trim_matches('"')));
            path = words.fold(before.to_owned(), |path, word| format!("{path}/{word}"));
        }
        for (at, _) in line.match_indices("(\"") {
            let mut quoted = line.split_at(at + 2).1.split('"');
            if let (Some(method), Some(page)) = (quoted.next(), quoted.next()) {
                if page.starts_with(", Page::") {
                    routes.insert(format!("{method} {path}"));
                }
            }
        }
    }
    routes
}

/// Whatever `own::find` finds, in its own patterns or in those of the files that it asks, is described, and nothing else.
#[test]
fn describes_the_routes_that_the_server_has_and_no_others() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a source");
    let own_source = read(&sources.join("own.rs"));
    let mut served = routes(&own_source, "fn find(", "");
    for entry in std::fs::read_dir(sources.join("own")).expect("the pages") {
        let path = entry.expect("a file").path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let Some((before_call, _)) = own_source.split_once(&format!("{name}::pages(rest)")) else {
            if path.is_file() {
                served.extend(routes(&read(&path), "fn pages(", ""));
            }
            continue;
        };
        // `["v1", "registry", rest @ ..]`: what stands before those that the file has.
        let (_, pattern) = before_call.rsplit_once("if let [").expect("a pattern before the call");
        let words = pattern.split('"').skip(1).step_by(2);
        let before = words.fold(String::new(), |path, word| format!("{path}/{word}"));
        served.extend(routes(&read(&path), "fn pages(", &before));
    }
    let bare = |path: &str| {
        let segments = path.split('/').map(|segment| label(segment).map_or(segment, |_| "{}"));
        segments.collect::<Vec<_>>().join("/")
    };
    let own = own();
    let described: BTreeSet<String> = own
        .iter()
        .map(|page| format!("{} {}", page.method, bare(page.path)))
        .collect();
    assert_eq!(described.len(), own.len(), "two descriptions of one route");
    assert_eq!(served, described);
}

#[test]
fn has_all_operations_of_app_mesh_and_every_id_once() {
    let mut ids = BTreeSet::new();
    let mut app_mesh = 0;
    for (path, method, operation) in all() {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} is there twice");
        if path.starts_with("/v20190125/") {
            let found = crate::appmesh::find(method, &example(&path)).expect("an operation");
            assert_eq!(found.call.operation.name, id);
            app_mesh += 1;
        }
    }
    assert_eq!(app_mesh, 38);
}

#[test]
fn refers_only_to_schemas_that_are_there() {
    fn visit(value: &Value, document: &Value, seen: &mut usize) {
        match value {
            Value::Object(object) => {
                if let Some(pointer) = object.get("$ref").and_then(Value::as_str) {
                    let pointer = pointer.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{pointer}");
                    *seen += 1;
                }
                object.values().for_each(|value| visit(value, document, seen));
            }
            Value::Array(list) => list.iter().for_each(|value| visit(value, document, seen)),
            _ => {}
        }
    }
    let document = document();
    let mut seen = 0;
    visit(&document, &document, &mut seen);
    assert!(seen > 300, "{seen} references");
}
