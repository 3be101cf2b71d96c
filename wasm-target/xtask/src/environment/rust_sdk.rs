//! The Rust SDK's client of the tests: a program of its own, because nothing else needs its 117 crates (decision 0036).

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process;
use crate::progress;
use crate::workspace::Workspace;

const MANIFEST: &str = "integration/tests/clients/rust/Cargo.toml";

/// Builds the client, with the versions of its lock; a second at most when nothing has changed.
///
/// # Errors
/// It does not compile, or its crates cannot be fetched.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target("rust-sdk");
    let program = target.join("debug/ferromesh-appmesh-client");
    if !program.is_file() {
        progress::step("Rust SDK: building the tests' client (a minute on two cores)");
    }
    let mut build = workspace.cargo_of(MANIFEST, "build");
    build.args(["--locked", "--quiet"]).env("CARGO_TARGET_DIR", &target);
    process::run(&mut build).context("the Rust SDK's client could not be built")?;
    Ok(program)
}
