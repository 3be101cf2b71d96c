//! The store of the rate limit service's tests: Debian's `redis-server`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::debian;
use super::program::Program;

const NAME: &str = "redis-server";
/// The package that has the program; `redis-server` has a link to it, and the service.
const PACKAGE: &str = "redis-tools";
/// The program under the name that the package has it by. What it does depends on the name it is called by.
const IN_PACKAGE: &str = "usr/bin/redis-check-rdb";

const REDIS: Program = Program {
    name: NAME,
    kind: "redis-server or valkey-server",
    variable: "FERROMESH_REDIS",
    folder: "redis",
    path: NAME,
    megabytes: 5,
    otherwise: "`apt-get install redis-server`, or set FERROMESH_REDIS to the path of a redis-server or valkey-server",
    fetch,
};

/// Gives the path of a store that starts.
///
/// # Errors
/// There is none and none can be fetched.
pub fn prepare() -> Result<PathBuf> {
    REDIS.prepare()
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
         exec -a {NAME} \"$root/{IN_PACKAGE}\" \"$@\"\n"
    );
    fs::write(path, script).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", path.display()))
}
