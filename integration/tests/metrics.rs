//! What the observability filter shows in Envoy's own Prometheus output.

use ferromesh_integration::{
    rig::Modules,
    rig::{eventually, PATIENCE},
    two_colours::{self, TwoColours, SERVICE},
    upstream::Faults,
};

/// The series of a metric whose labels include all of these.
fn find<'a>(
    series: &'a std::collections::BTreeMap<String, f64>,
    name: &str,
    labels: &[(&str, &str)],
) -> Vec<(&'a str, f64)> {
    series
        .iter()
        .filter(|(key, _)| {
            key.starts_with(&format!("{name}{{"))
                && labels
                    .iter()
                    .all(|(label, value)| key.contains(&format!("{label}=\"{value}\"")))
        })
        .map(|(key, value)| (key.as_str(), *value))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_latencies_and_retries_are_in_envoys_prometheus_output_with_labels() {
    let route = two_colours::retrying([50, 50], 3);
    let mesh = TwoColours::start_with(Modules::Built, route).await.expect("the mesh");
    let report = mesh.load().send(1_000).await.expect("load");
    report.assert_no_failures("warm-up");
    let labels = [
        ("mesh", "colours"),
        ("reporter", "gateway"),
        ("source_node", "gateway"),
        ("virtual_service", SERVICE),
        ("route", "color"),
        ("response_class", "2xx"),
    ];
    let counted = eventually("a thousand requests are counted", PATIENCE, async || {
        let series = mesh.gateway.admin().prometheus().await.ok()?;
        // Envoy shows a histogram's new samples after its own flush, every 5 s.
        let metrics = [
            "ferromesh_requests_total",
            "ferromesh_request_duration_milliseconds_count",
        ];
        let complete = metrics.iter().all(|metric| {
            let found = find(&series, metric, &labels);
            found.iter().map(|(_, value)| value).sum::<f64>() >= 1_000.0
        });
        complete.then_some(series)
    })
    .await
    .expect("the counters");
    for colour in ["blue", "green"] {
        let target = [&labels[..], &[("target_node", colour)]].concat();
        let requests = find(&counted, "ferromesh_requests_total", &target);
        let due = report.notes()[colour] as f64;
        assert_eq!(requests.len(), 1, "{requests:?}");
        // The mesh answered a few requests before the load began.
        assert!((due..due + 200.0).contains(&requests[0].1), "{due} sent, {requests:?}");
        let durations = find(&counted, "ferromesh_request_duration_milliseconds_count", &target);
        assert_eq!(durations.len(), 1, "{durations:?}");
    }

    mesh.blue.inject(Faults {
        first: 3,
        status: 500,
        ..Faults::default()
    });
    mesh.green.inject(Faults {
        first: 3,
        status: 500,
        ..Faults::default()
    });
    let attempts = mesh.attempts();
    let retried = mesh.load().connections(1).send(60).await.expect("load");
    retried.assert_no_failures("six faults, retried");
    let retries = (mesh.attempts() - attempts - 60) as f64;
    assert_eq!(retries, 6.0);
    eventually("the retries are counted", PATIENCE, async || {
        let series = mesh.gateway.admin().prometheus().await.ok()?;
        let found = find(&series, "ferromesh_retries_total", &labels);
        let total: f64 = found.iter().map(|(_, value)| value).sum();
        (total == retries).then_some(())
    })
    .await
    .expect("the retries");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_reaches_the_upstream_with_a_request_id_and_a_traceparent() {
    let mesh = TwoColours::start([50, 50]).await.expect("the mesh");
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let load = mesh.load().header("traceparent", parent);
    load.send(20).await.expect("load").assert_no_failures("with a parent");
    for seen in mesh.blue.seen().iter().chain(&mesh.green.seen()) {
        assert_eq!(seen.header("traceparent"), Some(parent));
    }
    mesh.blue.forget();
    mesh.green.forget();
    mesh.load().send(20).await.expect("load").assert_no_failures("without");
    let valid = regex::Regex::new("^00-[0-9a-f]{32}-[0-9a-f]{16}-01$").expect("a regex");
    for seen in mesh.blue.seen().iter().chain(&mesh.green.seen()) {
        let parent = seen.header("traceparent").expect("a traceparent");
        assert!(valid.is_match(parent), "{parent}");
        assert!(seen.header("x-request-id").is_some(), "{seen:?}");
    }
}
