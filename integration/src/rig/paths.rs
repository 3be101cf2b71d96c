//! Where the built parts and the outside programs are: environment first, then the places where
//! `cargo xtask` puts them. A part that is missing is an error that names the command which makes it; only
//! the example meshes may be absent.

use std::{env, path::PathBuf};

use anyhow::{bail, Result};

/// The `ferromesh` binary: `FERROMESH_BIN`, else beside this test's own build.
pub fn ferromesh() -> Result<PathBuf> {
    let built = target().map(|target| target.join("ferromesh"));
    find("FERROMESH_BIN", "the ferromesh binary", [built])
}

/// Stock Envoy: `FERROMESH_ENVOY`, else the cache.
pub fn envoy() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("envoy/1.40.0/envoy"));
    find("FERROMESH_ENVOY", "stock Envoy", [cached])
}

/// The `aws` command line: `FERROMESH_AWS`, else the cache's virtual environment, else `PATH`.
pub fn aws() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("venv/bin/aws"));
    find("FERROMESH_AWS", "the aws CLI", [cached, on_path("aws")])
}

/// Python with boto3: `FERROMESH_PYTHON`, else the cache's virtual environment, else `PATH`.
pub fn python() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("venv/bin/python"));
    let found = [cached, on_path("python3")];
    find("FERROMESH_PYTHON", "python with boto3", found)
}

/// A Python with schemathesis: `FERROMESH_SCHEMATHESIS`, else the cache.
pub fn schemathesis() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("schemathesis/bin/python"));
    find("FERROMESH_SCHEMATHESIS", "schemathesis", [cached])
}

/// The rate limit service's store: `FERROMESH_REDIS`, else the cache, else `PATH`.
pub fn redis() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("redis/redis-server"));
    find("FERROMESH_REDIS", "redis-server", [cached, on_path("redis-server")])
}

/// The store of several control planes: `FERROMESH_ETCD`, else the cache, else `PATH`.
pub fn etcd() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("etcd/etcd"));
    find("FERROMESH_ETCD", "etcd", [cached, on_path("etcd")])
}

/// Prometheus: `FERROMESH_PROMETHEUS`, else the cache, else `PATH`.
pub fn prometheus() -> Result<PathBuf> {
    let cached = cache().map(|cache| cache.join("prometheus/bin/prometheus"));
    find("FERROMESH_PROMETHEUS", "prometheus", [cached, on_path("prometheus")])
}

/// The folder of built filter modules: `FERROMESH_MODULES`, else `modules` beside the build.
pub fn modules() -> Result<PathBuf> {
    let built = target().and_then(|target| Some(target.parent()?.join("modules")));
    find("FERROMESH_MODULES", "the filter modules", [built])
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

fn find<const N: usize>(variable: &str, what: &str, places: [Option<PathBuf>; N]) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if path.exists() {
            return Ok(path);
        }
        bail!("{variable} names {}, which does not exist", path.display());
    }
    let tried: Vec<_> = places.into_iter().flatten().collect();
    if let Some(found) = tried.iter().find(|path| path.exists()) {
        return Ok(found.clone());
    }
    bail!("no {what}: {variable} is not set and none of {tried:?} exists; {MAKE}")
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

fn cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("FERROMESH_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("ferromesh")))
        .or_else(|| Some(set("HOME")?.join(".cache/ferromesh")))
}

/// A program on `PATH`.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
