//! DogStatsD: a UDP receiver gets Envoy's statistics and App Mesh's metrics, with tags and the right counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ferromesh_integration::{
    capture::UdpCapture,
    chain::Chain,
    rig::{eventually, PATIENCE},
};
use reqwest::Method;
use serde_json::json;

/// A line: name, value, kind, tags.
type Line = (String, f64, String, BTreeSet<String>);

fn line(text: &str) -> Line {
    let mut parts = text.split('|');
    let (name, value) = parts
        .next()
        .and_then(|first| first.split_once(':'))
        .unwrap_or_else(|| panic!("{text:?}"));
    let kind = parts.next().unwrap_or_else(|| panic!("{text:?}"));
    let tags = parts.find_map(|part| part.strip_prefix('#')).unwrap_or_default();
    let value = value.parse().unwrap_or_else(|error| panic!("{error}: {text:?}"));
    let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned);
    (name.to_owned(), value, kind.to_owned(), tags.collect())
}

/// Sums of the counters, which are sent as differences.
fn counters(lines: &[Line]) -> BTreeMap<(String, BTreeSet<String>), f64> {
    let mut sums = BTreeMap::new();
    for (name, value, _, tags) in lines.iter().filter(|(_, _, kind, _)| kind == "c") {
        *sums.entry((name.clone(), tags.clone())).or_insert(0.0) += value;
    }
    sums
}

fn tags<const N: usize>(tags: [&str; N]) -> BTreeSet<String> {
    tags.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_arrive_with_the_tags_of_the_proxy_and_add_up() {
    let mut chain = Chain::prepare().await.expect("namespaces and a control plane");
    let policy =
        json!({"name": "told", "mesh": "chain", "target": {"mesh": {}}, "spec": {"observability": {"appMesh": true}}});
    let policies = chain.rig().accepted(Method::PUT, "/v1/policies/chain/told", &policy);
    policies.await.expect("the policy");
    let statsd = UdpCapture::read(chain.udp(8125).expect("StatsD's port")).expect("receivers");
    let variables = [
        ("ENABLE_ENVOY_DOG_STATSD", "1"),
        ("ENABLE_ENVOY_STATS_TAGS", "1"),
        ("ENVOY_STATS_FLUSH_INTERVAL", "500ms"),
    ];
    chain.start(&variables).await.expect("three proxies");
    let requests = |proxy: &str, port: &str| {
        let labels = [
            "appmesh.mesh:chain",
            proxy,
            "appmesh.listener_protocol:http",
            port,
            "envoy.http_conn_manager_prefix:ingress",
        ];
        ("envoy.http.downstream_rq_completed".to_owned(), tags(labels))
    };
    let told = |proxy: &str, label: &str| {
        let labels = ["appmesh.mesh:chain", proxy, "Mesh:chain", label];
        ("envoy.appmesh.RequestCount".to_owned(), tags(labels))
    };
    let due = [
        requests("appmesh.virtual_gateway:gateway", "appmesh.listener_port:8080"),
        requests("appmesh.virtual_node:front", "appmesh.listener_port:9080"),
        requests("appmesh.virtual_node:back", "appmesh.listener_port:9080"),
        told("appmesh.virtual_gateway:gateway", "VirtualGateway:gateway"),
        told("appmesh.virtual_node:front", "VirtualNode:front"),
        told("appmesh.virtual_node:back", "VirtualNode:back"),
    ];
    let sums = || {
        let lines: Vec<_> = statsd
            .texts()
            .iter()
            .flat_map(|text| text.lines().map(line).collect::<Vec<_>>())
            .collect();
        let sums = counters(&lines);
        let found: Vec<_> = due.iter().map(|key| sums.get(key).copied().unwrap_or(0.0)).collect();
        (found, sums)
    };
    // What was counted while the mesh came up is the base.
    let mut last = Vec::new();
    let before = eventually("every counter has come and none moves", PATIENCE, async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (now, _) = sums();
        let same = last == now && now.iter().all(|sum| *sum > 0.0);
        last.clone_from(&now);
        same.then_some(now)
    })
    .await
    .unwrap_or_else(|error| {
        let names = ["envoy.http.downstream_rq_completed", "envoy.appmesh.RequestCount"];
        let found: Vec<_> = sums()
            .1
            .into_iter()
            .filter(|((name, _), _)| names.contains(&name.as_str()))
            .collect();
        panic!("{error}: {found:#?}")
    });
    chain.call(20).expect("calls").assert_no_failures("counted calls");
    let mut grown = Vec::new();
    let counted = eventually("all calls are counted, each once", PATIENCE, async || {
        grown = sums().0.iter().zip(&before).map(|(now, before)| now - before).collect();
        (grown == [20.0; 6]).then_some(())
    });
    counted.await.unwrap_or_else(|error| panic!("{error}: {grown:?}"));
}
