//! Stock Envoys take a configuration without complaint, and then every request fails.

use std::time::Instant;

use anyhow::{Context, Result};
use ferromesh_integration::{
    full,
    load::{Load, Running},
    rig::{eventually, ports, wait_for_status, Modules, Proxy, Rig, PATIENCE},
    upstream::Upstream,
};
use serde_json::json;

use super::{assert_taken_back, callers, node, staged};

const MESH: &str = "failing";

/// A gateway of its own, with traffic.
struct Gateway {
    _proxy: Proxy,
    load: Running,
}

async fn gateway(rig: &Rig, number: usize) -> Result<Gateway> {
    let (name, port) = (format!("g{number}"), ports::free()?);
    let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
    let gateway = json!({"virtualGatewayName": name, "spec": {"listeners": [listener]}});
    rig.put(&format!("meshes/{MESH}/virtualGateways"), &gateway).await?;
    let target = json!({"virtualService": {"virtualServiceName": "s.test.local"}});
    let route = json!({
        "gatewayRouteName": "all",
        "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}},
    });
    rig.put(&format!("meshes/{MESH}/virtualGateway/{name}/gatewayRoutes"), &route)
        .await?;
    let proxy = rig.proxy(&format!("mesh/{MESH}/virtualGateway/{name}")).await?;
    let url = format!("http://127.0.0.1:{port}/");
    wait_for_status(&url, 200).await?;
    let load = Load::to(url).connections(1).per_second(20.0).start().await?;
    Ok(Gateway { _proxy: proxy, load })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_and_then_fails_reaches_one_envoy_and_is_taken_back() -> Result<()> {
    let good = Upstream::start("good").await?;
    let rig = staged(Modules::Built, "3").await?;
    callers(&rig, MESH, 0).await?;
    let path = format!("meshes/{MESH}/virtualNodes/good");
    let works = json!({"spec": node(good.port(), json!([]))});
    rig.put(&path, &works).await?;
    let mut gateways = Vec::new();
    for number in 0..full(4, 12) {
        gateways.push(gateway(&rig, number).await?);
    }
    // What the gateways have done until now is known before the change.
    eventually("every gateway has traffic that was reported", PATIENCE, async || {
        gateways
            .iter()
            .all(|gateway| gateway.load.report().len() > 100)
            .then_some(())
    })
    .await?;
    let from: Vec<_> = gateways.iter().map(|gateway| gateway.load.now()).collect();

    // Nobody listens there; Envoy takes the cluster all the same.
    let asked = Instant::now();
    rig.put(&path, &json!({"spec": node(1, json!([]))})).await?;
    let verdict = assert_taken_back(&rig, MESH, asked, "requests failed at proxies that were given this").await?;
    assert!(
        verdict["types"]
            .as_array()
            .is_some_and(|types| types.contains(&json!("Cluster"))),
        "{verdict}"
    );

    let harmed: Vec<usize> = gateways
        .iter()
        .zip(&from)
        .map(|(gateway, from)| gateway.load.since(*from).failures().count())
        .filter(|failures| *failures > 0)
        .collect();
    assert_eq!(harmed.len(), 1, "one gateway has failed requests: {harmed:?}");
    // It has the old configuration again.
    eventually("no request fails any more", PATIENCE, async || {
        let settled: Vec<_> = gateways.iter().map(|gateway| gateway.load.now()).collect();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let mut later = gateways.iter().zip(&settled);
        later
            .all(|(gateway, from)| {
                let report = gateway.load.since(*from);
                !report.is_empty() && report.failures().count() == 0
            })
            .then_some(())
    })
    .await
    .context("after the rollback")?;
    Ok(())
}
