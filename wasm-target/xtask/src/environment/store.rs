//! The store of the rate limit service's tests: Debian's `redis-server`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::cache::Cache;
use crate::process;
use crate::progress;

const PROGRAM: &str = "redis-server";
/// The package that has the program; `redis-server` has a link to it, and the service.
const PACKAGE: &str = "redis-tools";
/// The program under the name that the package has it by. What it does depends on the name it is called by.
const IN_PACKAGE: &str = "usr/bin/redis-check-rdb";

/// Gives the path of a store that starts: `$FERROMESH_REDIS`, else one that is installed, else the one in the cache, else
/// fetched.
///
/// # Errors
/// There is none and none can be fetched: no apt, or the archive out of reach.
pub fn prepare() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROMESH_REDIS").filter(|path| !path.is_empty()) {
        let path = env::current_dir()?.join(path);
        starts(&path).context("FERROMESH_REDIS names no redis-server or valkey-server that starts")?;
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
    let path = cache.path("redis").join(PROGRAM);
    let is_ready = || path.is_file() && starts(&path).is_ok();
    if is_ready() {
        return Ok(path);
    }
    let _lock = cache.lock("redis")?;
    if is_ready() {
        return Ok(path);
    }
    progress::step(format!("{PROGRAM}: fetching it from Debian (about 5 MB)"));
    let scratch = cache.path("redis/fetching");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    fetch(&scratch, &path).with_context(|| {
        format!(
            "{PROGRAM} could not be fetched; `apt-get install {PROGRAM}`, or set FERROMESH_REDIS to the path of a \
             redis-server or valkey-server"
        )
    })?;
    let _ = fs::remove_dir_all(&scratch);
    starts(&path)?;
    progress::step(format!("{PROGRAM}: {}", path.display()));
    Ok(path)
}

fn fetch(scratch: &Path, path: &Path) -> Result<()> {
    let unpacked = debian::unpack_with_libraries(PACKAGE, scratch)?;
    let folder = path.parent().context("a folder")?;
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    fs::rename(&unpacked, &root).with_context(|| format!("cannot write {}", root.display()))?;
    // Called by this name it is the server. `exec`, so that who starts it has the server's own process.
    let script = format!(
        "#!/bin/bash\nroot=$(dirname \"$(readlink -f \"$0\")\")/root\n\
         export LD_LIBRARY_PATH=$(echo \"$root\"/usr/lib/*-linux-gnu* \"$root\"/lib/*-linux-gnu* | tr ' ' ':')\n\
         exec -a {PROGRAM} \"$root/{IN_PACKAGE}\" \"$@\"\n"
    );
    fs::write(path, script).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", path.display()))
}

fn starts(path: &Path) -> Result<()> {
    process::output(Command::new(path).arg("--version")).map(drop)
}
