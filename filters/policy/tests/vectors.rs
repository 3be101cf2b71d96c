//! The corpus against the policy itself: the same state machine that the modules run, without a host.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ferromesh_policy::vectors::{run, Configured, Native, Vector, MODULES};

fn files(module: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(module);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn parse(file: &Path) -> Vector {
    let text = fs::read_to_string(file).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn the_policy_holds_every_vector() {
    let mut mismatches = Vec::new();
    let mut counts = Vec::new();
    for (module, features) in MODULES {
        let files = files(module);
        assert!(!files.is_empty(), "no vectors for {module}");
        for file in &files {
            let vector = parse(file);
            let mut native = Native::new(features, vector.seed).at_unix(vector.unix_ms);
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            for mismatch in run(&vector, &mut native) {
                mismatches.push(format!("{module}/{name}: {mismatch}"));
            }
        }
        counts.push(format!("{module} {}", files.len()));
    }
    println!("vectors run natively: {}", counts.join(", "));
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn every_vector_says_something_of_its_own() {
    let mut descriptions = BTreeSet::new();
    let mut in_envoy = 0;
    for (module, _) in MODULES {
        for file in files(module) {
            let vector = parse(&file);
            assert_eq!(file.extension().unwrap(), "yaml", "{}", file.display());
            assert!(
                descriptions.insert(vector.description.clone()),
                "twice: {}",
                vector.description
            );
            let expects = vector
                .steps
                .iter()
                .any(|step| step.expect.is_some() || step.expect_response.is_some() || step.expect_metrics.is_some());
            assert!(
                expects || vector.expect_configure == Configured::Rejected,
                "{} expects nothing",
                file.display()
            );
            in_envoy += usize::from(vector.envoy);
        }
    }
    assert!(in_envoy > 0, "no vector is marked for stock Envoy");
}
