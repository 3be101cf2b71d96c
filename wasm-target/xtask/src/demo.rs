//! `cargo xtask demo`: makes everything, then becomes the demo.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::environment::Environment;
use crate::modules;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// How the demo runs.
pub enum Mode {
    /// For a person: a live table, until interrupted.
    Show,
    /// For a machine: asserts, prints a summary, ends.
    Check,
}

/// Runs the demo. Returns only when it could not be started: it takes over this process, so that signals
/// and the exit status are its own.
pub fn run(workspace: &Workspace, mode: Mode) -> Result<ExitCode> {
    let environment = Environment::prepare(workspace)?;
    modules::build(workspace)?;
    build_binaries(workspace)?;
    let mut demo = Command::new(workspace.binary("demo"));
    environment.apply(&mut demo);
    if let Mode::Check = mode {
        demo.arg("--check");
    }
    let error = demo.exec();
    Err(error).with_context(|| format!("cannot start {}", process::line(&demo)))
}

/// Builds `ferromesh`, the demo and the demo's upstream. In one go: apart, cargo would choose other features
/// for the dependencies that they share, and build these twice.
pub fn build_binaries(workspace: &Workspace) -> Result<()> {
    progress::step("building ferromesh and its demo");
    process::run(workspace.cargo("build").args([
        "--package",
        "ferromesh",
        "--package",
        "ferromesh-integration",
        "--bins",
    ]))
}
