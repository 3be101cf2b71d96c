//! `cargo xtask bench`: makes everything, then runs the benchmarks with an optimised build.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::environment::Environment;
use crate::modules;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// Runs one benchmark in the caller's working directory and gives its exit status.
pub fn run(workspace: &Workspace, what: &str, json: Option<&Path>, arguments: &[String]) -> Result<ExitCode> {
    let mut environment = Environment::prepare(workspace)?;
    modules::build(workspace)?;
    if what == "api" {
        environment = environment.with_moto(workspace)?;
        process::run(workspace.cargo("build").args(["--release", "--package", "ferromesh"]))?;
    }
    progress::step(format!("measuring {what}"));
    let mut bench = workspace.cargo("run");
    bench.args(["--release", "--package", "ferromesh-bench", "--", what]);
    if let Some(file) = json {
        bench.arg("--json").arg(file);
    }
    bench.args(arguments).stdin(Stdio::null());
    let status = environment
        .apply(&mut bench)
        .status()
        .with_context(|| format!("cannot start {}", process::line(&bench)))?;
    Ok(exit_code(status.code()))
}

/// A status that a signal gave has no code of its own.
fn exit_code(code: Option<i32>) -> ExitCode {
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
