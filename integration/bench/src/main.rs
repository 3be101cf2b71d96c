//! Benchmarks with stock Envoy. One so far: what the filters cost.
//!
//! ```sh
//! cargo xtask bench filters --json filters.json
//! ```

mod cpu;
mod filters;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Benchmarks of Ferromesh with stock Envoy")]
struct Options {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Envoy's CPU per request with and without our filters, as ratios of the same work done natively.
    Filters(filters::Options),
}

fn main() -> Result<()> {
    match Options::parse().benchmark {
        Benchmark::Filters(options) => filters::run(&options),
    }
}
