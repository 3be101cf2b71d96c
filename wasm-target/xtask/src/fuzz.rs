//! `cargo xtask fuzz`: the fuzz targets one after the other, under libFuzzer or natively.
//!
//! libFuzzer finds new ways through the code and is slow; the native runner goes on from what it found with many times
//! as many inputs.
//!
//! libFuzzer with the stable compiler: coverage is a pass of LLVM and its settings, which need no unstable option. There are no
//! sanitizers (those would), and no unsafe code in what is fuzzed for them to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{bail, ensure, Context, Result};

use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// The targets, as the package `ferromesh-fuzz` names them.
const TARGETS: [&str; 10] = [
    "plugin",
    "route-policy",
    "canary",
    "retry",
    "observability",
    "rate-limit",
    "circuit-breaker",
    "fault",
    "headers",
    "mesh",
];
/// Bytes of an input, at most: as many choices as the longest case has.
const MAX_LENGTH: usize = 2_000;

/// What the compiler adds so that libFuzzer sees which way an input went.
const COVERAGE: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    // An overflow is a finding.
    "-Cdebug-assertions=on",
];

/// How inputs are run.
#[derive(Clone, Copy)]
pub enum How {
    /// Under libFuzzer, which sees the way that each takes.
    Guided,
    /// Natively, optimised and without instrumentation; the first input is drawn from this seed.
    Native(u64),
}

/// Builds and runs these targets, all when none is named, each for so many inputs. Inputs that went new ways stay in
/// `target/fuzz/corpus/<target>` and are where the next run begins; one that fails is written to `target/fuzz/failed`.
///
/// # Errors
/// When the targets do not compile, or there is none of a name.
pub fn run(workspace: &Workspace, how: How, runs: u64, targets: &[String]) -> Result<ExitCode> {
    let targets: Vec<&str> = match targets {
        [] => TARGETS.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    for target in &targets {
        ensure!(
            TARGETS.contains(target),
            "{target:?} is not one of {}",
            TARGETS.join(", ")
        );
    }
    let folder = workspace.target("fuzz");
    let binary = match how {
        How::Guided => build_guided(workspace, &folder)?,
        How::Native(_) => build_native(workspace, &folder)?,
    };
    let failed = folder.join("failed");
    fs::create_dir_all(&failed).with_context(|| format!("cannot make {}", failed.display()))?;
    let mut failures = Vec::new();
    for target in targets {
        progress::step(format!("{target}: {runs} inputs"));
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let mut command = match how {
            How::Guided => guided(&binary, target, runs, &corpus, &failed),
            How::Native(seed) => native(&binary, target, runs, seed, &corpus, &failed),
        };
        if let Err(error) = process::run(&mut command) {
            eprintln!("error: {error:#}");
            failures.push(target);
        }
    }
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "error: failed: {}; the inputs are in {}",
        failures.join(", "),
        failed.display()
    );
    Ok(ExitCode::FAILURE)
}

fn guided(binary: &Path, target: &str, runs: u64, corpus: &Path, failed: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env("FERROMESH_FUZZ", target)
        .arg(format!("-runs={runs}"))
        .arg(format!("-max_len={MAX_LENGTH}"))
        .arg(format!("-artifact_prefix={}/{target}-", failed.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(corpus);
    command
}

fn native(binary: &Path, target: &str, runs: u64, seed: u64, corpus: &Path, failed: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args([target, &runs.to_string(), &seed.to_string()]);
    command.args([corpus, failed]);
    command
}

fn build_native(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("native");
    let mut cargo = workspace.cargo("build");
    cargo
        .args(["--release", "--package", "ferromesh-fuzz", "--bin", "fuzz-native"])
        // A finding must not hide: overflows and debug assertions panic, and the place is known.
        .args(["--config", "profile.release.overflow-checks=true"])
        .args(["--config", "profile.release.debug-assertions=true"])
        .args(["--config", "profile.release.debug=\"line-tables-only\""])
        .args(["--config", "profile.release.codegen-units=1", "--target-dir"])
        .arg(&folder);
    process::run(&mut cargo)?;
    Ok(folder.join("release/fuzz-native"))
}

fn build_guided(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let host = process::output(Command::new("rustc").arg("-vV"))?;
    let Some(host) = host.lines().find_map(|line| line.strip_prefix("host: ")) else {
        bail!("rustc -vV does not say what it runs on");
    };
    let mut cargo = workspace.cargo("build");
    cargo
        // With a target named, build scripts and macros are compiled without coverage.
        .args([
            "--release",
            "--package",
            "ferromesh-fuzz",
            "--features",
            "libfuzzer",
            "--bin",
            "fuzz",
        ])
        .args(["--target", host, "--target-dir"])
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"))
        .env_remove("RUSTFLAGS");
    process::run(&mut cargo)?;
    Ok(folder.join(host).join("release/fuzz"))
}
