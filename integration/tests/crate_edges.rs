//! The architecture's invariants about crates: who may depend on whom, and who may name what.
//! ARCHITECTURE.md says why; this test is what keeps it true.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Each crate of the workspace and the crates of the workspace that it may be linked with. Dependencies of
/// tests only are not edges, but naming what is banned is banned in tests too.
const EDGES: &[(&str, &[&str])] = &[
    ("ferromesh-policy", &[]),
    ("ferromesh-guest", &["ferromesh-policy"]),
    ("ferromesh-filter-canary", FILTER),
    ("ferromesh-filter-retry", FILTER),
    ("ferromesh-filter-observability", FILTER),
    ("ferromesh-filter-mesh", FILTER),
    ("ferromesh-filter-mesh-lean", FILTER),
    ("ferromesh-filter-rate-limit", FILTER),
    ("ferromesh-filter-circuit-breaker", FILTER),
    ("ferromesh-filter-fault", FILTER),
    ("ferromesh-filter-headers", FILTER),
    ("ferromesh-policy-browser", &["ferromesh-policy"]),
    ("ferromesh-fuzz", &["ferromesh-policy"]),
    ("ferromesh-model", &["ferromesh-policy"]),
    ("ferromesh-ir", &["ferromesh-model", "ferromesh-policy"]),
    ("ferromesh-emit", &["ferromesh-ir", "ferromesh-policy"]),
    (
        "ferromesh-analyze",
        &["ferromesh-model", "ferromesh-ir", "ferromesh-policy"],
    ),
    // Meshes for tests.
    ("ferromesh-generate", &["ferromesh-model"]),
    ("ferromesh-import", &["ferromesh-model"]),
    ("ferromesh-xds", &[]),
    ("ferromesh-store", &["ferromesh-model"]),
    // The model, because limits travel in the form that it defines.
    ("ferromesh-ratelimit", &["ferromesh-model"]),
    (
        "ferromesh-api",
        // The policy, because a side policy is compiled by the filter's own code before it is stored.
        &["ferromesh-model", "ferromesh-store", "ferromesh-policy"],
    ),
    (
        "ferromesh",
        &[
            "ferromesh-policy",
            "ferromesh-model",
            "ferromesh-ir",
            "ferromesh-emit",
            "ferromesh-analyze",
            "ferromesh-xds",
            "ferromesh-store",
            "ferromesh-api",
            "ferromesh-import",
            "ferromesh-ratelimit",
            // What may go to a registry is judged as what is built.
            "ferromesh-wasm-inspection",
        ],
    ),
    ("ferromesh-wasm-inspection", &[]),
    ("ferromesh-wasm-host", &["ferromesh-policy"]),
    (
        "xtask",
        // The policy, whose configuration types the reference pages are made from, and the model, whose tables say which
        // fields there are.
        &[
            "ferromesh-model",
            "ferromesh-policy",
            "ferromesh-wasm-host",
            "ferromesh-wasm-inspection",
        ],
    ),
    ("ferromesh-integration", &["ferromesh-policy"]),
    (
        "ferromesh-bench",
        // The control plane as a library, whose steps are measured one by one.
        &[
            "ferromesh",
            "ferromesh-emit",
            "ferromesh-integration",
            "ferromesh-ir",
            "ferromesh-model",
            "ferromesh-policy",
            "ferromesh-store",
            "ferromesh-xds",
        ],
    ),
    // The rig, for what is measured through the whole product.
    ("ferromesh-xds-load", &["ferromesh-xds", "ferromesh-integration"]),
];

/// A filter is a few lines around the guest and its policy.
const FILTER: &[&str] = &["ferromesh-guest", "ferromesh-policy"];

/// Crates, in the form of source code, and the only crates of ours that may name them.
const NAMED_ONLY_BY: &[(&str, &[&str])] = &[
    ("proxy_wasm", &["ferromesh-guest"]),
    (
        "envoy_types",
        &[
            "ferromesh-emit",
            "ferromesh-xds",
            "ferromesh-ratelimit",
            // Simulated proxies, which speak the protocol from the other side.
            "ferromesh-xds-load",
        ],
    ),
];

/// Crates, in the form of source code, that one crate of ours must not name.
const NEVER_NAMED_BY: &[(&str, &[&str])] = &[
    // It speaks etcd's protocol, and none of Envoy's.
    ("ferromesh-store", &["envoy_types", "prost_reflect"]),
    ("ferromesh-api", &["prost", "tonic", "envoy_types"]),
    ("ferromesh-model", &["prost", "tonic", "warp", "hyper"]),
    (
        "ferromesh-import",
        &["prost", "tonic", "warp", "hyper", "tokio", "reqwest"],
    ),
    ("ferromesh-ir", &["prost", "tonic", "warp", "hyper", "tokio"]),
    ("ferromesh-policy", &["tokio", "prost", "wasmtime"]),
];

/// The folders of the repository, and there are no others.
const FOLDERS: &[&str] = &[
    ".cargo",
    ".ci",
    "control-plane",
    "docs",
    "envoy-configs",
    "filters",
    "integration",
    "wasm-target",
];

#[test]
fn crates_depend_only_on_the_crates_that_the_architecture_allows() {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let packages = packages();
    let names: BTreeSet<_> = packages.iter().map(|p| p.name.as_str()).collect();
    let known: BTreeSet<_> = allowed.keys().copied().collect();
    assert_eq!(
        names, known,
        "the workspace's crates are not those this test knows: add an edge list, and to ARCHITECTURE.md"
    );
    let mut wrong = Vec::new();
    for package in &packages {
        let allowed = allowed[package.name.as_str()];
        for dependency in &package.linked {
            if names.contains(dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{} depends on {dependency}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that must not be: {wrong:#?}");
}

#[test]
fn the_proxy_wasm_abi_and_envoys_types_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for package in packages() {
        for (banned, allowed) in NAMED_ONLY_BY {
            if !allowed.contains(&package.name.as_str()) {
                wrong.extend(package.places_that_name(banned));
            }
        }
    }
    assert!(wrong.is_empty(), "names that must not be: {wrong:#?}");
}

#[test]
fn the_store_never_sees_envoys_types_and_pure_crates_see_no_server() {
    let packages = packages();
    let mut wrong = Vec::new();
    for (name, banned) in NEVER_NAMED_BY {
        let package = packages
            .iter()
            .find(|package| package.name == *name)
            .unwrap_or_else(|| panic!("no crate {name}"));
        for banned in *banned {
            wrong.extend(package.places_that_name(banned));
        }
    }
    assert!(wrong.is_empty(), "names that must not be: {wrong:#?}");
}

#[test]
fn the_repository_has_its_top_level_folders_and_no_others() {
    let folders: BTreeSet<_> = std::fs::read_dir(root())
        .expect("the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        // Git's own folder and what cargo builds are not the repository's.
        .filter(|name| name != ".git" && name != "target")
        .collect();
    let expected: BTreeSet<_> = FOLDERS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(folders, expected);
}

struct Package {
    name: String,
    folder: PathBuf,
    /// Dependencies that are linked into it, not those of its tests or build scripts.
    linked: Vec<String>,
    /// Every dependency.
    dependencies: Vec<String>,
}

impl Package {
    /// The places in manifest and sources that name a crate.
    fn places_that_name(&self, banned: &str) -> Vec<String> {
        let mut places = Vec::new();
        if self.dependencies.contains(&banned.replace('_', "-")) {
            places.push(format!("{}: dependency {banned}", self.name));
        }
        for file in sources(&self.folder) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let path = format!("{banned}::");
                if words(code, &path) || words(code, &format!("use {banned};")) {
                    let file = file.strip_prefix(root()).unwrap_or(&file);
                    places.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
        places
    }
}

/// Whether `code` holds `text` not as the end of a longer name.
fn words(code: &str, text: &str) -> bool {
    code.match_indices(text)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':'))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            // A crate below, such as integration/bench, is looked at by itself.
            if !path.join("Cargo.toml").exists() && !path.ends_with("target") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON from cargo");
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    array(&metadata["packages"])
        .iter()
        .map(|package| {
            let dependencies = array(&package["dependencies"]);
            Package {
                name: text(&package["name"]),
                folder: Path::new(&text(&package["manifest_path"]))
                    .parent()
                    .expect("a folder")
                    .to_owned(),
                linked: dependencies
                    .iter()
                    .filter(|dependency| dependency["kind"].is_null())
                    .map(|dependency| text(&dependency["name"]))
                    .collect(),
                dependencies: dependencies
                    .iter()
                    .map(|dependency| text(&dependency["name"]))
                    .collect(),
            }
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
        .to_owned()
}
