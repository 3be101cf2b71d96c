//! The compiled modules that the tests are about.

use std::path::{Path, PathBuf};

use ferromesh_wasm_host::{Engine, Module};

/// A filter's module from `$FERROMESH_MODULES`, else from the repository's target folder. A missing module
/// fails the test: it would say nothing otherwise.
pub fn module(engine: &Engine, filter: &str) -> Module {
    let folder =
        std::env::var_os("FERROMESH_MODULES").map_or_else(|| repository().join("target/modules"), PathBuf::from);
    Module::load(engine, folder.join(format!("{filter}.wasm"))).unwrap_or_else(|error| {
        panic!("{error}; `cargo xtask wasm` builds the modules, FERROMESH_MODULES names their folder")
    })
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
