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

/// Unpacks packages of Debian's unstable release, whichever release this machine runs, and gives the folder that stands for
/// `/`. The machine's own lists and sources are not touched: apt gets a state of its own in the scratch folder.
///
/// # Errors
/// No apt, the archive out of reach, or a package that unstable does not have.
pub fn unpack_unstable(packages: &[&str], scratch: &Path) -> Result<PathBuf> {
    let configuration = private_apt(scratch)?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("APT_CONFIG", &configuration).current_dir(scratch).arg("-q");
        apt
    };
    process::run(apt().arg("update"))?;
    process::run(apt().arg("download").args(packages))?;
    let unpacked = scratch.join("unpacked");
    for package in packages {
        extract(&find(scratch, package)?, &unpacked)?;
    }
    Ok(unpacked)
}

/// The configuration of an apt whose only source is unstable, at the archive that this machine's apt uses.
fn private_apt(scratch: &Path) -> Result<PathBuf> {
    let known = process::output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))?;
    let archive = known.lines().find(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    let archive = archive.context("this machine's apt knows no archive of Debian")?;
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        let folder = scratch.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let write = |name: &str, text: String| {
        let path = scratch.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        anyhow::Ok(path)
    };
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    write("state/status", String::new())?;
    write("sources.list", format!("deb [signed-by={keys}] {archive} sid main\n"))?;
    let here = scratch.display();
    write(
        "apt.conf",
        format!(
            "Dir::State \"{here}/state\";\nDir::State::status \"{here}/state/status\";\nDir::Cache \"{here}/cache\";\n\
             Dir::Etc::SourceList \"{here}/sources.list\";\nDir::Etc::SourceParts \"-\";\nAcquire::Languages \"none\";\n\
             APT::Sandbox::User \"root\";\n"
        ),
    )
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
