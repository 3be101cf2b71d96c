//! The exact retry budget in stock Envoy: a module among the upstream filters sees every attempt of every worker.
//!
//! 300 requests that fail, three retries each, and a budget of 50 retries in its window: 350 attempts, not one more.

use std::time::Duration;

use ferromesh_integration::{
    bed::{Bed, Setup},
    flood::Flood,
    upstream::{Faults, Upstream},
};
use serde_json::json;

/// Retries that the budget has for its window: 5 a second for 10 seconds.
const BUDGET: u64 = 50;

async fn bed(module: &str, upstream: &Upstream, workers: usize, window_seconds: u32) -> Bed {
    let budget = json!({"ratio": 0, "minPerSecond": 50 / window_seconds, "windowSeconds": window_seconds});
    let plugin = json!({
        "mesh": "bed", "node": "front", "reporter": "gateway",
        "upstream": {"name": "color.local", "budget": budget},
    });
    Setup::new()
        .workers(workers)
        .attempt_filter(module, &plugin)
        .expect("a built module")
        .target(upstream, 1)
        .host("include_request_attempt_count", json!(true))
        .action(
            "retry_policy",
            json!({
                "retry_on": "5xx", "num_retries": 3,
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
            }),
        )
        .start()
        .await
        .expect("Envoy")
}

/// Sends this many requests, on so many connections that every worker gets some.
async fn send(bed: &Bed, requests: usize) -> (usize, usize) {
    let report = bed.load().connections(30).send(requests).await.expect("load");
    let statuses = report.statuses();
    (report.len(), statuses.get(&503).copied().unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_failing_requests_cost_three_hundred_and_fifty_attempts_with_any_number_of_workers() {
    for (module, workers) in [("mesh", 1), ("mesh", 2), ("retry", 2), ("retry", 4)] {
        let upstream = Upstream::start("blue").await.expect("blue");
        upstream.inject(Faults {
            percent: 100.0,
            ..Faults::default()
        });
        // Longer than a busy machine needs for the 300: an exact count has one window.
        let bed = bed(module, &upstream, workers, 50).await;
        assert_eq!(send(&bed, 300).await, (300, 300));
        let attempts = upstream.counts().requests;
        println!("{module}, {workers} workers: {attempts} attempts");
        assert_eq!(attempts, 300 + BUDGET, "{module}, {workers} workers");
        bed.assert_no_trap().await.expect("no trap");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_needs_one_retry_gets_it_and_a_spent_budget_comes_back_with_time() {
    let upstream = Upstream::start("blue").await.expect("blue");
    let bed = bed("retry", &upstream, 2, 10).await;
    upstream.inject(Faults {
        first: 30,
        ..Faults::default()
    });
    let report = bed.load().connections(1).send(20).await.expect("load");
    // Three retries each: the first seven requests meet all faults, and the eighth none that it cannot outlast.
    assert_eq!(report.failures().count(), 7);
    upstream.inject(Faults {
        percent: 100.0,
        ..Faults::default()
    });
    upstream.forget();
    let before = upstream.counts().requests;
    let flooded = Flood::on(bed.address(), "/")
        .per_second(20.0)
        .send_for(Duration::from_secs(1))
        .await
        .expect("answers");
    let retries = upstream.counts().requests - before - flooded.all();
    // 30 faults cost 23 retries and some; the rest of 50 is left.
    assert!(retries <= BUDGET - 22, "{retries}");
    tokio::time::sleep(Duration::from_millis(11_500)).await;
    upstream.inject(Faults {
        first: 1,
        ..Faults::default()
    });
    bed.load()
        .send(1)
        .await
        .expect("load")
        .assert_no_failures("one retry, of a new window");
}
