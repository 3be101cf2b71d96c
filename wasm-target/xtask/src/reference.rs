//! `cargo xtask reference`: the pages of `docs/filters`, made from the types of the filters' configuration.
//!
//! By a program of its own, which compiles the policy; the other commands must not wait for that.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// What is done with the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are written, and files that are no pages are removed.
    Write,
    /// They are compared with what is there.
    Check,
}

/// Makes the pages.
///
/// # Errors
/// When the policy does not compile or refuses an example, and with [`Mode::Check`] when a page differs.
pub fn run(workspace: &Workspace, mode: Mode) -> Result<()> {
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "--package", "xtask", "--features", "reference"]);
    command
        .args(["--bin", "filter-reference", "--"])
        .arg(workspace.path(""));
    if mode == Mode::Check {
        command.arg("--check");
    }
    process::run(&mut command)
}
