//! `bench filters`: Envoy's CPU per request, as a ratio of the same work done natively.
//!
//! Absolute figures of two runs on a shared machine cannot be compared, so nothing is measured alone: in each
//! round a base Envoy (`native`) and a variant run at the same time, on the same core, each under its own load
//! of the same rate, and their CPU per request is divided. Rounds of all cases alternate, both Envoys of
//! a round are fresh (a process can be a few per cent slower than its twin for as long as it lives), and the
//! median of the rounds counts. The case `control` compares `native` with itself: what it is off from 1 is noise.

mod case;

use std::{path::PathBuf, time::Duration};

use anyhow::{ensure, Context, Result};
use ferromesh_integration::{load::Load, rig::Envoy, stats};
use serde::Serialize;

use crate::cpu;
use case::Case;

/// How often a round is tried on a machine that has other things to do.
const REPEATS: usize = 5;

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

/// One line of the JSON file.
#[derive(Serialize)]
struct Figure {
    case: &'static str,
    metric: &'static str,
    ratio: f64,
    min: f64,
    max: f64,
}

impl Figure {
    fn of(case: &'static str, mut ratios: Vec<f64>) -> Self {
        let median = stats::median(&mut ratios);
        Self {
            case,
            metric: "cpu_per_request",
            ratio: rounded(median),
            min: rounded(ratios.first().copied().unwrap_or_default()),
            max: rounded(ratios.last().copied().unwrap_or_default()),
        }
    }
}

fn rounded(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(options, cores))?;
    println!("\nEnvoy CPU per request, 1.00 = native (weighted clusters, retry policy, one header)");
    println!("{:<14} {:>6}   min–max", "case", "ratio");
    for figure in &figures {
        let Figure {
            case, ratio, min, max, ..
        } = figure;
        println!("{case:<14} {ratio:>6.2}   [{min:.2}–{max:.2}]");
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&figures)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

async fn measure(options: &Options, cores: Option<(usize, usize)>) -> Result<Vec<Figure>> {
    let cases = match options.cases.as_slice() {
        [] => Case::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let target = start(&case::target(), cores.map(|(_, driver)| driver)).await?;
    let address = target.admin().listener("target").await?;
    let bench = Bench {
        options,
        core: cores.map(|(measured, _)| measured),
        native: Case::Control.configuration(&address)?,
    };
    let mut ratios = vec![Vec::new(); cases.len()];
    let mut native = Vec::new();
    for round in 1..=options.rounds {
        for (case, ratios) in cases.iter().zip(&mut ratios) {
            let (base, variant) = bench
                .round(&case.configuration(&address)?)
                .await
                .with_context(|| format!("case {}", case.name()))?;
            native.push(base);
            ratios.push(variant / base);
            println!(
                "round {round} {:<14} {variant:>6.1} µs against {base:>6.1} µs: {:.3}",
                case.name(),
                variant / base
            );
        }
    }
    // How far the base's own figures lie apart: absolute, so wider than any ratio's spread.
    let middle = stats::median(&mut native);
    let mut figures = vec![Figure::of("native", native.iter().map(|base| base / middle).collect())];
    figures.extend(
        cases
            .iter()
            .zip(ratios)
            .map(|(case, ratios)| Figure::of(case.name(), ratios)),
    );
    Ok(figures)
}

struct Bench<'a> {
    options: &'a Options,
    core: Option<usize>,
    native: String,
}

impl Bench<'_> {
    /// One round: microseconds of CPU per request of the base and of the variant.
    async fn round(&self, variant: &str) -> Result<(f64, f64)> {
        for _ in 0..REPEATS {
            if let (Some(base), Some(variant)) = self.pair(variant).await? {
                return Ok((base, variant));
            }
            println!("the machine was too busy to send the load: the round is repeated");
        }
        anyhow::bail!(
            "{} requests per second to each of two Envoys could not be sent: lower --rate",
            self.options.rate
        )
    }

    async fn pair(&self, variant: &str) -> Result<(Option<f64>, Option<f64>)> {
        let base = start(&self.native, self.core).await?;
        let variant = start(variant, self.core).await?;
        // Connections, lazily made state and V8's compiler tiers settle before the clock starts.
        let warm_up = Duration::from_secs_f64(self.options.seconds.min(1.5));
        tokio::try_join!(self.load(&base, warm_up), self.load(&variant, warm_up))?;
        let length = Duration::from_secs_f64(self.options.seconds);
        tokio::try_join!(self.load(&base, length), self.load(&variant, length))
    }

    /// Microseconds of CPU per request under load; `None` when the load could not be sent as asked for.
    async fn load(&self, envoy: &Envoy, length: Duration) -> Result<Option<f64>> {
        let address = envoy.admin().listener("case").await?;
        let before = cpu::time(envoy.id())?;
        let load = Load::to(format!("http://{address}/"))
            .connections(16)
            .per_second(self.options.rate)
            .start()
            .await?;
        tokio::time::sleep(length).await;
        let report = load.stop().await;
        let spent = cpu::time(envoy.id())? - before;
        if let Some(failure) = report.failures().next() {
            anyhow::bail!(
                "{} of {} requests failed, so the figures say nothing; first: {:?}; Envoy: {}",
                report.failures().count(),
                report.len(),
                failure.outcome,
                envoy.log()
            );
        }
        let due = self.options.rate * length.as_secs_f64();
        let sent = report.len() as f64;
        Ok((sent >= 0.9 * due).then(|| spent.as_secs_f64() * 1e6 / sent))
    }
}

async fn start(configuration: &str, core: Option<usize>) -> Result<Envoy> {
    match core {
        Some(core) => Envoy::start_on_core(configuration, core).await,
        None => Envoy::start(configuration).await,
    }
}
