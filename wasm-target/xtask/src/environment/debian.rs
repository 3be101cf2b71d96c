//! Programs from Debian's packages, unpacked into the cache and not installed: installed, a server would start as a service
//! and listen on a port of the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Unpacks a package of the release that this machine runs, and gives the folder that stands for `/`.
///
/// # Errors
/// No apt, the archive out of reach, or no such package.
pub fn unpack(package: &str, scratch: &Path) -> Result<PathBuf> {
    let unpacked = scratch.join("unpacked");
    extract(&download(package, scratch)?, &unpacked)?;
    Ok(unpacked)
}

/// As [`unpack`], with the libraries that the package itself depends on, except the C library: a machine that has not the
/// package may not have these either.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_with_libraries(package: &str, scratch: &Path) -> Result<PathBuf> {
    let unpacked = unpack(package, scratch)?;
    let deb = find(scratch, package)?;
    let depends = process::output(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Depends"))?;
    for library in libraries(&depends) {
        extract(&download(library, scratch)?, &unpacked)?;
    }
    Ok(unpacked)
}

/// The libraries among a package's dependencies, the first of alternatives.
fn libraries(depends: &str) -> impl Iterator<Item = &str> {
    depends
        .split(',')
        .filter_map(|one| one.split(['|', '(']).next())
        .map(|name| name.trim().split(':').next().unwrap_or_default())
        .filter(|name| name.starts_with("lib") && *name != "libc6")
}

fn download(package: &str, scratch: &Path) -> Result<PathBuf> {
    let download = || {
        process::run(
            Command::new("apt-get")
                .args(["-q", "download", package])
                .current_dir(scratch),
        )
    };
    if download().is_err() {
        // The lists may be absent (containers) or too old to name a version that still exists.
        process::run(Command::new("apt-get").args(["-q", "update"]))?;
        download()?;
    }
    find(scratch, package)
}

fn find(scratch: &Path, package: &str) -> Result<PathBuf> {
    let named = format!("{package}_");
    fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&named) && name.ends_with(".deb")
        })
        .with_context(|| format!("apt-get left no package {package} in {}", scratch.display()))
}

fn extract(package: &Path, folder: &Path) -> Result<()> {
    process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_among_dependencies() {
        let depends =
            "adduser, libatomic1 (>= 4.8), libc6 (>= 2.34), libssl3 (>= 3.0.0), libsystemd0 | libelogind0, lsb-base";
        let found: Vec<&str> = libraries(depends).collect();
        assert_eq!(found, ["libatomic1", "libssl3", "libsystemd0"]);
    }
}
