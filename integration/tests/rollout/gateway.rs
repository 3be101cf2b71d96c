//! Gateways of their own with a stock Envoy and traffic.

use anyhow::{Context, Result};
use ferromesh_integration::{
    load::{Load, Running},
    rig::{eventually, ports, wait_for_status, Proxy, Rig, PATIENCE},
};
use serde_json::json;

/// A virtual gateway that leads to the mesh's service.
pub struct Gateway {
    pub name: String,
    pub proxy: Proxy,
    pub load: Running,
}

impl Gateway {
    /// Starts so many, `g0`, `g1`, …, in a mesh of callers, with more variables; twenty requests a second each, of which a
    /// hundred were answered when this returns: there is a past to compare with.
    pub async fn start(rig: &Rig, mesh: &str, count: usize, variables: &[(&str, &str)]) -> Result<Vec<Self>> {
        let mut gateways = Vec::with_capacity(count);
        for number in 0..count {
            gateways.push(Self::start_one(rig, mesh, format!("g{number}"), variables).await?);
        }
        eventually("every gateway has traffic that was reported", PATIENCE, async || {
            let mut all = gateways.iter();
            all.all(|gateway| gateway.load.report().len() > 100).then_some(())
        })
        .await?;
        Ok(gateways)
    }

    async fn start_one(rig: &Rig, mesh: &str, name: String, variables: &[(&str, &str)]) -> Result<Self> {
        let port = ports::free()?;
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
        let gateway = json!({"virtualGatewayName": name, "spec": {"listeners": [listener]}});
        rig.put(&format!("meshes/{mesh}/virtualGateways"), &gateway).await?;
        let target = json!({"virtualService": {"virtualServiceName": "s.test.local"}});
        let route = json!({
            "gatewayRouteName": "all",
            "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}},
        });
        rig.put(&format!("meshes/{mesh}/virtualGateway/{name}/gatewayRoutes"), &route)
            .await?;
        let proxy = rig.start_proxy_with(&format!("mesh/{mesh}/virtualGateway/{name}"), variables)?;
        proxy.wait_until_live().await?;
        let url = format!("http://127.0.0.1:{port}/");
        wait_for_status(&url, 200).await?;
        let load = Load::to(url).connections(1).per_second(20.0).start().await?;
        Ok(Self { name, proxy, load })
    }
}

/// The moments on the clocks of their loads.
pub fn now(gateways: &[Gateway]) -> Vec<std::time::Duration> {
    gateways.iter().map(|gateway| gateway.load.now()).collect()
}

/// How many gateways have failed requests since then.
pub fn harmed(gateways: &[Gateway], from: &[std::time::Duration]) -> Vec<String> {
    let pairs = gateways.iter().zip(from);
    pairs
        .filter(|(gateway, from)| gateway.load.since(**from).failures().count() > 0)
        .map(|(gateway, _)| gateway.name.clone())
        .collect()
}

/// Waits until every gateway answers, and no request of a whole second fails.
pub async fn recovered(gateways: &[Gateway]) -> Result<()> {
    eventually("no request fails any more", PATIENCE, async || {
        let settled = now(gateways);
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
    .context("after the rollback")
}
