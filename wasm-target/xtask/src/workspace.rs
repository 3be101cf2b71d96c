//! Where things are: the repository, cargo's target folder, and what lies in them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The repository and its target folder, as absolute paths.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the repository from this crate's folder, whatever the working directory is.
    pub fn find() -> Result<Self> {
        // At run time cargo says where the crate is; the value from compile time would be wrong for a
        // target folder shared by two clones.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest)
            .ancestors()
            .nth(2)
            .context("the folder of xtask has no grandparent")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()
                .context("cannot read the working directory")?
                .join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A path inside the repository.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The target folder of wasm builds: another compiler's output must not meet the native one's.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// A path inside the target folder.
    pub fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// Where the finished modules are collected.
    pub fn modules(&self) -> PathBuf {
        self.target.join("modules")
    }

    /// A binary of the dev profile.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// The example meshes that some tests read: `$FERROMESH_EXAMPLES`, else beside the repository.
    pub fn examples(&self) -> PathBuf {
        match env::var_os("FERROMESH_EXAMPLES") {
            Some(folder) => folder.into(),
            None => self.root.join("../shared/examples/app-mesh"),
        }
    }

    /// `cargo SUBCOMMAND` on this workspace, in the caller's working directory.
    pub fn cargo(&self, subcommand: &str) -> Command {
        self.cargo_of("Cargo.toml", subcommand)
    }

    /// The same on the workspace of another manifest of the repository.
    pub fn cargo_of(&self, manifest: &str, subcommand: &str) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command
            .arg(subcommand)
            .arg("--manifest-path")
            .arg(self.root.join(manifest))
            .env("CARGO_TARGET_DIR", &self.target);
        // What `cargo run` told us about xtask itself is not for the programs that we start.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }
}
