//! `cargo xtask bench xds`: our xDS layer beside go-control-plane, under simulated proxies; and the whole product.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::environment::{go_control_plane, Environment};
use crate::modules;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// Runs the benchmark in the caller's working directory and gives its exit status.
///
/// # Errors
/// Something does not build or start. A peer that cannot be had is named and left out.
pub fn run(workspace: &Workspace, json: Option<&Path>, arguments: &[String]) -> Result<ExitCode> {
    let peer = match go_control_plane::prepare(workspace) {
        Ok(program) => Some(program),
        Err(error) => {
            progress::step(format!("measuring without go-control-plane: {error:#}"));
            None
        }
    };
    let environment = Environment::prepare(workspace)?;
    modules::build(workspace)?;
    // All programs: the benchmark starts the others.
    let build = ["--release", "--package", "ferromesh-xds-load", "--package", "ferromesh"];
    process::run(workspace.cargo("build").args(build))?;
    progress::step("measuring xds");
    let mut bench = workspace.cargo("run");
    bench.args([
        "--release",
        "--package",
        "ferromesh-xds-load",
        "--bin",
        "xds-bench",
        "--",
    ]);
    if let Some(program) = peer {
        bench.arg(format!("--peer=go-control-plane={}", program.display()));
    }
    if let Some(file) = json {
        bench.arg("--json").arg(file);
    }
    let product = workspace.target("release/ferromesh");
    bench.arg("--product").arg(&product);
    environment.apply(&mut bench).env("FERROMESH_BIN", product);
    let status = bench.args(arguments).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {}", process::line(&bench)))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
