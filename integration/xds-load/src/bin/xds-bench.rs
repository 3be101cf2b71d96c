//! Measures xDS servers beside each other: `cargo xtask bench xds`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use ferromesh_xds_load::{
    bench::{self, Options, Product, Propagation, Server, Subjects},
    mesh::Mesh,
};

/// xDS servers under simulated proxies
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// A peer, as NAME=PROGRAM; may be given several times.
    #[arg(long = "peer", value_name = "NAME=PROGRAM", value_parser = peer)]
    peers: Vec<Server>,
    /// The built `ferromesh`: the whole control plane is measured as well.
    #[arg(long, value_name = "PROGRAM")]
    product: Option<PathBuf>,
    /// Simulated proxies of the whole control plane.
    #[arg(long, default_value_t = 1000)]
    product_proxies: usize,
    /// Services that each of them calls.
    #[arg(long, default_value_t = 100)]
    product_services: usize,
    /// Changes of a route that one Envoy is watched for; 0: not measured.
    #[arg(long, default_value_t = 100)]
    propagation: usize,
    /// Measures only the whole control plane.
    #[arg(long)]
    only_product: bool,
}

fn peer(text: &str) -> Result<Server, String> {
    let (name, program) = text.split_once('=').ok_or("must be NAME=PROGRAM")?;
    Ok(Server {
        name: name.to_owned(),
        program: PathBuf::from(program),
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    let ours = Server {
        name: "ferromesh".to_owned(),
        program: here.with_file_name("xds-layer"),
    };
    let mut servers: Vec<Server> = std::iter::once(ours).chain(arguments.peers).collect();
    if arguments.only_product {
        servers.clear();
    }
    // Thousands of connections.
    ferromesh_integration::meter::allow_descriptors(4096)?;
    let product = arguments.product.map(|program| Product {
        program,
        mesh: Mesh {
            proxies: arguments.product_proxies,
            services: arguments.product_services,
        },
    });
    let subjects = Subjects {
        servers,
        propagation: product
            .as_ref()
            .filter(|_| arguments.propagation > 0)
            .map(|_| Propagation {
                changes: arguments.propagation,
            }),
        product,
    };
    bench::run(&arguments.options, &subjects).await
}
