//! `cargo xtask test`: makes everything, checks format and lints, runs every test, counts.

use std::io::{BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::browser;
use crate::environment::{network, Environment};
use crate::modules;
use crate::process;
use crate::progress::{self, Phases};
use crate::tally::Tally;
use crate::workspace::Workspace;

const COMPILE: &str = "compile";

/// Runs all phases, later ones too when format or lints fail: one run shows everything that is wrong.
/// The last line on stdout is the sum over all test binaries.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let mut phases = Phases::new();
    let environment = phases.run("environment", || {
        network::prepare()?;
        Environment::prepare(workspace)?
            .with_registry()?
            .with_sdks(workspace)?
            .with_schemathesis(workspace)
    })?;
    phases.run("filter modules", || modules::build(workspace))?;
    phases.run("policy for JavaScript", || browser::build(workspace))?;

    let mut failures: Vec<&'static str> = Vec::new();
    let mut check = |name: &'static str, phases: &mut Phases, command: &mut std::process::Command| {
        if let Err(error) = phases.run(name, || process::run(command)) {
            eprintln!("error: {error:#}");
            failures.push(name);
        }
    };
    check("format", &mut phases, workspace.cargo("fmt").args(["--all", "--check"]));
    check(
        "clippy",
        &mut phases,
        workspace
            .cargo("clippy")
            .args(["--workspace", "--all-targets", "--", "-D", "warnings"]),
    );
    // With the tests' own dependencies, so that the test run below compiles nothing a second time;
    // with the binaries, because tests start them.
    check(
        COMPILE,
        &mut phases,
        workspace.cargo("build").args(["--workspace", "--bins", "--tests"]),
    );
    // What does not compile cannot be tested, and cargo would only say so again.
    let mut tally = if failures.contains(&COMPILE) {
        Tally::default()
    } else {
        phases.run("tests", || run_tests(workspace, &environment, arguments))?
    };
    if !failures.is_empty() {
        tally.failed += failures.len() as u64;
        eprintln!("error: failed besides the tests: {}", failures.join(", "));
    }
    progress::step(phases.summary().trim_end());
    println!("{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs cargo test, passing its output on line by line while counting.
fn run_tests(workspace: &Workspace, environment: &Environment, arguments: &[String]) -> Result<Tally> {
    let mut command = workspace.cargo("test");
    command.args(["--workspace", "--no-fail-fast"]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    environment.apply(&mut command);
    command.env(browser::FOLDER, browser::folder(workspace));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", process::line(&command)))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut stdout = std::io::stdout().lock();
        // Split by bytes: a test may print what is no UTF-8.
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("cannot read what cargo test prints")?;
            tally.add_line(&String::from_utf8_lossy(&line));
            stdout.write_all(&line)?;
            stdout.write_all(b"\n")?;
            stdout.flush()?;
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() && tally.failed == 0 {
        eprintln!("error: cargo test ended with {status}: a test binary did not compile or died without a result");
        tally.failed = 1;
    }
    Ok(tally)
}
