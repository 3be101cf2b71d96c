//! The samples in `envoy-configs/stand-alone/` do what they say, in stock Envoy without a control plane.

use std::path::Path;

use ferromesh_integration::{
    load::{Load, Report},
    rig::{eventually, paths, Envoy, PATIENCE},
    upstream::{Faults, Upstream},
};
use http::Method;

struct Sample {
    envoy: Envoy,
    blue: Upstream,
    green: Upstream,
    url: String,
}

/// Starts a sample with its upstreams, on ports of our own choice.
async fn start(name: &str) -> Sample {
    let (blue, green) = (
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../envoy-configs/stand-alone")
        .join(name);
    let mut text = std::fs::read_to_string(file).expect("a sample");
    let modules = paths::modules().expect("built modules");
    for (from, to) in [
        ("target/modules/", format!("{}/", modules.display())),
        ("port_value: 9901", "port_value: 0".to_owned()),
        ("port_value: 10000", "port_value: 0".to_owned()),
        ("port_value: 10001", format!("port_value: {}", blue.port())),
        ("port_value: 10002", format!("port_value: {}", green.port())),
    ] {
        // Most do without a second upstream.
        assert!(
            text.contains(from) || from.ends_with("10002"),
            "{name} no longer says '{from}'"
        );
        text = text.replace(from, &to);
    }
    let envoy = Envoy::start(&text).await.expect("Envoy takes the sample");
    let url = format!(
        "http://{}/",
        envoy.admin().listener("front").await.expect("the listener")
    );
    Sample {
        envoy,
        blue,
        green,
        url,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_sample_splits_sticks_and_lets_testers_choose() {
    let sample = start("canary.yaml").await;
    let split = Load::to(&sample.url)
        .noting("x-colour")
        .send(3_000)
        .await
        .expect("load");
    split.assert_no_failures("the split");
    split.assert_share("green", 0.1);
    let tester = Load::to(&sample.url)
        .noting("x-colour")
        .header("x-canary", "green")
        .send(50)
        .await
        .expect("load");
    assert_eq!(tester.notes().get("green"), Some(&50));
    for user in 0..20 {
        let user = format!("user-{user}");
        let sticky = Load::to(&sample.url)
            .noting("x-colour")
            .header("x-user", &user)
            .send(20)
            .await
            .expect("load");
        assert_eq!(sticky.notes().len(), 1, "{user} met {:?}", sticky.notes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_retry_sample_repeats_only_what_may_be_repeated() {
    let sample = start("retry.yaml").await;
    let fail_first = || {
        sample.blue.inject(Faults {
            first: 1,
            ..Faults::default()
        })
    };
    fail_first();
    let get = Load::to(&sample.url).send(1).await.expect("load");
    get.assert_no_failures("a GET whose first attempt failed");
    fail_first();
    let post = Load::to(&sample.url)
        .method(Method::POST)
        .body("once")
        .send(1)
        .await
        .expect("load");
    assert_eq!(
        post.statuses().keys().copied().collect::<Vec<_>>(),
        [503],
        "a POST that may have been processed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_observability_sample_tells_and_counts() {
    let sample = start("observability.yaml").await;
    let told = Load::to(&sample.url)
        .noting("x-ferromesh-route")
        .send(20)
        .await
        .expect("load");
    assert_eq!(told.notes().get("split"), Some(&20));
    let seen = [sample.blue.seen(), sample.green.seen()].concat();
    assert!(seen
        .iter()
        .all(|request| request.header("traceparent").is_some_and(|value| value.len() == 55)));
    counted(&sample, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mesh_sample_does_all_of_it_in_one_filter() {
    let sample = start("mesh.yaml").await;
    let split = Load::to(&sample.url)
        .noting("x-ferromesh-target")
        .send(3_000)
        .await
        .expect("load");
    split.assert_no_failures("the split");
    split.assert_share("green", 0.1);
    sample.blue.inject(Faults {
        first: 1,
        ..Faults::default()
    });
    let retried = Load::to(&sample.url)
        .header("x-canary", "blue")
        .noting("x-ferromesh-attempts")
        .send(1)
        .await
        .expect("load");
    assert_eq!(retried.notes().get("2"), Some(&1));
    counted(&sample, 3_001).await;
}

/// Waits for the filter's next flush and checks the number of requests it counted.
async fn counted(sample: &Sample, requests: u64) {
    eventually(
        "the filter's counters are in Envoy's Prometheus output",
        PATIENCE,
        async || {
            let series = sample.envoy.admin().prometheus().await.ok()?;
            let total: f64 = series
                .iter()
                .filter(|(name, _)| {
                    name.starts_with("ferromesh_requests_total{") && name.contains("virtual_service=\"color.local\"")
                })
                .map(|(_, value)| value)
                .sum();
            (total as u64 == requests).then_some(())
        },
    )
    .await
    .expect("all requests counted");
}

/// How many requests were answered with a status.
fn answered(report: &Report, status: u16) -> usize {
    report.statuses().get(&status).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_sample_gives_each_user_their_own_limit() {
    let sample = start("rate-limit.yaml").await;
    let load = |user: &str| Load::to(&sample.url).noting("ratelimit-policy").header("x-user", user);
    let ada = load("ada").send(200).await.expect("load");
    let admitted = answered(&ada, 200);
    // The burst, and 20 for each second that the load took.
    assert!((40..200).contains(&admitted), "{admitted} of 200 were admitted");
    assert_eq!(admitted + answered(&ada, 429), 200);
    assert!(!ada.notes().is_empty(), "the limit is not told");
    let bob = load("bob").send(20).await.expect("load");
    assert_eq!(answered(&bob, 200), 20, "one user's limit is another's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circuit_breaker_sample_spares_an_upstream_that_fails_and_comes_back() {
    let sample = start("circuit-breaker.yaml").await;
    sample.blue.inject(Faults {
        percent: 100.0,
        status: 500,
        ..Faults::default()
    });
    let failing = Load::to(&sample.url).send(200).await.expect("load");
    let (failed, refused) = (answered(&failing, 500), answered(&failing, 503));
    assert_eq!(failed + refused, 200);
    assert_eq!(sample.blue.counts().requests, failed as u64);
    assert!(refused > 0, "all requests reached the upstream");
    sample.blue.inject(Faults::default());
    eventually("the upstream gets requests again", PATIENCE, async || {
        let report = Load::to(&sample.url).send(1).await.ok()?;
        (answered(&report, 200) == 1).then_some(())
    })
    .await
    .expect("recovery");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_sample_hurts_marked_requests_only() {
    let sample = start("fault.yaml").await;
    let spared = Load::to(&sample.url).send(200).await.expect("load");
    spared.assert_no_failures("requests without the mark");
    let load = Load::to(&sample.url).header("x-chaos", "on");
    let marked = load.send(200).await.expect("load");
    let aborted = answered(&marked, 503);
    // Half, five standard deviations either way.
    assert!((65..=135).contains(&aborted), "{aborted} of 200");
    assert_eq!(aborted + answered(&marked, 200), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_sample_tells_both_sides() {
    let sample = start("headers.yaml").await;
    let load = Load::to(&sample.url).noting("x-served-by").header("x-debug", "1");
    let report = load.send(10).await.expect("load");
    assert_eq!(report.notes().get("demo/all"), Some(&10));
    let request = sample.blue.seen().pop().expect("a request");
    assert_eq!(request.header("x-client"), Some("127.0.0.1"));
    assert_eq!(request.header("x-debug"), None);
}
