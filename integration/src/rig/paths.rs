//! Where the built parts and the outside programs are: environment first, then the places where
//! `cargo xtask` puts them. A part that is missing is an error that names the command which makes it; only
//! the example meshes may be absent.

use std::{env, path::PathBuf};

use anyhow::{bail, Error, Result};

use super::program;

/// The `ferromesh` binary: `FERROMESH_BIN`, else beside this test's own build.
pub fn ferromesh() -> Result<PathBuf> {
    let place = target().map(|target| target.join("ferromesh"));
    built("FERROMESH_BIN", "the ferromesh binary", place)
}

/// Stock Envoy: `FERROMESH_ENVOY`, else the cache.
pub fn envoy() -> Result<PathBuf> {
    program::find("FERROMESH_ENVOY", "envoy/1.40.0/envoy", None).map_err(Error::msg)
}

/// The `aws` command line: `FERROMESH_AWS`, else the cache's virtual environment, else `PATH`.
pub fn aws() -> Result<PathBuf> {
    program::find("FERROMESH_AWS", "venv/bin/aws", Some("aws")).map_err(Error::msg)
}

/// Python with boto3: `FERROMESH_PYTHON`, else the cache's virtual environment, else `PATH`.
pub fn python() -> Result<PathBuf> {
    program::find("FERROMESH_PYTHON", "venv/bin/python", Some("python3")).map_err(Error::msg)
}

/// A Python with schemathesis: `FERROMESH_SCHEMATHESIS`, else the cache.
pub fn schemathesis() -> Result<PathBuf> {
    program::find("FERROMESH_SCHEMATHESIS", "schemathesis/bin/python", None).map_err(Error::msg)
}

/// The rate limit service's store: `FERROMESH_REDIS`, else the cache, else `PATH`.
pub fn redis() -> Result<PathBuf> {
    program::find("FERROMESH_REDIS", "redis/redis-server", Some("redis-server")).map_err(Error::msg)
}

/// The store of several control planes: `FERROMESH_ETCD`, else the cache, else `PATH`.
pub fn etcd() -> Result<PathBuf> {
    program::find("FERROMESH_ETCD", "etcd/etcd", Some("etcd")).map_err(Error::msg)
}

/// Prometheus: `FERROMESH_PROMETHEUS`, else the cache, else `PATH`.
pub fn prometheus() -> Result<PathBuf> {
    program::find("FERROMESH_PROMETHEUS", "prometheus/bin/prometheus", Some("prometheus")).map_err(Error::msg)
}

/// The folder of built filter modules: `FERROMESH_MODULES`, else `modules` beside the build.
pub fn modules() -> Result<PathBuf> {
    let place = target().and_then(|target| Some(target.parent()?.join("modules")));
    built("FERROMESH_MODULES", "the filter modules", place)
}

/// One built filter module, such as `mesh`.
pub fn module(name: &str) -> Result<PathBuf> {
    let module = modules()?.join(format!("{name}.wasm"));
    if !module.is_file() {
        bail!("no {}: {MAKE}", module.display());
    }
    Ok(module)
}

/// Says that a test did not run, past the test harness, which keeps what passing tests print to itself.
pub fn say_skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// The example meshes: `FERROMESH_EXAMPLES`, `None` when not there.
pub fn examples() -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("FERROMESH_EXAMPLES")?);
    folder.is_dir().then_some(folder)
}

const MAKE: &str = "run `cargo xtask test`, which makes everything the tests need";

fn built(variable: &str, what: &str, place: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if path.exists() {
            return Ok(path);
        }
        bail!("{variable} names {}, which does not exist", path.display());
    }
    match place {
        Some(path) if path.exists() => Ok(path),
        place => bail!("no {what}: {variable} is not set and there is none at {place:?}; {MAKE}"),
    }
}

/// `target/debug`, seen from a test in `target/debug/deps` or a program in `target/debug`.
fn target() -> Option<PathBuf> {
    let mut folder = env::current_exe().ok()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    Some(folder)
}
