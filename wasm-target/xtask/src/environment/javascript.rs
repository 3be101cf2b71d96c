//! The JavaScript SDK that the tests' client uses: `npm ci` of the lock in the repository, in the cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{bail, Context, Result};

use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

const SOURCE: &str = "integration/tests/clients/javascript";
/// What the SDK needs at least.
const OLDEST: u32 = 20;

/// Gives the folder with `node_modules`, installing first if it is missing or another version is pinned by now.
///
/// # Errors
/// No Node, or no npm that reaches a registry.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let version = process::output(Command::new("node").arg("--version"))
        .with_context(|| format!("no node; install Node {OLDEST} or newer with npm"))?;
    let major = version.trim_start_matches('v').split('.').next();
    if major
        .and_then(|major| major.parse().ok())
        .is_none_or(|major: u32| major < OLDEST)
    {
        bail!("node is {version}, the SDK needs {OLDEST} or newer");
    }
    let files = ["package.json", "package-lock.json"];
    let mut pins = Vec::new();
    for file in files {
        let path = workspace.path(SOURCE).join(file);
        pins.push(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let stamp = sha256(&pins.concat());
    let cache = Cache::open()?;
    let folder = cache.path("javascript-sdk");
    let stamp_file = folder.join("ferromesh.stamp");
    let is_ready = || fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp);
    if is_ready() {
        return Ok(folder);
    }
    let _lock = cache.lock("javascript-sdk")?;
    if is_ready() {
        return Ok(folder);
    }
    progress::step("JavaScript SDK: installing the pinned version (about 20 MB)");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (file, bytes) in files.into_iter().zip(&pins) {
        let path = folder.join(file);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let install = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel",
        "error",
    ];
    process::run(Command::new("npm").args(install).current_dir(&folder))
        .context("the JavaScript SDK could not be installed; check that npm reaches a registry (`npm ping`)")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))?;
    Ok(folder)
}
