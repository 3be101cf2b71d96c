//! A storm of simulated proxies on a server that runs already, whichever it is: how long until all have everything.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use ferromesh_integration::meter;
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::Variant,
    way::Way,
};

/// Simulated proxies on a server that runs
#[derive(Parser)]
struct Arguments {
    /// The server: HOST:PORT, in the clear.
    server: String,
    /// Node ids, `{}` standing for a proxy's number.
    #[arg(long, default_value = "n{}")]
    nodes: String,
    /// How many proxies.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    #[arg(long, value_enum, default_value = "delta")]
    variant: Variant,
    /// Seconds until all must have everything.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Seconds to stay connected afterwards.
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    meter::allow_descriptors(arguments.count as u64 + 100)?;
    let way = Way::plain(arguments.server);
    let fleet = Fleet::launch(&Order::of(way, &arguments.nodes, arguments.count, arguments.variant));
    let took = fleet.complete(Duration::from_secs(arguments.patience)).await?;
    let traffic = fleet.tally.traffic();
    println!(
        "{} proxies complete after {:.3} s: {} responses, {} resources, {} bytes, {} reconnections",
        arguments.count,
        took.as_secs_f64(),
        traffic.responses,
        traffic.resources,
        traffic.bytes,
        fleet.tally.reconnect_count()
    );
    tokio::time::sleep(Duration::from_secs(arguments.stay)).await;
    Ok(())
}
