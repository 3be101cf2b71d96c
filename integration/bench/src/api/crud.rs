//! The same script of boto3's calls against both servers.

use std::process::Command;

use anyhow::{ensure, Context, Result};
use ferromesh_integration::{rig::paths, stats};
use serde::Deserialize;

use super::row::Row;
use super::server::Server;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/crud.py");
const CASE: &str = "script of boto3's calls";

/// What the script took.
#[derive(Deserialize)]
struct Took {
    calls: f64,
    seconds: f64,
}

/// Rounds in turns: ferromesh, moto, a second ferromesh.
pub async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let servers = [
        ("ferromesh", Server::ferromesh(folders[0].path()).await?),
        ("moto", Server::moto(folders[1].path()).await?),
        ("ferromesh again", Server::ferromesh(folders[2].path()).await?),
    ];
    let mut walls: [Vec<f64>; 3] = Default::default();
    let mut cpus: [Vec<f64>; 3] = Default::default();
    // The first round is for caches, on disk and in the servers.
    for round in 0..=rounds {
        for (number, (name, server)) in servers.iter().enumerate() {
            let before = server.cpu()?;
            let took = script(server.endpoint(), round).with_context(|| (*name).to_owned())?;
            let cpu = server.cpu()?.saturating_sub(before);
            if round > 0 {
                walls[number].push(took.seconds * 1e6 / took.calls);
                cpus[number].push(cpu.as_secs_f64() * 1e6 / took.calls);
            }
        }
    }
    let mut rows = Vec::new();
    for (number, (name, _)) in servers.iter().enumerate() {
        rows.push(Row::of(
            name,
            CASE,
            "wall_micros_each",
            stats::median(&mut walls[number].clone()),
        ));
        rows.push(Row::of(
            name,
            CASE,
            "cpu_micros_each",
            stats::median(&mut cpus[number].clone()),
        ));
    }
    for (name, number) in [("moto / ferromesh", 1), ("control", 2)] {
        rows.push(Row::of(name, CASE, "wall_ratio", ratio(&walls[number], &walls[0])));
        rows.push(Row::of(name, CASE, "cpu_ratio", ratio(&cpus[number], &cpus[0])));
    }
    Ok(rows)
}

/// The median of the rounds' ratios.
fn ratio(figures: &[f64], base: &[f64]) -> f64 {
    let mut ratios: Vec<f64> = figures.iter().zip(base).map(|(figure, base)| figure / base).collect();
    stats::median(&mut ratios)
}

fn script(endpoint: &str, round: usize) -> Result<Took> {
    let output = Command::new(paths::python()?)
        .args([SCRIPT, endpoint, &format!("round-{round}")])
        .env("NO_PROXY", "127.0.0.1")
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{error}");
    Ok(serde_json::from_slice(&output.stdout)?)
}
