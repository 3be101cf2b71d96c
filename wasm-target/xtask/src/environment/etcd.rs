//! The store of several control planes in the tests: Debian's `etcd-server`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::cache::Cache;
use crate::process;
use crate::progress;

const PROGRAM: &str = "etcd";
const PACKAGE: &str = "etcd-server";
const IN_PACKAGE: &str = "usr/bin/etcd";

/// Gives the path of an etcd that starts: `$FERROMESH_ETCD`, else one that is installed, else the one in the cache, else
/// fetched.
///
/// # Errors
/// There is none and none can be fetched: no apt, or the archive out of reach.
pub fn prepare() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROMESH_ETCD").filter(|path| !path.is_empty()) {
        let path = env::current_dir()?.join(path);
        starts(&path).context("FERROMESH_ETCD names no etcd that starts")?;
        return Ok(path);
    }
    let installed = env::var_os("PATH").and_then(|folders| {
        env::split_paths(&folders)
            .map(|folder| folder.join(PROGRAM))
            .find(|path| path.is_file())
    });
    if let Some(path) = installed.filter(|path| starts(path).is_ok()) {
        return Ok(path);
    }
    let cache = Cache::open()?;
    let path = cache.path("etcd").join(PROGRAM);
    let is_ready = || path.is_file() && starts(&path).is_ok();
    if is_ready() {
        return Ok(path);
    }
    let _lock = cache.lock("etcd")?;
    if is_ready() {
        return Ok(path);
    }
    progress::step(format!("{PROGRAM}: fetching it from Debian (about 8 MB)"));
    let scratch = cache.path("etcd/fetching");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    fetch(&scratch, &path).with_context(|| {
        format!(
            "{PROGRAM} could not be fetched; `apt-get install {PACKAGE}`, or set FERROMESH_ETCD to the path of an etcd \
             of version 3.4 or later"
        )
    })?;
    let _ = fs::remove_dir_all(&scratch);
    starts(&path)?;
    progress::step(format!("{PROGRAM}: {}", path.display()));
    Ok(path)
}

/// The program stands alone: Go links everything but the C library into it.
fn fetch(scratch: &Path, path: &Path) -> Result<()> {
    let unpacked = debian::unpack(PACKAGE, scratch)?;
    fs::rename(unpacked.join(IN_PACKAGE), path).with_context(|| format!("cannot write {}", path.display()))
}

fn starts(path: &Path) -> Result<()> {
    process::output(Command::new(path).arg("--version")).map(drop)
}
