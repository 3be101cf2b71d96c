//! `cargo xtask bench xds`: servers one beside the other, the same work for each, in alternating rounds.
//!
//! Latencies are from the moment at which a change is asked for to the moment at which a simulated proxy has it; the proxies
//! run on the same cores as the server, so that only figures of one run compare. Nothing counts that was lost: each row
//! of latencies has one that says how many deliveries are missing.

pub mod figure;
pub mod plan;
pub mod process;
pub mod product;
pub mod propagation;
mod round;

use anyhow::{Context, Result};

use figure::Taken;
pub use plan::{Options, Plan};
pub use process::Server;
pub use product::Product;
pub use propagation::Propagation;

/// What is measured.
#[derive(Debug, Default)]
pub struct Subjects {
    /// xDS servers with resources made up.
    pub servers: Vec<Server>,
    /// The whole control plane under simulated proxies.
    pub product: Option<Product>,
    /// The whole product with one Envoy.
    pub propagation: Option<Propagation>,
}

/// Measures, prints a table, and writes the file.
///
/// # Errors
/// A server or a proxy failed.
pub async fn run(options: &Options, subjects: &Subjects) -> Result<()> {
    let plan = Plan::of(options);
    let mut taken = Vec::new();
    for (proxies, clusters) in plan.sizes() {
        for number in 1..=plan.rounds {
            for server in &subjects.servers {
                eprintln!(
                    "{proxies} proxies, {clusters} clusters, round {number}: {}",
                    server.name
                );
                let plan = &plan.at(clusters);
                let round = round::Round {
                    plan,
                    server,
                    proxies,
                    clusters,
                };
                taken.extend(round.run().await.with_context(|| server.name.clone())?);
            }
        }
    }
    for number in 1..=plan.rounds {
        if let Some(product) = subjects.product.as_ref().filter(|_| plan.wants("product")) {
            eprintln!(
                "{} proxies, {} services, round {number}: ferromesh serve",
                product.mesh.proxies, product.mesh.services,
            );
            taken.extend(product.run(&plan).await.context("ferromesh serve")?);
        }
        if let Some(propagation) = subjects.propagation.as_ref().filter(|_| plan.wants("propagation")) {
            eprintln!("one Envoy, round {number}: from the API to the first request answered the new way");
            taken.extend(propagation.run().await.context("propagation")?);
        }
    }
    let growth = growth(&taken);
    taken.extend(growth);
    let rows = figure::rows(taken);
    println!(
        "\nmedian of {} rounds [min–max]; {} changes of each kind, one every {} ms at the most; cpu in seconds, sizes as named",
        plan.rounds,
        plan.changes,
        plan.pause.as_millis()
    );
    println!("{}", figure::table(&rows));
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)? + "\n")
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// What a change costs among many clusters, as a multiple of what it costs among few: 1 where it does not depend on those that it
/// does not concern.
fn growth(taken: &[Taken]) -> Vec<Taken> {
    let is_cost = |one: &&Taken| one.metric == "cpu_s_per_change";
    let small = taken.iter().map(|one| one.clusters).min().unwrap_or_default();
    let of_small = |large: &Taken| {
        let mut costs: Vec<f64> = taken
            .iter()
            .filter(is_cost)
            .filter(|one| one.clusters == small)
            .filter(|one| (&one.server, one.proxies, &one.case) == (&large.server, large.proxies, &large.case))
            .map(|one| one.value)
            .collect();
        costs.sort_by(f64::total_cmp);
        costs.get(costs.len() / 2).copied().filter(|cost| *cost > 0.0)
    };
    let large = taken.iter().filter(is_cost).filter(|one| one.clusters > small);
    let ratio = |one: &Taken| {
        Some(Taken {
            metric: "cpu_ratio_to_few_clusters",
            value: one.value / of_small(one)?,
            ..one.clone()
        })
    };
    large.filter_map(ratio).collect()
}

/// Of sorted values; 0 where there are none, which the row `lost` says.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_among_many_clusters_is_held_against_that_among_few_of_the_same_case() {
        let one = |server: &str, clusters, case: &str, value| Taken {
            server: server.to_owned(),
            proxies: 2,
            clusters,
            case: case.to_owned(),
            metric: "cpu_s_per_change",
            value,
        };
        let grown = growth(&[
            one("a", 100, "route-delta", 2.0),
            one("b", 100, "route-delta", 9.0),
            one("a", 1000, "route-delta", 3.0),
            one("a", 1000, "ecds-delta", 3.0),
        ]);
        let shown: Vec<_> = grown
            .iter()
            .map(|one| (one.server.as_str(), one.clusters, one.case.as_str(), one.value))
            .collect();
        assert_eq!(shown, [("a", 1000, "route-delta", 1.5)]);
    }
}
