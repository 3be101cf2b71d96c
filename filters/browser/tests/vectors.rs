//! The shared corpus through the browser build, in Node: what the policy decides natively it must decide behind
//! JavaScript's classes too.

use std::io::Write;
use std::path::{Path, PathBuf};

use ferromesh_policy::vectors::{run, Vector, MODULES};
use ferromesh_policy_browser::node::Node;
use serde_json::json;

#[test]
fn the_browser_build_holds_every_vector_in_node() {
    let mut node = Node::start().unwrap();
    let mut mismatches = Vec::new();
    let mut counts = Vec::new();
    for (module, _) in MODULES {
        let files = files(module);
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            let vector: Vector =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut session = node.session(module, &vector).unwrap();
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            for mismatch in run(&vector, &mut session) {
                mismatches.push(format!("{module}/{name}: {mismatch}"));
            }
        }
        counts.push(format!("{module} {}", files.len()));
    }
    // Not by a macro: these are captured, and the number shall be seen.
    let _ = writeln!(std::io::stderr(), "vectors run in Node: {}", counts.join(", "));
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn javascript_is_told_every_mistake_with_its_path() {
    let mut node = Node::start().unwrap();
    let policy = json!({"labels": {"virtualService": "v", "route": ""}, "targets": ["a"], "canary": {"weights": [0]}});
    let mistakes = node.check("checkRoutePolicy", &policy).unwrap();
    let paths: Vec<_> = mistakes
        .as_array()
        .unwrap()
        .iter()
        .map(|mistake| &mistake["path"])
        .collect();
    assert_eq!(paths, ["labels.route", "canary.weights"]);
    let plugin = json!({"mesh": "m", "node": "n", "reporter": "source"});
    assert_eq!(node.check("checkPlugin", &plugin).unwrap(), json!([]));
    let mistakes = node.check("checkPlugin", &json!("{")).unwrap();
    assert!(!mistakes[0]["message"].as_str().unwrap().is_empty(), "{mistakes}");
}

#[test]
fn what_is_no_configuration_at_all_is_an_exception_and_the_package_goes_on() {
    let mut node = Node::start().unwrap();
    let refused = node.check("checkPlugin", &json!({"hex": "f"})).unwrap_err().to_string();
    assert!(refused.contains("plugin configuration: "), "{refused}");
    let vector: Vector = serde_saphyr::from_str("{description: none, plugin: {}, seed: 18446744073709551615}").unwrap();
    let refused = node.session("lua", &vector).unwrap_err().to_string();
    assert!(refused.contains(r#"module "lua" is not one of canary"#), "{refused}");
    assert!(node.session("mesh", &vector).is_ok());
}

fn files(module: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../policy/vectors")
        .join(module);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no vectors", folder.display());
    files
}
