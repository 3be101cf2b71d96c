//! Golden bootstraps: for each folder of `golden`, the environment in `environment` gives `bootstrap.json`, which stock
//! Envoy accepts. `UPDATE_GOLDEN=1` writes them anew.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bootstraps/golden")
}

/// The cases, by their folders.
fn cases() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(golden()).expect("the golden folders");
    let mut cases: Vec<_> = folders.map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    assert!(cases.len() >= 14, "{cases:?}");
    cases
}

/// `name=value` lines; empty lines and those with # do not count.
fn environment(case: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(case.join("environment")).expect("an environment");
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_once('=')
                .unwrap_or_else(|| panic!("{line:?} in {}", case.display()))
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Prints the bootstrap of a case. The files that it names are those of its folder.
fn print(case: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_ferromesh"))
        .args(["proxy", "--print-bootstrap"])
        .env_clear()
        .envs(environment(case))
        .current_dir(case)
        .output();
    output.expect("the program runs")
}

fn bootstrap(case: &Path) -> Value {
    let printed = print(case);
    let said = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{}: {said}", case.display());
    let mut bootstrap: Value = serde_json::from_slice(&printed.stdout).expect("json");
    // The one thing that changes from release to release.
    let version = &mut bootstrap["node"]["metadata"]["ferromesh"]["version"];
    assert_eq!(*version, env!("CARGO_PKG_VERSION"));
    *version = "the release's".into();
    bootstrap
}

#[test]
fn every_environment_gives_its_bootstrap() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let found = serde_json::to_string_pretty(&bootstrap(&case)).expect("json") + "\n";
        let file = case.join("bootstrap.json");
        if update {
            std::fs::write(&file, &found).expect("a golden file");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != found {
            wrong.push(format!("{} is not:\n{found}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes them anew",
        wrong.join("\n")
    );
}

#[test]
fn stock_envoy_accepts_every_one_of_them() {
    let cached = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/ferromesh/envoy/1.40.0/envoy"));
    let envoy = std::env::var_os("FERROMESH_ENVOY").map(PathBuf::from).or_else(cached);
    let envoy = envoy.expect("a home folder");
    assert!(
        envoy.is_file(),
        "no {}: run `cargo xtask env`, or set FERROMESH_ENVOY",
        envoy.display()
    );
    for case in cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bootstrap.json");
        std::fs::write(&path, bootstrap(&case).to_string()).expect("a file");
        let judged = Command::new(&envoy)
            // Of deprecated fields there is one, the bootstrap's tracing.
            .args(["--mode", "validate", "-l", "warning", "--skip-deprecated-logs", "-c"])
            .arg(&path)
            .current_dir(&case)
            .output()
            .expect("envoy runs");
        let said = String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{}: {said}", case.display());
        assert!(!said.contains("unknown field"), "{}: {said}", case.display());
    }
}
