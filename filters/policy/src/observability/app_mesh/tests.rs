use std::collections::BTreeMap;

use proptest::prelude::*;
use regex::Regex;

use super::super::ledger::tests::{decode, grpc, ok, scope, Stats};
use super::super::{Detail, Ledger, Outcome, Scope, MAX_SERIES, OPTIONAL_STATS_TAGS, STATS_PREFIX};
use super::*;

/// What Envoy's Prometheus output calls one of App Mesh's metrics; `None`: it is another.
fn prometheus_key(raw: &str) -> Option<String> {
    let full = format!("{STATS_PREFIX}{raw}");
    let mut name = full.clone();
    let mut labels = Vec::new();
    for (label, regex) in OPTIONAL_STATS_TAGS {
        if let Some(captures) = Regex::new(regex).unwrap().captures(&full) {
            name = name.replacen(&captures[1], "", 1);
            labels.push(format!("{label}=\"{}\"", &captures[2]));
        }
    }
    labels.sort();
    let name = name.strip_prefix("appmesh.")?;
    assert!(
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
        "{name} is left of {raw}"
    );
    Some(format!("{name}{{{}}}", labels.join(",")))
}

/// Totals of App Mesh's metrics, histograms by their number of samples.
fn by_key(stats: &Stats) -> BTreeMap<String, u64> {
    let samples = stats.samples.iter().map(|(name, samples)| (name, samples.len() as u64));
    let totals = stats.totals.iter().map(|(name, total)| (name, *total));
    let mut keys = BTreeMap::new();
    for (name, value) in totals.chain(samples) {
        if let Some(key) = prometheus_key(name) {
            *keys.entry(key).or_default() += value;
        }
    }
    keys
}

#[test]
fn a_gateway_tells_both_sides_under_app_meshs_names() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    let app_mesh = AppMesh {
        mesh: "m",
        node: "gw.1",
        reporter: Reporter::Gateway,
    };
    let block = ledger.block_with(&scope("r"), &["blue".into()], Some(&app_mesh));
    let detail = Detail { bytes: 500, ..grpc(0) };
    ledger.count_with(block, &ok(), &detail);
    let failed = Outcome {
        class: ResponseClass::ServerError,
        ..ok()
    };
    ledger.count_with(block, &failed, &Detail { grpc: None, ..detail });
    ledger.flush(&mut stats);
    let seen = by_key(&stats);
    let own = r#"{Mesh="m",VirtualGateway="gw.1"}"#;
    let target = r#"{Mesh="m",TargetVirtualNode="blue",TargetVirtualService="v.local",VirtualGateway="gw.1"}"#;
    let expected: BTreeMap<String, u64> = [
        ("RequestCount", own, 2),
        ("GrpcRequestCount", own, 1),
        ("ProcessedBytes", own, 1_000),
        ("RequestCountPerTarget", target, 2),
        ("HTTPCode_Target_2XX_Count", target, 1),
        ("HTTPCode_Target_5XX_Count", target, 1),
        ("TargetProcessedBytes", target, 1_000),
        ("TargetResponseTime", target, 2),
    ]
    .into_iter()
    .map(|(name, labels, value)| (format!("{name}{labels}"), value))
    .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_node_tells_what_arrives_or_what_leaves() {
    let names = |reporter| {
        let mut ledger = Ledger::default();
        let mut stats = Stats::default();
        let app_mesh = AppMesh {
            mesh: "m",
            node: "n",
            reporter,
        };
        let block = ledger.block_with(&scope("r"), &["blue".into()], Some(&app_mesh));
        ledger.count_with(block, &ok(), &Detail { bytes: 1, grpc: None });
        ledger.flush(&mut stats);
        let keys = by_key(&stats).into_keys();
        keys.map(|key| key.split('{').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Reporter::Destination), ["ProcessedBytes", "RequestCount"]);
    assert_eq!(
        names(Reporter::Source),
        [
            "HTTPCode_Target_2XX_Count",
            "RequestCountPerTarget",
            "TargetProcessedBytes",
            "TargetResponseTime"
        ]
    );
}

#[test]
fn app_meshs_totals_stay_true_beyond_a_thousand_series() {
    let mut ledger = Ledger::default();
    let mut stats = Stats::default();
    let app_mesh = AppMesh {
        mesh: "m",
        node: "gw",
        reporter: Reporter::Gateway,
    };
    for route in 0..3_000 {
        let block = ledger.block_with(&scope(&format!("r{route}")), &["blue".into()], Some(&app_mesh));
        ledger.count_with(block, &ok(), &grpc(route % 17));
    }
    ledger.flush(&mut stats);
    let keys = by_key(&stats);
    assert_eq!(keys[r#"RequestCount{Mesh="m",VirtualGateway="gw"}"#], 3_000);
    let other =
        r#"RequestCountPerTarget{Mesh="m",TargetVirtualNode="other",TargetVirtualService="other",VirtualGateway="gw"}"#;
    assert_eq!(keys[other], 2_000);
    let series = stats
        .totals
        .keys()
        .filter(|name| name.starts_with("ferromesh_requests_total"));
    assert_eq!(series.count(), MAX_SERIES + 1);
}

proptest! {
    #[test]
    fn every_label_of_app_mesh_comes_back(mesh in "\\PC{1,20}", node in "\\PC{1,20}", service in "\\PC{1,20}", target in "[;=%.:\\PC]{1,12}") {
        let mut ledger = Ledger::default();
        let mut stats = Stats::default();
        let scope = Scope { virtual_service: &service, ..scope("r") };
        let app_mesh = AppMesh { mesh: &mesh, node: &node, reporter: Reporter::Source };
        let block = ledger.block_with(&scope, std::slice::from_ref(&target), Some(&app_mesh));
        ledger.count(block, &ok());
        ledger.flush(&mut stats);
        let keys = by_key(&stats);
        let key = keys.keys().find(|key| key.starts_with("RequestCountPerTarget{")).unwrap();
        for (label, value) in [("Mesh", &mesh), ("VirtualNode", &node), ("TargetVirtualService", &service), ("TargetVirtualNode", &target)] {
            let found = [format!("{{{label}=\""), format!(",{label}=\"")].iter().find_map(|start| key.split_once(start.as_str()).map(|(_, rest)| rest)).unwrap();
            prop_assert_eq!(&decode(found.split('"').next().unwrap()), value);
        }
    }
}
