//! The peer of `cargo xtask bench xds`: a server over go-control-plane, built from Debian's packages of it.
//!
//! Only Debian's unstable release has a Go that is new enough, so the packages come through an apt of its own: its lists,
//! its cache and its sources are in the cache folder, and nothing is installed. Unstable moves; whoever measures without
//! the peer is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::cache::Cache;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// The compiler, go-control-plane, and what it is built from.
const PACKAGES: &[&str] = &[
    "golang-1.26-go",
    "golang-1.26-src",
    "golang-cel-expr-dev",
    "golang-github-cncf-xds-dev",
    "golang-github-envoyproxy-go-control-plane-dev",
    "golang-github-envoyproxy-protoc-gen-validate-dev",
    "golang-github-google-go-cmp-dev",
    "golang-github-stretchr-testify-dev",
    "golang-google-genproto-dev",
    "golang-google-grpc-dev",
    "golang-google-protobuf-dev",
    "golang-gopkg-yaml.v2-dev",
    "golang-gopkg-yaml.v3-dev",
    "golang-opentelemetry-proto-dev",
    "golang-github-prometheus-client-model-dev",
    "golang-uber-goleak-dev",
    "golang-golang-x-net-dev",
    "golang-golang-x-sys-dev",
    "golang-golang-x-text-dev",
    "golang-github-davecgh-go-spew-dev",
    "golang-github-pmezard-go-difflib-dev",
    "golang-github-golang-protobuf-1-5-dev",
    "golang-github-planetscale-vtprotobuf-dev",
];

const GO: &str = "usr/lib/go-1.26";
const SOURCES: &str = "usr/share/gocode";

/// Gives the path of the built server; builds it where it is not in the cache, or its source has changed.
///
/// # Errors
/// No apt, the archive out of reach, a package that unstable has no more, or a source that does not build.
pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let source = workspace.path("integration/xds-load/peers/go-control-plane/main.go");
    let text = fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let cache = Cache::open()?;
    let folder = cache.path("go-control-plane");
    let (program, built_from) = (folder.join("server"), folder.join("main.go"));
    let is_ready = || program.is_file() && fs::read(&built_from).is_ok_and(|known| known == text);
    if is_ready() {
        return Ok(program);
    }
    let _lock = cache.lock("go-control-plane")?;
    if is_ready() {
        return Ok(program);
    }
    let root = folder.join("root");
    if !root.join(GO).join("bin/go").is_file() || !root.join(SOURCES).is_dir() {
        let scratch = folder.join("fetching");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        progress::step("go-control-plane: fetching it and Go from Debian unstable (about 75 MB)");
        let unpacked = debian::unpack_unstable(PACKAGES, &scratch)?;
        let _ = fs::remove_dir_all(&root);
        fs::rename(&unpacked, &root).with_context(|| format!("cannot write {}", root.display()))?;
        let _ = fs::remove_dir_all(&scratch);
    }
    progress::step("go-control-plane: building the server (some minutes the first time)");
    build(&root, &folder, &source, &program)?;
    fs::write(&built_from, text).with_context(|| format!("cannot write {}", built_from.display()))?;
    Ok(program)
}

/// With no network and no modules: only what the packages have.
fn build(root: &Path, folder: &Path, source: &Path, program: &Path) -> Result<()> {
    process::run(
        Command::new(root.join(GO).join("bin/go"))
            .args(["build", "-o"])
            .arg(program)
            .arg(source)
            .env("GOROOT", root.join(GO))
            .env("GOPATH", root.join(SOURCES))
            .env("GOCACHE", folder.join("build"))
            .env("GO111MODULE", "off")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "")
            .env("CGO_ENABLED", "0"),
    )
}
