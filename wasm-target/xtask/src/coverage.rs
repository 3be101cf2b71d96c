//! `cargo xtask coverage`: which golden case sets each field of App Mesh's specs, and which traffic test shows it.
//!
//! By a program of its own, which compiles the model; the other commands must not wait for that.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Prints the table.
///
/// # Errors
/// When a field is missing in either column, or a case says what is not so.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "--package", "xtask", "--features", "coverage"]);
    command.args(["--bin", "field-coverage", "--"]).arg(workspace.path(""));
    process::run(&mut command)
}
