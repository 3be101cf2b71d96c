//! App Mesh's nine metrics in Prometheus: names, labels and counts for a known number of calls.

use std::{collections::BTreeMap, process::Command, time::Duration};

use ferromesh_integration::{
    chain::Chain,
    rig::{eventually, paths, PATIENCE},
    upstream::Faults,
};
use reqwest::Method;
use serde_json::{json, Value};

const PROMETHEUS: &str = "127.0.0.1:9090";

/// Every series of App Mesh's metrics that Prometheus has, without its own labels.
fn scraped(chain: &Chain) -> Option<BTreeMap<String, f64>> {
    let query = format!("http://{PROMETHEUS}/api/v1/query?query=%7B__name__%3D~%22envoy_appmesh_.*%22%7D");
    let text = chain
        .client()
        .inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let client = reqwest::Client::builder()
                    .no_proxy()
                    .timeout(Duration::from_secs(5))
                    .build()
                    .ok()?;
                client.get(query).send().await.ok()?.text().await.ok()
            })
        })
        .ok()??;
    let answer: Value = serde_json::from_str(&text).ok()?;
    let series = answer["data"]["result"].as_array()?.iter().filter_map(|series| {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in series["metric"].as_object()? {
            labels.insert(name, value.as_str()?);
        }
        let name = labels.remove("__name__")?.strip_prefix("envoy_appmesh_")?;
        labels.remove("job");
        labels.remove("instance");
        // A bucket of a histogram each.
        if labels.contains_key("le") {
            return None;
        }
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let value = series["value"][1].as_str()?.parse().ok()?;
        Some((format!("{name} {}", labels.join(" ")), value))
    });
    Some(series.collect())
}

/// Calls that answer 200 and calls that answer 500.
fn expected(good: f64, bad: f64) -> BTreeMap<String, f64> {
    let all = good + bad;
    let mut expected = BTreeMap::new();
    for (proxy, target) in [("VirtualGateway=gateway", "front"), ("VirtualNode=front", "back")] {
        let own = |name: &str| format!("{name} Mesh=chain {proxy}");
        let of_target = |name: &str| {
            format!("{name} Mesh=chain TargetVirtualNode={target} TargetVirtualService={target}.test.local {proxy}")
        };
        expected.insert(own("RequestCount"), all);
        expected.insert(own("GrpcRequestCount"), all);
        expected.insert(of_target("RequestCountPerTarget"), all);
        expected.insert(of_target("TargetResponseTime_count"), all);
        expected.insert(of_target("HTTPCode_Target_2XX_Count"), good);
        expected.insert(of_target("HTTPCode_Target_5XX_Count"), bad);
    }
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_all_nine_with_their_labels_and_the_right_counts() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let policy = json!({
        "name": "told", "mesh": "chain", "target": {"mesh": {}},
        "spec": {"observability": {"appMesh": true, "grpc": true}},
    });
    let accepted = chain.rig().accepted(Method::PUT, "/v1/policies/chain/told", &policy);
    accepted.await.expect("the policy");
    let configuration = chain.rig().file("prometheus.yml");
    let scrape = json!({"scrape_configs": [{
        "job_name": "proxies",
        "scrape_interval": "1s",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": ["127.0.0.1:9902", "10.78.1.2:9902"]}],
    }]});
    std::fs::write(&configuration, scrape.to_string()).expect("its configuration");
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", chain.client().name()])
        .arg(paths::prometheus().expect("prometheus"))
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            chain.rig().file("prometheus").display()
        ))
        .arg(format!("--web.listen-address={PROMETHEUS}"));
    let variables = [
        ("APPMESH_METRIC_EXTENSION_VERSION", "1"),
        ("APPNET_AGENT_HTTP_BIND_ADDRESS", "0.0.0.0"),
        ("ENVOY_STATS_FLUSH_INTERVAL", "500ms"),
    ];
    chain.start(&variables).await.expect("three proxies");
    let _prometheus = chain.rig().spawn("prometheus", command).expect("prometheus");

    // What was counted while the mesh came up is the base.
    let settled = |before: &BTreeMap<String, f64>| {
        expected(1.0, 0.0)
            .keys()
            .all(|key| before.contains_key(key) || key.contains("5XX"))
    };
    let mut last = None;
    let before = eventually("the first call is scraped and nothing moves", PATIENCE, async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = scraped(&chain)?;
        let same = last.as_ref() == Some(&now) && settled(&now);
        last = Some(now.clone());
        same.then_some(now)
    })
    .await
    .unwrap_or_else(|error| panic!("{error}: {last:#?}"));

    chain.call(40).expect("calls").assert_no_failures("good calls");
    chain.back().expect("back").inject(Faults {
        first: 3,
        status: 500,
        ..Faults::default()
    });
    let failed = chain.call(3).expect("calls");
    assert_eq!(failed.statuses(), [(500, 3)].into());

    let due = expected(40.0, 3.0);
    let mut last = BTreeMap::new();
    let after = eventually("the calls are scraped", PATIENCE, async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        last = scraped(&chain)?;
        let grown = |key: &String| last.get(key).copied().unwrap_or(0.0) - before.get(key).copied().unwrap_or(0.0);
        due.iter().all(|(key, due)| grown(key) == *due).then(|| last.clone())
    })
    .await
    .unwrap_or_else(|error| panic!("{error}:\n{before:#?}\n{last:#?}"));
    let grown = |key: &str| {
        let value = after.get(key).unwrap_or_else(|| panic!("no {key}: {after:#?}"));
        value - before.get(key).copied().unwrap_or(0.0)
    };
    for (proxy, target) in [("VirtualGateway=gateway", "front"), ("VirtualNode=front", "back")] {
        // Each call is some 100 to 1,000 bytes, with headers and both ways.
        let bytes = grown(&format!("ProcessedBytes Mesh=chain {proxy}"));
        assert!((43.0 * 100.0..43.0 * 2_000.0).contains(&bytes), "{bytes}");
        let of_target =
            format!("Mesh=chain TargetVirtualNode={target} TargetVirtualService={target}.test.local {proxy}");
        let bytes = grown(&format!("TargetProcessedBytes {of_target}"));
        assert!((43.0 * 100.0..43.0 * 2_000.0).contains(&bytes), "{bytes}");
        assert!(grown(&format!("TargetResponseTime_sum {of_target}")) >= 0.0);
    }
    // Two loads are two connections of one client, both closed by now.
    assert_eq!(grown("NewConnectionCount Mesh=chain VirtualGateway=gateway"), 2.0);
    assert_eq!(after["ActiveConnectionCount Mesh=chain VirtualGateway=gateway"], 0.0);
    // The gateway keeps its connections to the node.
    assert!(after["NewConnectionCount Mesh=chain VirtualNode=front"] >= 1.0);
    assert!(after["ActiveConnectionCount Mesh=chain VirtualNode=front"] >= 1.0);
}
