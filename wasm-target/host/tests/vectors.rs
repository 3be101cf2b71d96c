//! The shared corpus, run in the compiled modules: what the policy decides natively it must decide as wasm,
//! through real hostcalls.

#[path = "vectors/executor.rs"]
mod executor;
mod load;

use std::io::Write;
use std::path::PathBuf;

use executor::Wasm;
use ferromesh_policy::vectors::{self, Vector};
use ferromesh_wasm_host::Engine;

#[test]
fn canary_module_holds_its_vectors() {
    run_all("canary", "canary");
}

#[test]
fn retry_module_holds_its_vectors() {
    run_all("retry", "retry");
}

#[test]
fn observability_module_holds_its_vectors() {
    run_all("observability", "observability");
}

#[test]
fn rate_limit_module_holds_its_vectors() {
    run_all("rate-limit", "rate-limit");
}

#[test]
fn circuit_breaker_module_holds_its_vectors() {
    run_all("circuit-breaker", "circuit-breaker");
}

#[test]
fn fault_module_holds_its_vectors() {
    run_all("fault", "fault");
}

#[test]
fn headers_module_holds_its_vectors() {
    run_all("headers", "headers");
}

#[test]
fn mesh_module_holds_its_vectors() {
    run_all("mesh", "mesh");
}

#[test]
fn mesh_module_on_the_public_sdk_holds_the_same_vectors() {
    run_all("mesh-sdk", "mesh");
}

fn run_all(module_name: &str, filter: &str) {
    let engine = Engine::new().unwrap();
    let module = load::module(&engine, module_name);
    let mut failures = Vec::new();
    let paths = paths(filter);
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let mismatches = match serde_saphyr::from_str::<Vector>(&text) {
            Ok(vector) => vectors::run(&vector, &mut Wasm::new(&module, &vector)),
            Err(error) => vec![error.to_string()],
        };
        if !mismatches.is_empty() {
            failures.push(format!("{}\n  {}", path.display(), mismatches.join("\n  ")));
        }
    }
    // Not by a macro: these are captured, and the number shall be seen.
    let _ = writeln!(std::io::stderr(), "{module_name}.wasm: {} vectors run", paths.len());
    assert!(
        failures.is_empty(),
        "{} of {} vectors do not hold in {module_name}.wasm:\n{}",
        failures.len(),
        paths.len(),
        failures.join("\n")
    );
}

/// All vectors of a module, in order. None at all is a mistake, not a success.
fn paths(filter: &str) -> Vec<PathBuf> {
    let folder = load::repository().join("filters/policy/vectors").join(filter);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no vectors", folder.display());
    paths
}
