//! Benchmarks: what the filters cost stock Envoy, what a mesh's configuration costs the control plane, and what the API does.
//!
//! ```sh
//! cargo xtask bench filters --json filters.json
//! cargo xtask bench emit --json emit.json
//! cargo xtask bench api --json api.json
//! ```

mod allocations;
mod api;
mod cpu;
mod emit;
mod filters;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[derive(Parser)]
#[command(about = "Benchmarks of Ferromesh")]
struct Options {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Envoy's CPU per request with and without our filters, as ratios of the same work done natively.
    Filters(filters::Options),
    /// The control plane's CPU and allocations for the configuration of a large mesh, whole and after one change.
    Emit(emit::Options),
    /// The API's calls per second, and what many resources cost: pages, memory, disk, starting; the ratio to moto.
    Api(api::Options),
}

fn main() -> Result<()> {
    match Options::parse().benchmark {
        Benchmark::Filters(options) => filters::run(&options),
        Benchmark::Emit(options) => emit::run(&options),
        Benchmark::Api(options) => api::run(&options),
    }
}
