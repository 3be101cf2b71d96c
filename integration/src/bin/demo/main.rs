//! The main job, to be seen: `cargo xtask demo`.
//!
//! A virtual gateway in front of four colour services, made of the App Mesh resources in `integration/demo/`
//! by the unmodified `aws` CLI. Under steady load a canary goes 90/10 → 50/50 → 0/100, then its target becomes
//! flaky and at last fails altogether. With `--check` it judges what it saw, prints a one-line JSON summary last
//! and leaves nothing running; without, it stays up until Ctrl-C for you to try things.

mod mesh;
mod story;
mod summary;
mod table;

use anyhow::{Context, Result};
use clap::Parser;
use mesh::{DemoMesh, Ports};
use story::Story;

/// An App Mesh mesh on stock Envoy, with a canary under load.
#[derive(Parser)]
struct Options {
    /// Judge, print a one-line JSON summary last, exit non-zero on any miss, leave nothing running.
    #[arg(long)]
    check: bool,
    /// Requests per second to the canary.
    #[arg(long, default_value_t = 500.0, value_parser = rate)]
    rate: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (50.0..=5000.0).contains(&rate) => Ok(rate),
        Ok(rate) => Err(format!("{rate} is not between 50 and 5000")),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let told = tokio::select! {
        told = tell(&options) => told?,
        // Everything that was started ends with the story, which is dropped here.
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            println!("\ninterrupted");
            std::process::exit(130);
        }
    };
    if options.check {
        println!("{}", serde_json::to_string(&told)?);
        if !told.ok {
            std::process::exit(1);
        }
    }
    Ok(())
}

async fn tell(options: &Options) -> Result<summary::Summary> {
    // A check must not fail because somebody uses a port of the demo.
    let ports = if options.check {
        Ports::free()?
    } else {
        Ports::of_the_files_or_free()?
    };
    println!("starting control plane, Envoy and four colour services, creating 15 resources with the aws CLI");
    let mesh = DemoMesh::start(ports).await?;
    mesh.introduce();
    let mut story = Story::begin(mesh, options.rate).await?;
    let mut told = story.tell().await?;
    if !options.check {
        story.stay_up().await?;
    }
    if let Err(error) = story.end().context("ending the demo") {
        told.miss(format!("{error:#}"));
    }
    for miss in &told.misses {
        println!("MISS: {miss}");
    }
    Ok(told)
}
