//! Circuit breakers in stock Envoy: a target that fails loses its requests, and gets them back when it is well.

use std::time::Duration;

use ferromesh_integration::{
    bed::{Bed, Setup},
    client::{Answer, Client},
    upstream::{Faults, Upstream},
};
use serde_json::{json, Value};

fn policy(targets: &[&str], breaker: Value) -> Value {
    let mut policy = json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": targets,
        "circuitBreaker": breaker,
    });
    if targets.len() > 1 {
        policy["canary"] = json!({"weights": vec![50; targets.len()]});
    }
    policy
}

/// An Envoy with one worker: each worker decides for itself, so its counts are exact.
async fn bed(upstreams: &[&Upstream], breaker: Value) -> Bed {
    let names: Vec<&str> = upstreams.iter().map(|upstream| upstream.name()).collect();
    // Where there are other targets they take the requests: that is the canary's part, which is in `mesh.wasm`.
    let module = if names.len() > 1 { "mesh" } else { "circuit-breaker" };
    let setup = Setup::with_policy(module, &policy(&names, breaker)).expect("a built module");
    let setup = upstreams
        .iter()
        .fold(setup, |setup, upstream| setup.target(upstream, 50));
    setup.start().await.expect("Envoy")
}

fn failing() -> Faults {
    Faults {
        percent: 100.0,
        status: 500,
        ..Faults::default()
    }
}

async fn get(client: &mut Client) -> Answer {
    client.get("/", &[]).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_is_ejected_at_its_threshold_and_the_other_takes_its_requests() {
    let (blue, green) = (
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    );
    let bed = bed(
        &[&blue, &green],
        json!({"minRequests": 20, "errorRatio": 0.5, "ejectSeconds": 600}),
    )
    .await;
    blue.inject(failing());
    let mut client = Client::of(bed.address()).expect("a client");
    let mut failures = 0;
    for _ in 0..400 {
        failures += usize::from(get(&mut client).await.status != 200);
    }
    assert_eq!(failures, 20, "answers that failed");
    assert_eq!(blue.counts().requests, 20, "requests that the failing target got");
    assert_eq!(green.counts().requests, 380);
    bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_less_than_the_ratio_keeps_its_requests() {
    let (blue, green) = (
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    );
    let bed = bed(
        &[&blue, &green],
        json!({"minRequests": 50, "errorRatio": 0.6, "ejectSeconds": 600}),
    )
    .await;
    blue.inject(Faults {
        percent: 25.0,
        ..failing()
    });
    let report = bed.load().send(1_000).await.expect("load");
    report.assert_share("blue", 0.5);
    assert!(report.failures().count() > 50, "the faults were not injected");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_target_ejected_means_503_with_retry_after_and_nothing_reaches_it() {
    let blue = Upstream::start("blue").await.expect("blue");
    for per in ["target", "service"] {
        let breaker = json!({"per": per, "minRequests": 20, "ejectSeconds": 30, "status": 503});
        let bed = bed(&[&blue], breaker).await;
        blue.inject(failing());
        blue.forget();
        let mut client = Client::of(bed.address()).expect("a client");
        for _ in 0..20 {
            assert_eq!(get(&mut client).await.status, 500);
        }
        for _ in 0..100 {
            let answer = get(&mut client).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            let wait: u64 = answer.header("retry-after").expect("a time").parse().expect("seconds");
            assert!((1..=30).contains(&wait), "{wait}");
            // The hop before must not retry what is kept away on purpose.
            assert_eq!(answer.header("x-envoy-overloaded"), Some("true"));
            assert_eq!(answer.header("x-colour"), None);
        }
        assert_eq!(blue.counts().requests, 20, "per {per}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ejected_target_comes_back_by_probes_and_not_before_they_succeed() {
    let blue = Upstream::start("blue").await.expect("blue");
    let breaker = json!({"minRequests": 10, "ejectSeconds": 1, "maxEjectSeconds": 2, "probes": 3});
    let bed = bed(&[&blue], breaker).await;
    let mut client = Client::of(bed.address()).expect("a client");
    blue.inject(failing());
    for _ in 0..10 {
        assert_eq!(get(&mut client).await.status, 500);
    }
    assert_eq!(get(&mut client).await.status, 503, "ejected");

    // Still failing: one probe goes on, and ejects for twice as long.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(get(&mut client).await.status, 500, "the probe");
    for _ in 0..20 {
        assert_eq!(get(&mut client).await.status, 503, "ejected again");
    }
    assert_eq!(blue.counts().requests, 11);

    // Well again, but slow enough that others come while a probe is under way: they are refused.
    blue.inject(Faults {
        delay_millis: 400,
        ..Faults::default()
    });
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let report = bed.load().connections(8).send(8).await.expect("load");
    assert_eq!(report.statuses().get(&200), Some(&1), "{:?}", report.statuses());
    assert_eq!(report.statuses().get(&503), Some(&7), "{:?}", report.statuses());
    assert_eq!(blue.counts().requests, 12);

    // Two more probes and it is admitted: requests at the same time all go on.
    for _ in 0..2 {
        assert_eq!(get(&mut client).await.status, 200);
    }
    blue.inject(Faults::default());
    let report = bed.load().connections(8).send(200).await.expect("load");
    report.assert_no_failures("an admitted target");
    bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_target_is_ejected_as_well() {
    let (blue, green) = (
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    );
    let breaker = json!({"minRequests": 10, "slowMillis": 100, "slowRatio": 0.5, "ejectSeconds": 600});
    let bed = bed(&[&blue, &green], breaker).await;
    blue.inject(Faults {
        delay_millis: 200,
        ..Faults::default()
    });
    let mut client = Client::of(bed.address()).expect("a client");
    for _ in 0..60 {
        assert_eq!(get(&mut client).await.status, 200);
    }
    // Green could be slow by accident, on a busy machine, but not in five of ten.
    assert_eq!(blue.counts().requests, 10, "requests that the slow target got");
}
