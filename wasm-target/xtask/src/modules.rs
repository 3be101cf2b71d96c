//! Builds the filter modules, checks what Envoy would stumble over, and collects them in one folder.

mod optimise;
mod start;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};
use ferromesh_wasm_inspection::{surface, Inspection, Rules};

use crate::cache::{sha256, Cache};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;
use optimise::Optimiser;

/// The packages and the names under which their modules are distributed.
const FILTERS: [(&str, &str); 9] = [
    ("ferromesh-filter-canary", "canary"),
    ("ferromesh-filter-retry", "retry"),
    ("ferromesh-filter-observability", "observability"),
    ("ferromesh-filter-rate-limit", "rate-limit"),
    ("ferromesh-filter-circuit-breaker", "circuit-breaker"),
    ("ferromesh-filter-fault", "fault"),
    ("ferromesh-filter-headers", "headers"),
    ("ferromesh-filter-mesh", "mesh"),
    ("ferromesh-filter-mesh-lean", "mesh-lean"),
];

/// The fused filter on the public SDK: not distributed, but what benchmarks and vectors compare `mesh` with.
const ON_SDK: (&str, &str) = ("ferromesh-filter-mesh", "mesh-sdk");

const TARGET: &str = "wasm32-wasip1";
const PROFILE: &str = "wasm";

/// The most that one VM of a filter may take, in bytes: without a declared maximum only V8's limit of
/// 1 GiB per VM and worker holds, and Envoy's overload manager does not see wasm memory.
const MAX_MEMORY: u64 = 16 << 20;

/// The biggest module that is accepted, in bytes. Envoy compiles it on its main thread at start, at
/// about 1.3 ms for each KiB.
const MAX_SIZE: usize = 300 << 10;

/// A finished module.
pub struct Built {
    name: &'static str,
    size: usize,
    sha256: String,
    inspection: Inspection,
}

/// Builds all modules, checks them and copies them to the modules folder.
///
/// # Errors
/// When one does not compile, or any of them breaks a rule; all broken rules are named at once.
pub fn build(workspace: &Workspace) -> Result<Vec<Built>> {
    let rustc = rustc(workspace)?;
    progress::step("building the filter modules");
    let modules = workspace.modules();
    fs::create_dir_all(&modules).with_context(|| format!("cannot make {}", modules.display()))?;
    let optimiser = Optimiser::prepare(workspace)?;
    let mut built = Vec::new();
    let mut broken = Vec::new();
    let mut collect = |target: &Path, (package, name): (&str, &'static str), max_size| -> Result<()> {
        let file = compiled(target, package);
        let (bytes, symbols) = optimiser.optimise(&file)?;
        let inspection = Inspection::of(&bytes).with_context(|| file.display().to_string())?;
        let violations = inspection.violations(bytes.len(), &rules(max_size));
        if violations.is_empty() {
            place(&bytes, &modules.join(format!("{name}.wasm")))?;
            place(&symbols, &modules.join(format!("{name}.symbols")))?;
        }
        broken.extend(violations.into_iter().map(|text| format!("{name}.wasm: {text}")));
        built.push(Built {
            name,
            size: bytes.len(),
            sha256: sha256(&bytes),
            inspection,
        });
        Ok(())
    };
    let target = workspace.wasm_target();
    compile(workspace, &rustc, &target, &FILTERS, &[])?;
    for filter in FILTERS {
        collect(&target, filter, MAX_SIZE)?;
    }
    // In a folder of its own: the output has the same name as the package's own, and cargo would build both
    // anew every time.
    let target = target.join("sdk");
    compile(workspace, &rustc, &target, &[ON_SDK], &["--features", "sdk"])?;
    collect(&target, ON_SDK, usize::MAX)?;
    if !broken.is_empty() {
        bail!("modules that Envoy must not get:\n  {}", broken.join("\n  "));
    }
    Ok(built)
}

fn compile(
    workspace: &Workspace,
    rustc: &Path,
    target: &Path,
    filters: &[(&str, &str)],
    options: &[&str],
) -> Result<()> {
    let mut cargo = workspace.cargo("build");
    cargo
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(target)
        .args(options)
        .env("RUSTC", rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(workspace).join("\x1f"))
        .env_remove("RUSTFLAGS");
    for (package, _) in filters {
        cargo.args(["--package", package]);
    }
    process::run(&mut cargo)
}

/// Where cargo leaves a package's module.
fn compiled(target: &Path, package: &str) -> PathBuf {
    let file = format!("{}.wasm", package.replace('-', "_"));
    target.join(TARGET).join(PROFILE).join(file)
}

/// A rustc that compiles for wasm, found or made.
pub fn rustc(workspace: &Workspace) -> Result<PathBuf> {
    rustc_for(workspace, &[TARGET])
}

/// A rustc that compiles for all of these targets, found or made.
pub fn rustc_for(workspace: &Workspace, targets: &[&str]) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let script = workspace.path("wasm-target/toolchain/wasm-rustc.sh");
    let path = process::output(
        Command::new("bash")
            .arg(&script)
            .arg(cache.path("wasm-rust"))
            .env("TARGETS", targets.join(" ")),
    )
    .with_context(|| {
        format!(
            "no rustc that compiles for wasm: the lines above say what was tried; \
             with rustup's server in reach `rustup target add {}` is enough",
            targets.join(" ")
        )
    })?;
    Ok(PathBuf::from(path))
}

fn rustflags(workspace: &Workspace) -> Vec<String> {
    let mut flags = vec![
        // Envoy's V8 has both. Rust 1.85 has neither on by default; about 10 % on parsing JSON.
        "-Ctarget-feature=+bulk-memory,+nontrapping-fptoint".to_owned(),
        format!("-Clink-arg=--max-memory={MAX_MEMORY}"),
    ];
    // Paths reach the module in panic messages. The same sources shall give the same bytes in every
    // folder, because modules are known by their sha256.
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let root = workspace.path("");
    for (from, to) in [(cargo_home.as_deref(), "/cargo"), (Some(root.as_path()), "/ferromesh")] {
        if let Some(from) = from.and_then(Path::to_str) {
            flags.push(format!("--remap-path-prefix={}={to}", from.trim_end_matches('/')));
        }
    }
    flags
}

/// What one of our modules keeps to.
fn rules(max_size: usize) -> Rules {
    Rules {
        size: max_size,
        memory: MAX_MEMORY,
        exports: &surface::REQUIRED_EXPORTS,
    }
}

/// Writes a module in one step, and not at all if it is there already: its time of change tells others
/// whether it is new.
fn place(bytes: &[u8], path: &Path) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A table of the modules with what each costs the start of this Envoy, and below it their largest functions and what they
/// import and export.
///
/// # Errors
/// When Envoy does not start with a module.
pub fn report(workspace: &Workspace, envoy: &Path, built: &[Built]) -> Result<String> {
    let mut text = format!(
        "{:<16} {:>8} {:>8} {:>9} {:>8} {:>8} {:>12} {:>12}  {}\n",
        "module", "bytes", "start ms", "functions", "imports", "exports", "memory KiB", "maximum KiB", "sha256"
    );
    let folder = workspace.modules();
    for module in built {
        let inspection = &module.inspection;
        let file = folder.join(format!("{}.wasm", module.name));
        text.push_str(&format!(
            "{:<16} {:>8} {:>8} {:>9} {:>8} {:>8} {:>12} {:>12}  {}\n",
            module.name,
            module.size,
            start::millis(envoy, &file, &folder).with_context(|| file.display().to_string())?,
            inspection.functions.len(),
            inspection.imports.len(),
            inspection.exports.len(),
            inspection.memory_initial >> 10,
            inspection
                .memory_maximum
                .map_or("none".to_owned(), |bytes| (bytes >> 10).to_string()),
            module.sha256,
        ));
    }
    for module in built {
        let imports: Vec<String> = module
            .inspection
            .imports
            .iter()
            .map(|import| format!("{}.{}", import.module, import.name))
            .collect();
        let mut functions = module.inspection.functions.clone();
        functions.sort_unstable_by(|one, other| other.cmp(one));
        let code: usize = functions.iter().sum();
        let largest: Vec<String> = functions.iter().take(8).map(ToString::to_string).collect();
        text.push_str(&format!(
            "\n{}\n  code: {code} bytes, largest functions {}\n  imports: {}\n  exports: {}\n",
            module.name,
            largest.join(" "),
            imports.join(" "),
            module.inspection.exports.join(" ")
        ));
    }
    Ok(text)
}
