//! Every Envoy configuration in `envoy-configs/` is one that stock Envoy takes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ferromesh_integration::rig::paths;
use tempfile::TempDir;

#[test]
fn stock_envoy_accepts_every_configuration_in_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-configs");
    let scratch = TempDir::new().expect("a folder");
    let files = configurations(&root);
    assert!(!files.is_empty(), "no configuration in {}", root.display());
    let mut refused = Vec::new();
    for file in &files {
        let filled = filled(file);
        let copy = scratch.path().join("envoy.yaml");
        std::fs::write(&copy, filled).expect("written");
        let output = Command::new(paths::envoy().expect("Envoy"))
            .args(["--mode", "validate", "-l", "error", "-c"])
            .arg(&copy)
            // Samples name modules by a path below the folder they are run from.
            .current_dir(root.parent().expect("the repository"))
            .output()
            .expect("Envoy runs");
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            refused.push(format!("{}: {}", file.display(), text.trim()));
        }
    }
    println!("{} configurations", files.len());
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// Folders of Kubernetes resources, which are not for Envoy itself; `samples` tries them.
const PLATFORMS: [&str; 2] = ["envoy-configs/istio", "envoy-configs/envoy-gateway"];

fn configurations(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if PLATFORMS.iter().any(|platform| path.ends_with(platform)) {
            continue;
        }
        if path.is_dir() {
            found.extend(configurations(&path));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A template with its places filled in.
fn filled(file: &Path) -> String {
    let mut text = std::fs::read_to_string(file).expect("a configuration");
    for (place, name) in [
        ("{{MODULE}}", "mesh"),
        ("{{CANARY}}", "canary"),
        ("{{RETRY}}", "retry"),
        ("{{OBSERVABILITY}}", "observability"),
    ] {
        if text.contains(place) {
            let module = paths::module(name).expect("a built module");
            text = text.replace(place, &module.display().to_string());
        }
    }
    text = text.replace("{{UPSTREAM_PORT}}", "8080");
    assert!(
        !text.contains("{{"),
        "{} has a place that this test does not fill",
        file.display()
    );
    text
}
