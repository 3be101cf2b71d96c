//! `schemathesis`, pinned, in a virtual environment of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::python;
use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// Gives the Python that can import it, installing it first if it is missing or another version is pinned by now.
///
/// # Errors
/// No Python that can make virtual environments, or PyPI out of reach.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.path("wasm-target/toolchain/schemathesis.txt");
    let pins = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let python = python::interpreter()?;
    let version = process::output(Command::new(&python).args(["-c", "import sys; print(sys.version)"]))?;
    let stamp = sha256(format!("{}\n{}\n{version}", sha256(&pins), python.display()).as_bytes());

    let cache = Cache::open()?;
    let folder = cache.path("schemathesis");
    let own = folder.join("bin/python");
    let stamp_file = folder.join("ferromesh.stamp");
    let is_ready = || fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_ready() {
        return Ok(own);
    }
    let _lock = cache.lock("schemathesis")?;
    if is_ready() {
        return Ok(own);
    }
    progress::step("schemathesis: installing the pinned version (about 30 MB)");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    process::run(Command::new(&python).args(["-m", "venv", "--without-pip"]).arg(&folder))
        .context("no virtual environment can be made; apt-get install python3-venv")?;
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "--python"])
            .arg(&own)
            .args(["install", "--no-deps", "--require-hashes", "--requirement"])
            .arg(&requirements),
    )
    .context(
        "schemathesis could not be installed; check that pip reaches a PyPI index (`pip config list`, PIP_INDEX_URL)",
    )?;
    process::run(Command::new(&own).args(["-c", "import schemathesis.cli"]))
        .context("schemathesis cannot be imported")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    Ok(own)
}
