//! The shared test vectors that are marked `envoy: true`, run in stock Envoy with the built modules.
//!
//! What the wasmtime host only imitates is real here: V8, Envoy's properties and headers, its retries, its
//! statistics. Time and chance are Envoy's own, so the vectors that depend on either are not marked.

mod configuration;
mod executor;
mod wire;

use std::path::{Path, PathBuf};

use executor::StockEnvoy;
use ferromesh_integration::rig::paths;
use ferromesh_policy::vectors::{self, Metric, Vector};

#[test]
fn the_vectors_marked_for_envoy_hold_in_stock_envoy() {
    let mut run = 0;
    let mut misses = Vec::new();
    for (module, _) in vectors::MODULES {
        let wasm = paths::module(module).expect("a built module");
        for file in files(module) {
            let vector = read(&file);
            if !vector.envoy {
                continue;
            }
            run += 1;
            let vector = with_sample_counts_only(vector);
            let found = vectors::run(&vector, &mut StockEnvoy::new(&vector, &wasm));
            let name = format!("{module}/{}", file.file_stem().unwrap_or_default().display());
            println!("{name}: {}", if found.is_empty() { "ok" } else { "MISS" });
            misses.extend(found.iter().map(|miss| format!("{name}: {miss}")));
        }
    }
    println!("{run} vectors in stock Envoy, {} misses", misses.len());
    assert!(run > 0, "no vector is marked `envoy: true`");
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

fn files(module: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../filters/policy/vectors")
        .join(module);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

fn read(file: &Path) -> Vector {
    let text = std::fs::read_to_string(file).expect("a vector");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A request takes as long as it takes: of a histogram only the number of samples is compared. The executor
/// gives every sample as 0, too.
fn with_sample_counts_only(mut vector: Vector) -> Vector {
    for step in &mut vector.steps {
        for metric in step.expect_metrics.iter_mut().flat_map(|m| m.values_mut()) {
            if let Metric::Histogram(samples) = metric {
                samples.fill(0);
            }
        }
    }
    vector
}
