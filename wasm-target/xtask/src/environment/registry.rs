//! An OCI registry, which the tests push modules to: Debian's `docker-registry`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::cache::Cache;
use crate::process;
use crate::progress;

const PACKAGE: &str = "docker-registry";

/// Gives the path of a registry that starts: `$FERROMESH_REGISTRY`, else one that is installed, else the one in the
/// cache, else fetched.
///
/// # Errors
/// There is none and none can be fetched: no apt, or the archive out of reach.
pub fn prepare() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROMESH_REGISTRY").filter(|path| !path.is_empty()) {
        let path = env::current_dir()?.join(path);
        starts(&path).context("FERROMESH_REGISTRY names no registry that starts")?;
        return Ok(path);
    }
    let installed = env::var_os("PATH").and_then(|folders| {
        env::split_paths(&folders)
            .map(|folder| folder.join(PACKAGE))
            .find(|path| path.is_file())
    });
    if let Some(path) = installed.filter(|path| starts(path).is_ok()) {
        return Ok(path);
    }
    let cache = Cache::open()?;
    let path = cache.path("registry/bin/docker-registry");
    let is_ready = || path.is_file() && starts(&path).is_ok();
    if is_ready() {
        return Ok(path);
    }
    let _lock = cache.lock("registry")?;
    if is_ready() {
        return Ok(path);
    }
    progress::step(format!("{PACKAGE}: fetching it from Debian (about 5 MB)"));
    let scratch = cache.path("registry/fetching");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    fetch(&scratch, &path).with_context(|| {
        format!(
            "{PACKAGE} could not be fetched; `apt-get install {PACKAGE}`, or set FERROMESH_REGISTRY to the path of a \
             registry (the program `registry` of the distribution project)"
        )
    })?;
    let _ = fs::remove_dir_all(&scratch);
    starts(&path)?;
    progress::step(format!("{PACKAGE}: {}", path.display()));
    Ok(path)
}

fn fetch(scratch: &Path, path: &Path) -> Result<()> {
    let unpacked = debian::unpack(PACKAGE, scratch)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::rename(unpacked.join("usr/bin").join(PACKAGE), path).with_context(|| format!("cannot write {}", path.display()))
}

fn starts(path: &Path) -> Result<()> {
    process::output(Command::new(path).arg("--version")).map(drop)
}
