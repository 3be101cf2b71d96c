//! Automatic rollback in stock Envoy: a canary that fails loses its requests within the number that is stated for the
//! test, one that is healthy never does.
//!
//! 20 runs; `FERROMESH_FULL=1` makes 200 of a failing and 1,000 of a healthy canary. Each run is a route of its own: what
//! is known of a canary belongs to its route. All of them are in one VM.

use ferromesh_integration::{
    bed::{self, Bed, Setup},
    client::Client,
    full,
    upstream::{Faults, Upstream},
};
use serde_json::{json, Map};
use tokio::task::JoinSet;

/// Stated for equal shares, a canary that fails 5 % and a baseline that never fails, at the confidence of 0.999: canary
/// requests until the rollback, in the mean and in 95 of 100 runs.
const STATED_MEAN: u64 = 400;
const STATED: u64 = 620;

/// The canary never needs so many.
const PATIENCE: u64 = 10_000;

struct Release {
    bed: Bed,
    blue: Upstream,
    green: Upstream,
}

/// An Envoy with so many routes, `/0/` and so on, each a release of its own.
async fn release(runs: usize) -> Release {
    let (blue, green) = (
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    );
    let setup = Setup::new().target(&blue, 50).target(&green, 50);
    let (mut policies, mut routes) = (Map::new(), Vec::new());
    for run in 0..runs {
        let name = format!("release-{run}");
        policies.insert(
            name.clone(),
            json!({
                "labels": {"virtualService": "color.local", "route": &name},
                "targets": ["blue", "green"],
                "canary": {
                    "weights": [50, 50],
                    "rollback": {"canary": "green", "baseline": "blue", "windowSeconds": 3600},
                },
            }),
        );
        routes.push(bed::prefix(&name, &format!("/{run}/"), &setup.split()));
    }
    let plugin = json!({"mesh": "bed", "node": "front", "reporter": "gateway", "routes": policies});
    let setup = setup.routes(routes).module("canary", &plugin).expect("a built module");
    Release {
        bed: setup.start().await.expect("Envoy"),
        blue,
        green,
    }
}

fn failing(percent: f64) -> Faults {
    Faults {
        percent,
        status: 500,
        ..Faults::default()
    }
}

/// Requests of one run, in which the canary has been chosen for the last time when this many in a row were blue.
const SILENCE: u64 = 40;

/// Sends until the canary gets nothing any more; how many it got.
async fn until_rolled_back(address: &str, run: usize) -> u64 {
    let mut client = Client::of(address).expect("a client");
    let (mut of_canary, mut silent) = (0, 0);
    let path = format!("/{run}/");
    while silent < SILENCE {
        let answer = client.get(&path, &[]).await.expect("an answer");
        if answer.header("x-colour") == Some("green") {
            of_canary += 1;
            silent = 0;
        } else {
            silent += 1;
        }
        assert!(of_canary < PATIENCE, "run {run}: no rollback");
    }
    of_canary
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_one_request_in_twenty_is_rolled_back_within_the_stated_requests() {
    let runs = full(20, 200);
    let release = release(runs).await;
    release.green.inject(failing(5.0));
    let mut sets = JoinSet::new();
    for first in 0..4 {
        let address = release.bed.address().to_owned();
        sets.spawn(async move {
            let mut needed = Vec::new();
            for run in (first..runs).step_by(4) {
                needed.push(until_rolled_back(&address, run).await);
            }
            needed
        });
    }
    let mut needed: Vec<u64> = sets.join_all().await.into_iter().flatten().collect();
    needed.sort_unstable();
    let (count, mean) = (needed.len() as f64, needed.iter().sum::<u64>() as f64 / runs as f64);
    let spread = needed.iter().map(|n| (*n as f64 - mean).powi(2)).sum::<f64>() / count;
    let over = needed.iter().filter(|n| **n > STATED).count();
    println!("{runs} rollbacks after {mean:.0} canary requests in the mean, {over} above {STATED}: {needed:?}");
    let deviation = (spread / count).sqrt();
    assert!(
        mean <= STATED_MEAN as f64 + 3.0 * deviation,
        "{mean:.0} canary requests in the mean"
    );
    let allowed = count * 0.05 + 3.0 * (count * 0.05 * 0.95).sqrt();
    assert!(
        over as f64 <= allowed,
        "{over} of {runs} runs took more than {STATED}: {needed:?}"
    );

    // It stays: nothing of what follows goes to the canary.
    release.green.forget();
    let mut client = Client::of(release.bed.address()).expect("a client");
    for run in 0..runs {
        for _ in 0..20 {
            let answer = client.get(&format!("/{run}/"), &[]).await.expect("an answer");
            assert_eq!(answer.status, 200);
        }
    }
    assert_eq!(release.green.counts().requests, 0, "the canary came back");
    release.bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_as_good_as_its_baseline_is_never_rolled_back() {
    let (runs, requests) = (full(20, 1_000), 500);
    let release = release(runs).await;
    release.blue.inject(failing(2.0));
    release.green.inject(Faults {
        seed: 9_999_991,
        ..failing(2.0)
    });
    let mut sets = JoinSet::new();
    for first in 0..4 {
        let address = release.bed.address().to_owned();
        sets.spawn(async move {
            let mut client = Client::of(&address).expect("a client");
            let mut rolled_back = 0;
            for run in (first..runs).step_by(4) {
                let mut last = 0;
                for number in 0..requests {
                    let answer = client.get(&format!("/{run}/"), &[]).await.expect("an answer");
                    if answer.header("x-colour") == Some("green") {
                        last = number;
                    }
                }
                // Of the last 40 at equal shares none is green once in 10^12 runs.
                rolled_back += usize::from(last + 40 < requests);
            }
            rolled_back
        });
    }
    let rolled_back: usize = sets.join_all().await.into_iter().sum();
    println!("{rolled_back} of {runs} healthy canaries rolled back");
    assert_eq!(rolled_back, 0);
}
