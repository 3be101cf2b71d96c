//! moto's server, which the benchmark of the API has its ratio from: pinned, in a folder of its own beside the clients.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::python;
use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// Gives the folder with its packages, for `PYTHONPATH`, installing them first if they are missing or others are pinned by
/// now.
///
/// # Errors
/// No Python, or no pip that reaches an index.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.path("wasm-target/toolchain/moto-requirements.txt");
    let pins = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let python = python::interpreter()?;
    let version = process::output(Command::new(&python).args(["-c", "import sys; print(sys.version)"]))?;
    let stamp = sha256(format!("{}\n{version}", sha256(&pins)).as_bytes());
    let cache = Cache::open()?;
    let folder = cache.path("moto");
    let stamp_file = folder.join("ferromesh.stamp");
    let site = folder.join("site");
    let is_ready = || fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_ready() {
        return Ok(site);
    }
    let _lock = cache.lock("moto")?;
    if is_ready() {
        return Ok(site);
    }
    progress::step("moto: installing the pinned version (about 30 MB)");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"])
            .arg("--target")
            .arg(&site)
            .arg("--requirement")
            .arg(&requirements),
    )
    .context("moto could not be installed; check that pip reaches a PyPI index (`pip config list`, PIP_INDEX_URL)")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    Ok(site)
}
