//! How much is measured: a short run, the matrix, or a slice of either.

use std::path::PathBuf;
use std::time::Duration;

/// What was asked for.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Options {
    /// The whole matrix: 50, 200 and 800 proxies with 100 and 1,000 clusters, three rounds. Half an hour and more.
    #[arg(long)]
    pub full: bool,
    /// Rounds of everything; the median counts [default: 1, with --full 3].
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Numbers of proxies [default: 200].
    #[arg(long, value_delimiter = ',')]
    pub proxies: Vec<usize>,
    /// Numbers of clusters [default: 100, and 1,000 for one case].
    #[arg(long, value_delimiter = ',')]
    pub clusters: Vec<usize>,
    /// Changes of each kind in a round [default: 10, with --full 20].
    #[arg(long)]
    pub changes: Option<usize>,
    /// Pause after a change, in milliseconds [default: 100].
    #[arg(long)]
    pub pause: Option<u64>,
    /// Only cases whose name contains this: `endpoint-delta`, `sotw`, `product`, `propagation` …
    #[arg(long)]
    pub only: Option<String>,
    /// Writes the rows to a file as well, as a JSON list.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// What is done.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rounds: usize,
    pub proxies: Vec<usize>,
    pub clusters: Vec<usize>,
    pub changes: usize,
    pub pause: Duration,
    only: Option<String>,
    /// At this many clusters only this case is measured.
    aside: Option<(usize, &'static str)>,
}

/// Says what a change costs among resources that it does not concern.
const AMONG_MANY: &str = "endpoint-delta";

impl Plan {
    /// What was asked for, and what is usual where nothing was said.
    pub fn of(options: &Options) -> Self {
        let or = |said: &[usize], usual: &[usize], full: &[usize]| match (said, options.full) {
            ([], false) => usual.to_vec(),
            ([], true) => full.to_vec(),
            _ => said.to_vec(),
        };
        let is_short = !options.full && options.clusters.is_empty();
        Self {
            rounds: options.rounds.unwrap_or(if options.full { 3 } else { 1 }),
            proxies: or(&options.proxies, &[200], &[50, 200, 800]),
            clusters: or(&options.clusters, &[100, 1000], &[100, 1000]),
            changes: options.changes.unwrap_or(if options.full { 20 } else { 10 }),
            pause: Duration::from_millis(options.pause.unwrap_or(100)),
            only: options.only.clone(),
            aside: is_short.then_some((1000, AMONG_MANY)),
        }
    }

    /// Numbers of proxies and clusters that go together.
    pub fn sizes(&self) -> Vec<(usize, usize)> {
        let of = |proxies: &usize| {
            let proxies = *proxies;
            self.clusters.iter().map(move |clusters| (proxies, *clusters))
        };
        self.proxies.iter().flat_map(of).collect()
    }

    /// The plan for a number of clusters.
    pub fn at(&self, clusters: usize) -> Self {
        let mut plan = self.clone();
        if let Some((_, only)) = self.aside.filter(|(many, _)| *many == clusters) {
            if plan.wants(only) {
                plan.only = Some(only.to_owned());
            } else {
                plan.only = Some("nothing".to_owned());
            }
        }
        plan
    }

    /// Whether a case is to be measured. A group's name, such as `product`, wants any of its cases.
    pub fn wants(&self, case: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| case.contains(only.as_str()) || only.starts_with(case))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_measures_one_case_among_many_clusters_and_all_among_few() {
        let plan = Plan::of(&Options::default());
        assert_eq!(plan.sizes(), [(200, 100), (200, 1000)]);
        assert!(plan.at(100).wants("route-sotw") && plan.at(100).wants("endpoint-delta"));
        assert!(!plan.at(1000).wants("route-sotw") && plan.at(1000).wants("endpoint-delta"));
        let full = Plan::of(&Options {
            full: true,
            ..Options::default()
        });
        assert_eq!((full.sizes().len(), full.rounds), (6, 3));
        assert!(full.at(1000).wants("route-sotw"));
    }

    #[test]
    fn a_slice_is_what_was_named() {
        let plan = Plan::of(&Options {
            only: Some("product-route".to_owned()),
            ..Options::default()
        });
        assert!(plan.wants("product") && plan.wants("product-route"));
        assert!(!plan.wants("product-endpoint") && !plan.wants("route-delta"));
        assert!(!plan.at(1000).wants("endpoint-delta"));
    }
}
