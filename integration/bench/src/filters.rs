//! `bench filters`: Envoy's CPU per request and its latency, as ratios of the same work done natively.
//!
//! Absolute figures of two runs on a shared machine cannot be compared, so nothing is measured alone: in each
//! round a base Envoy (`native`) and a variant run at the same time, on the same core, each under its own load
//! of the same rate, and what they took is divided. Rounds of all cases alternate, both Envoys of
//! a round are fresh (a process can be a few per cent slower than its twin for as long as it lives), and the
//! median of the rounds counts. The case `control` compares `native` with itself: what it is off from 1 is noise.
//!
//! `native` is weights, retries and a response header; `native-full` adds what else `core` does (budget, trace
//! context, metrics by target and status) and is interleaved with the others, so that each is divided by it as well.
//! `floor-empty` and `floor-calls` are what Envoy's Wasm host takes for itself, whatever the filter does.

mod case;
mod figure;
mod round;

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};

use crate::cpu;
use case::Case;
use figure::{Figure, Pairs};
use round::{start, Rounds};

#[derive(clap::Args)]
pub struct Options {
    /// Rounds of each case.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a round.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Requests per second to each of the two Envoys.
    #[arg(long, default_value_t = 1500.0)]
    rate: f64,
    /// Only these cases.
    #[arg(long, value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Writes the ratios to a file as well, as a JSON list.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<()> {
    ensure!(
        options.rounds > 0 && options.seconds > 0.0 && options.rate > 0.0,
        "--rounds, --seconds and --rate must be more than 0"
    );
    let cores = cpu::two_cores();
    match cores {
        // Before the runtime's threads exist, so that all of them stay there.
        Some((_, driver)) => cpu::stay_on(driver)?,
        None => println!("one core only: Envoys, load and target share it, expect noise"),
    }
    let floors = tempfile::Builder::new().prefix("ferromesh-bench-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(options, cores, floors.path()))?;
    println!(
        "\nmedian of {} rounds [min–max], 1 = native (weighted clusters, retry policy, one header), {} requests/s",
        options.rounds, options.rate
    );
    println!("{}", figure::table(&figures));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&figures)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

async fn measure(options: &Options, cores: Option<(usize, usize)>, floors: &Path) -> Result<Vec<Figure>> {
    let cases = match options.cases.as_slice() {
        [] => Case::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let target = start(&case::target(), cores.map(|(_, driver)| driver)).await?;
    let address = target.admin().listener("target").await?;
    let rounds = Rounds {
        options,
        core: cores.map(|(measured, _)| measured),
        native: Case::Control.configuration(&address, floors)?,
    };
    let mut measured: Vec<(Case, Pairs)> = cases.into_iter().map(|case| (case, Vec::new())).collect();
    for round in 1..=options.rounds {
        for (case, pairs) in &mut measured {
            let name = case.name();
            let configuration = case.configuration(&address, floors)?;
            let (base, variant) = rounds
                .run(&configuration)
                .await
                .with_context(|| format!("case {name}"))?;
            println!(
                "round {round} {name:<14} CPU {:>6.1} µs against {:>6.1} µs: {:.3}; p99 {:>5.0} µs against {:>5.0} µs",
                variant.cpu,
                base.cpu,
                variant.cpu / base.cpu,
                variant.p99,
                base.p99,
            );
            pairs.push((base, variant));
        }
    }
    Ok(figure::figures(&measured))
}
