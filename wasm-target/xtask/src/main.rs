//! `cargo xtask`: the commands that make, test, show and measure the whole project.
//!
//! Each command makes what it needs itself, so that a fresh clone needs one command and no preparation:
//! the wasm-capable compiler, stock Envoy and the AWS clients go into a cache folder outside of the
//! repository (see [`cache`]), everything else into cargo's target folder.

mod bench;
mod browser;
mod cache;
mod coverage;
mod demo;
mod environment;
mod fuzz;
mod modules;
mod process;
mod progress;
mod reference;
mod tally;
mod testing;
mod workspace;
mod xds_bench;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use environment::Environment;
use workspace::Workspace;

/// Builds, tests, shows and measures ferromesh.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch and make what the other commands need, into the cache folder.
    ///
    /// The folder is $FERROMESH_CACHE, else $XDG_CACHE_HOME/ferromesh, else ~/.cache/ferromesh.
    Env,
    /// Build the filter modules into target/modules and check them.
    Wasm(WasmArguments),
    /// Build the policy for JavaScript into target/browser: `nodejs` and `web`.
    Browser,
    /// Make everything that is needed to run: env, wasm, the ferromesh binary and the demo.
    Build,
    /// Format check, clippy and all tests; the last line is `N passed, N failed, N skipped`.
    Test(TestArguments),
    /// Look for inputs that break a filter, with libFuzzer or natively; `cargo xtask test` runs the same targets with
    /// drawn inputs.
    Fuzz(FuzzArguments),
    /// Write the reference of the filters into docs/filters, from the types of their configuration.
    Reference(ReferenceArguments),
    /// Print which golden case sets each field of App Mesh's specs and which traffic test shows it; fail if one is missing.
    Coverage,
    /// Show the main job: a mesh on stock Envoy, a canary moved under load, retries within budget.
    Demo(DemoArguments),
    /// Measure, with optimised builds.
    Bench(BenchArguments),
}

#[derive(Args)]
struct WasmArguments {
    /// Print a table of the modules: size, CPU that they cost stock Envoy's start, functions, imports, exports, memory,
    /// sha256.
    #[arg(long)]
    report: bool,
}

#[derive(Args)]
struct TestArguments {
    /// Passed on to the test binaries: a part of test names, or libtest's options.
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[derive(Args)]
struct FuzzArguments {
    /// Inputs for each target.
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
    /// Without libFuzzer, and so without coverage, but many times as fast: an optimised build with overflow checks and
    /// debug assertions, which changes inputs of the corpus and says how deep they went.
    #[arg(long)]
    native: bool,
    /// Where the draws of --native begin.
    #[arg(long, default_value_t = 1, requires = "native")]
    seed: u64,
    /// plugin, route-policy, canary, retry, observability, rate-limit, circuit-breaker, fault, headers, mesh; none: all
    /// of them.
    targets: Vec<String>,
}

#[derive(Args)]
struct ReferenceArguments {
    /// Compare with what is there, and write nothing: non-zero exit where a page differs.
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct DemoArguments {
    /// Assert instead of waiting for a person: a one-line JSON summary last, non-zero exit on a miss.
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct BenchArguments {
    /// What to measure, such as `filters` or `emit`.
    what: String,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Passed on to the benchmark.
    #[arg(last = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Env => {
            let environment = Environment::prepare(&workspace)?;
            modules::rustc(&workspace)?;
            environment.describe();
        }
        Command::Wasm(arguments) => {
            let built = modules::build(&workspace)?;
            if arguments.report {
                let environment = Environment::prepare(&workspace)?;
                print!("{}", modules::report(&workspace, environment.envoy(), &built)?);
            }
        }
        Command::Browser => browser::build(&workspace)?,
        Command::Build => {
            Environment::prepare(&workspace)?;
            modules::build(&workspace)?;
            demo::build_binaries(&workspace)?;
        }
        Command::Test(arguments) => return testing::run(&workspace, &arguments.arguments),
        Command::Fuzz(arguments) => {
            let how = if arguments.native {
                fuzz::How::Native(arguments.seed)
            } else {
                fuzz::How::Guided
            };
            return fuzz::run(&workspace, how, arguments.runs, &arguments.targets);
        }
        Command::Reference(arguments) => {
            let mode = if arguments.check {
                reference::Mode::Check
            } else {
                reference::Mode::Write
            };
            reference::run(&workspace, mode)?;
        }
        Command::Coverage => coverage::run(&workspace)?,
        Command::Demo(arguments) => {
            let mode = if arguments.check {
                demo::Mode::Check
            } else {
                demo::Mode::Show
            };
            return demo::run(&workspace, mode);
        }
        Command::Bench(arguments) if arguments.what == "xds" => {
            return xds_bench::run(&workspace, arguments.json.as_deref(), &arguments.arguments)
        }
        Command::Bench(arguments) => {
            return bench::run(
                &workspace,
                &arguments.what,
                arguments.json.as_deref(),
                &arguments.arguments,
            )
        }
    }
    Ok(ExitCode::SUCCESS)
}
