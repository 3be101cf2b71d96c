//! wasm-opt over finished modules: a fifth less to load and to compile, the same behaviour.
//!
//! It comes from npm's `binaryen`, whose hash `npm ci` checks, because a module's sha256 is what users pin: every
//! machine must make the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

const VERSION: &str = "132.0.0";

/// Only what Envoy's V8 and rustc's own output use: with all features on, V8 refuses the result. Functions with one caller
/// stay functions: V8 takes more for each byte of a large one, and this saves a tenth of a module's start for 600 bytes
/// (`cargo xtask wasm --report` shows both).
const OPTIONS: [&str; 7] = [
    "-Os",
    "--one-caller-inline-max-function-size=0",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
];

/// A wasm-opt that runs, and the folder of what it made before.
pub struct Optimiser {
    program: PathBuf,
    made: PathBuf,
}

impl Optimiser {
    /// Finds wasm-opt in the cache or fetches it.
    ///
    /// # Errors
    /// Without Node or npm, or when npm reaches no registry.
    pub fn prepare(workspace: &Workspace) -> Result<Self> {
        let cache = Cache::open()?;
        let folder = cache.path(&format!("binaryen/{VERSION}"));
        let program = folder.join("node_modules/binaryen/bin/wasm-opt");
        let works = || process::succeeds(Command::new("node").arg(&program).arg("--version"));
        if !works() {
            let _lock = cache.lock("binaryen")?;
            if !works() {
                fetch(workspace, &folder).context(
                    "wasm-opt could not be fetched: it needs node, and npm with a registry in reach (`npm ping`)",
                )?;
                ensure!(works(), "{} does not run under node", program.display());
            }
        }
        let made = workspace.wasm_target().join("optimised");
        fs::create_dir_all(&made).with_context(|| format!("cannot make {}", made.display()))?;
        Ok(Self { program, made })
    }

    /// The optimised module, without the names of its functions (an eighth of it), and these as lines
    /// `index:name`: Envoy's backtrace of a trap has the index.
    ///
    /// # Errors
    /// When wasm-opt fails.
    pub fn optimise(&self, module: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
        let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
        let key = sha256(&[VERSION.as_bytes(), OPTIONS.join(" ").as_bytes(), &bytes].concat());
        let path = self.made.join(format!("{key}.wasm"));
        let symbols = self.made.join(format!("{key}.symbols"));
        if !path.exists() {
            let temporary = self.made.join(format!("{key}.{}", std::process::id()));
            process::run(
                Command::new("node")
                    .arg(&self.program)
                    .arg(module)
                    .args(OPTIONS)
                    .arg(format!("--symbolmap={}", symbols.display()))
                    .arg("-o")
                    .arg(&temporary),
            )?;
            fs::rename(&temporary, &path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        Ok((read(&path)?, read(&symbols)?))
    }
}

fn fetch(workspace: &Workspace, folder: &Path) -> Result<()> {
    progress::step(format!("wasm-opt {VERSION}: fetching it from npm"));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        let from = workspace.path("wasm-target/toolchain/binaryen").join(file);
        fs::copy(&from, folder.join(file)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    process::run(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder),
    )
}
