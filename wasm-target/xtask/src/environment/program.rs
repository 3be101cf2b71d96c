//! A program that tests run beside the mesh: one that is named or installed, else the one of a Debian package, unpacked
//! into the cache and not installed. Installed, some packages would start a service.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::cache::Cache;
use crate::process;
use crate::progress;

/// Where a program comes from.
pub(super) struct Program {
    /// Its name, also in `PATH`. Called with `--version` it starts and ends.
    pub name: &'static str,
    /// What it is called where the one that was named does not start.
    pub kind: &'static str,
    /// The environment variable that names one.
    pub variable: &'static str,
    /// Its folder in the cache, and its path there.
    pub folder: &'static str,
    pub path: &'static str,
    /// How much is fetched, about.
    pub megabytes: u32,
    /// What to do when it cannot be fetched.
    pub otherwise: &'static str,
    /// Puts it at its path, with the help of an empty folder.
    pub fetch: fn(scratch: &Path, path: &Path) -> Result<()>,
}

impl Program {
    /// Gives the path of one that starts.
    ///
    /// # Errors
    /// There is none and none can be fetched: no apt, or the archive out of reach.
    pub(super) fn prepare(&self) -> Result<PathBuf> {
        let Self { name, variable, .. } = self;
        if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
            let path = env::current_dir()?.join(path);
            starts(&path).with_context(|| format!("{variable} names no {} that starts", self.kind))?;
            return Ok(path);
        }
        let installed = env::var_os("PATH").and_then(|folders| {
            env::split_paths(&folders)
                .map(|folder| folder.join(name))
                .find(|path| path.is_file())
        });
        if let Some(path) = installed.filter(|path| starts(path).is_ok()) {
            return Ok(path);
        }
        let cache = Cache::open()?;
        let folder = cache.path(self.folder);
        let path = folder.join(self.path);
        let is_ready = || path.is_file() && starts(&path).is_ok();
        if is_ready() {
            return Ok(path);
        }
        let _lock = cache.lock(self.folder)?;
        if is_ready() {
            return Ok(path);
        }
        progress::step(format!("{name}: fetching it from Debian (about {} MB)", self.megabytes));
        let scratch = folder.join("fetching");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        (self.fetch)(&scratch, &path).with_context(|| format!("{name} could not be fetched; {}", self.otherwise))?;
        let _ = fs::remove_dir_all(&scratch);
        starts(&path)?;
        progress::step(format!("{name}: {}", path.display()));
        Ok(path)
    }
}

/// Takes a program out of a package that needs nothing but the C library, as those written in Go do.
pub(super) fn alone(package: &str, in_package: &str, scratch: &Path, path: &Path) -> Result<()> {
    let unpacked = debian::unpack(package, scratch)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::rename(unpacked.join(in_package), path).with_context(|| format!("cannot write {}", path.display()))
}

fn starts(path: &Path) -> Result<()> {
    process::output(Command::new(path).arg("--version")).map(drop)
}
