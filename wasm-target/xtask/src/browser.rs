//! Builds the policy for JavaScript: `target/browser/nodejs` for tests, `target/browser/web` for consoles.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::modules;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// The environment variable that tells tests where the package is.
pub const FOLDER: &str = "FERROMESH_BROWSER";

const PACKAGE: &str = "ferromesh-policy-browser";
const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm";
/// The name of the package's files.
const NAME: &str = "ferromesh_policy";
/// The kinds of package, each in a folder of its name.
const KINDS: [&str; 2] = ["nodejs", "web"];

/// Builds all kinds.
///
/// # Errors
/// When the crate does not compile, or there is no glue for it.
pub fn build(workspace: &Workspace) -> Result<()> {
    let rustc = modules::rustc_for(workspace, &["wasm32-wasip1", TARGET])?;
    progress::step("building the policy for JavaScript");
    let target = workspace.wasm_target().join("browser");
    let mut cargo = workspace.cargo("build");
    cargo
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(&target)
        .args(["--package", PACKAGE])
        .env("RUSTC", rustc)
        // What is set for native code is not for this.
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .env_remove("RUSTFLAGS");
    process::run(&mut cargo)?;
    let module = target
        .join(TARGET)
        .join(PROFILE)
        .join(format!("{}.wasm", PACKAGE.replace('-', "_")));
    let folder = folder(workspace);
    glue(workspace, &module, &folder)?;
    for kind in KINDS {
        let size = |name: String| fs::metadata(folder.join(kind).join(name)).map(|file| file.len());
        let (wasm, script) = (size(format!("{NAME}_bg.wasm"))?, size(format!("{NAME}.js"))?);
        progress::step(format!("{kind}: {wasm} bytes of wasm, {script} of JavaScript"));
    }
    Ok(())
}

/// Where the packages are.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target("browser")
}

/// Makes the JavaScript around the module, unless that of just this module is there.
fn glue(workspace: &Workspace, module: &Path, folder: &Path) -> Result<()> {
    let source = fs::metadata(module).and_then(|file| file.modified());
    let source = source.with_context(|| format!("cannot read {}", module.display()))?;
    let is_new = |kind: &&str| -> bool {
        let made = fs::metadata(folder.join(kind).join(format!("{NAME}_bg.wasm")));
        made.and_then(|file| file.modified()).is_ok_and(|made| made >= source)
    };
    if KINDS.iter().all(is_new) {
        return Ok(());
    }
    let mut command = workspace.cargo("run");
    command
        .args([
            "--package",
            "xtask",
            "--features",
            "browser",
            "--bin",
            "browser-glue",
            "--",
        ])
        .arg(module)
        .arg(NAME)
        .arg(folder)
        .args(KINDS);
    process::run(&mut command)
}
