//! `bench api`: what the API does in a second, and what many resources cost: pages, memory, disk, starting.
//!
//! The server is the optimised build, its store on disk with an fsync for each change, as by default. Processor time
//! stands beside every time that a clock told: on a busy machine it is the one to compare. The same script of calls runs
//! against `moto_server` in the same run, in turns, and against a second control plane, whose distance from the first is
//! noise.

mod crud;
mod load;
mod row;
mod server;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use ferromesh_integration::stats;
use serde_json::Value;

use load::{Load, MESH};
use row::Row;
use server::Server;

#[derive(clap::Args)]
pub struct Options {
    /// Resources of the mesh whose pages, memory and disk are measured, 1,000 at least.
    #[arg(long, default_value_t = 10_000)]
    resources: usize,
    /// Resources with which the start is measured.
    #[arg(long, default_value_t = 100_000)]
    start_with: usize,
    /// Starts, of which the median counts.
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Rounds of the script that both servers take; 0 leaves them out.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Writes the figures to a file as well, as a JSON list.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<()> {
    ensure!(
        options.resources >= 1000 && options.start_with >= options.resources && options.starts > 0,
        "--resources must be 1000 or more, --start-with not less than that, --starts more than 0"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = runtime.block_on(measure(options))?;
    if options.rounds > 0 {
        rows.extend(runtime.block_on(crud::measure(options.rounds))?);
    }
    println!("{}", row::table(&rows));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

async fn measure(options: &Options) -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("ferromesh-bench-").tempdir()?;
    let mut rows = Vec::new();
    let mut server = Server::ferromesh(folder.path()).await?;
    rows.push(Row::ferromesh("empty", "rss_mib", server.rss_mib()?));

    // A tenth through one connection, the rest through sixteen.
    let alone = options.resources / 10;
    server.put("meshes", &serde_json::json!({ "meshName": MESH })).await?;
    rows.extend(rates(&server, Load::create(0..alone).through(1)).await?);
    rows.extend(rates(&server, Load::create(alone..options.resources).through(16)).await?);
    rows.extend(rates(&server, Load::describe(0..alone).through(1)).await?);
    rows.extend(rates(&server, Load::describe(0..options.resources).through(16)).await?);

    let case = format!("{} resources", options.resources);
    rows.extend(pages(&server, options.resources, &case).await?);
    rows.push(Row::ferromesh(&case, "rss_mib", server.rss_mib()?));
    rows.push(Row::ferromesh(&case, "store_mib", server.store_mib()?));
    rows.extend(starts(&mut server, options.starts, &case).await?);

    if options.start_with > options.resources {
        let case = format!("{} resources", options.start_with);
        Load::create(options.resources..options.start_with)
            .through(16)
            .run(&server)
            .await?;
        rows.push(Row::ferromesh(&case, "rss_mib", server.rss_mib()?));
        rows.push(Row::ferromesh(&case, "store_mib", server.store_mib()?));
        rows.extend(starts(&mut server, options.starts, &case).await?);
    }
    Ok(rows)
}

/// Requests per second, and the server's processor time for each.
async fn rates(server: &Server, load: Load) -> Result<[Row; 2]> {
    let (before, began) = (server.cpu()?, Instant::now());
    let count = load.run(server).await? as f64;
    let (wall, cpu) = (began.elapsed(), server.cpu()?.saturating_sub(before));
    let case = load.case();
    Ok([
        Row::ferromesh(&case, "per_second", count / wall.as_secs_f64()),
        Row::ferromesh(&case, "cpu_micros_each", cpu.as_secs_f64() * 1e6 / count),
    ])
}

/// A whole list, page after page.
async fn pages(server: &Server, resources: usize, case: &str) -> Result<Vec<Row>> {
    let (before, began) = (server.cpu()?, Instant::now());
    let (mut times, mut found, mut token) = (Vec::new(), 0, String::new());
    loop {
        let began = Instant::now();
        let page = server.get(&format!("meshes/{MESH}/virtualNodes{token}")).await?;
        times.push(began.elapsed());
        found += page["virtualNodes"].as_array().map_or(0, Vec::len);
        match page["nextToken"].as_str() {
            Some(next) => token = format!("?nextToken={next}"),
            None => break,
        }
    }
    let (wall, cpu) = (began.elapsed(), server.cpu()?.saturating_sub(before));
    ensure!(found == resources, "the list has {found} of {resources}");
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(vec![
        Row::ferromesh(
            case,
            "list_page_p50_millis",
            millis(stats::percentile(&mut times, 50.0)),
        ),
        Row::ferromesh(
            case,
            "list_page_p99_millis",
            millis(stats::percentile(&mut times, 99.0)),
        ),
        Row::ferromesh(case, "list_millis", millis(wall)),
        Row::ferromesh(case, "list_cpu_millis", millis(cpu)),
    ])
}

/// kill -9 and a start, until `/readyz` says yes.
async fn starts(server: &mut Server, starts: usize, case: &str) -> Result<Vec<Row>> {
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        walls.push(server.restart().await?.as_secs_f64() * 1e3);
        cpus.push(server.cpu()?.as_secs_f64() * 1e3);
    }
    let mesh: Value = server.get(&format!("meshes/{MESH}")).await?;
    ensure!(mesh["meshName"] == MESH, "the mesh is gone: {mesh}");
    Ok(vec![
        Row::ferromesh(case, "start_millis", stats::median(&mut walls)),
        Row::ferromesh(case, "start_millis_max", walls.last().copied().unwrap_or_default()),
        Row::ferromesh(case, "start_cpu_millis", stats::median(&mut cpus)),
        Row::ferromesh(case, "rss_mib_after_start", server.rss_mib()?),
    ])
}
