//! `cargo xtask bench xds`: servers one beside the other, the same work for each, in alternating rounds.
//!
//! Latencies are from the moment at which a change is asked for to the moment at which a simulated proxy has it; the proxies
//! run on the same cores as the server, so that only figures of one run compare. Nothing counts that was lost: each row
//! of latencies has one that says how many deliveries are missing.

pub mod figure;
pub mod process;
pub mod product;
mod round;

use std::path::PathBuf;

use anyhow::{Context, Result};

pub use process::Server;
pub use product::Product;

/// What is measured.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Rounds of everything; the median counts.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Numbers of proxies.
    #[arg(long, value_delimiter = ',', default_value = "200")]
    pub proxies: Vec<usize>,
    /// Numbers of clusters.
    #[arg(long, value_delimiter = ',', default_value = "100")]
    pub clusters: Vec<usize>,
    /// Changes of each kind in a round.
    #[arg(long, default_value_t = 20)]
    pub changes: usize,
    /// Pause after a change, in milliseconds.
    #[arg(long, default_value_t = 150)]
    pub pause: u64,
    /// Only cases whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Writes the rows to a file as well, as a JSON list.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Measures the servers, and the whole product where it is given; prints a table, and writes the file.
///
/// # Errors
/// A server or a proxy failed.
pub async fn run(options: &Options, servers: &[Server], product: Option<&Product>) -> Result<()> {
    let mut taken = Vec::new();
    for proxies in &options.proxies {
        for clusters in &options.clusters {
            for number in 0..options.rounds {
                for server in servers {
                    eprintln!(
                        "{proxies} proxies, {clusters} clusters, round {}: {}",
                        number + 1,
                        server.name
                    );
                    let round = round::Round {
                        options,
                        server,
                        proxies: *proxies,
                        clusters: *clusters,
                    };
                    taken.extend(round.run().await.with_context(|| server.name.clone())?);
                }
            }
        }
    }
    if let Some(product) = product {
        for number in 0..options.rounds {
            eprintln!(
                "{} proxies, {} services, round {}: ferromesh serve",
                product.proxies,
                product.services,
                number + 1
            );
            taken.extend(product.run(options).await.context("ferromesh serve")?);
        }
    }
    let rows = figure::rows(taken);
    println!(
        "\nmedian of {} rounds [min–max]; {} changes of each kind, one every {} ms; cpu in seconds, sizes as named",
        options.rounds, options.changes, options.pause
    );
    println!("{}", figure::table(&rows));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Of sorted values; 0 where there are none, which the row `lost` says.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}
