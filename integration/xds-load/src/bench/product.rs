//! The whole control plane under simulated proxies: from a change through its API to every proxy that has it.
//!
//! The mesh is made for the purpose: each of the services has a router and a node whose tasks are in the registry, and
//! every proxy's node calls all services, so that each change concerns all proxies.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use ferromesh_xds::type_url::{ENDPOINT, ROUTE};
use serde_json::{json, Value};
use tokio::process::{Child, Command};

use super::figure::Taken;
use super::process::{cpu, rss_kb};
use super::{percentile, Options};
use crate::fleet::{Fleet, Order};
use crate::proxy::{Manner, Variant};
use crate::stamp::Stamp;
use crate::tally::Watch;

const MESH: &str = "scale";
/// How long the control plane may take until it answers, and the proxies until they are complete.
const PATIENCE: Duration = Duration::from_secs(120);
const SETTLE: Duration = Duration::from_secs(2);
/// After this, a change that has not arrived is lost.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The program to measure.
#[derive(Clone, Debug)]
pub struct Product {
    /// The built `ferromesh`.
    pub program: PathBuf,
    pub proxies: usize,
    pub services: usize,
}

/// A running control plane; killed when dropped.
struct Running {
    child: Child,
    url: String,
}

impl Product {
    /// One round of all cases.
    ///
    /// # Errors
    /// The control plane or a proxy failed.
    pub async fn run(&self, options: &Options) -> Result<Vec<Taken>> {
        let data = std::env::temp_dir().join(format!("ferromesh-scale-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let measured = self.measure(options, &data).await;
        let _ = std::fs::remove_dir_all(&data);
        measured
    }

    async fn measure(&self, options: &Options, data: &Path) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        let mut take = |case: &str, metric, value| {
            taken.push(Taken {
                server: "ferromesh serve".to_owned(),
                proxies: self.proxies,
                clusters: self.services,
                case: case.to_owned(),
                metric,
                value,
            });
        };
        let port = free_port()?;
        let filling = self.start(data, port).await?;
        let began = Instant::now();
        self.fill(&filling).await?;
        take("product-fill", "s", began.elapsed().as_secs_f64());
        filling.kill().await?;

        // Cold: nothing runs, and all proxies come at once.
        let began = Instant::now();
        let server = self.start(data, port).await?;
        let order = Order {
            server: server.url.clone(),
            nodes: format!("mesh/{MESH}/virtualNode/n{{}}"),
            count: self.proxies,
            variant: Variant::Delta,
            manner: Manner::Accepting,
        };
        let fleet = Fleet::launch(&order);
        fleet.complete(PATIENCE).await?;
        take("product-cold", "all_ready_s", began.elapsed().as_secs_f64());
        tokio::time::sleep(SETTLE).await;
        take("product-cold", "cpu_s", server.cpu()?.as_secs_f64());
        take("product-cold", "rss_mb", server.rss_mb()?);
        take("product-cold", "reconnects", fleet.tally.reconnect_count() as f64);

        for (case, type_url) in [("product-endpoint", ENDPOINT), ("product-route", ROUTE)] {
            let (mut latencies, mut lost) = (Vec::new(), 0);
            let (before, spent) = (fleet.tally.traffic(), server.cpu()?);
            for number in 0..options.changes {
                let asked = Stamp::now();
                fleet.tally.watch(Watch { type_url, asked });
                let service = number % self.services;
                if type_url == ENDPOINT {
                    server.put(&instance(service), task(service, number + 1)).await?;
                } else {
                    server.put(&route(service), routing(service, number + 1)).await?;
                }
                let until = Instant::now() + ARRIVAL;
                while fleet.tally.deliveries(asked) < self.proxies && Instant::now() < until {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                lost += self.proxies.saturating_sub(fleet.tally.deliveries(asked));
                latencies.extend(fleet.tally.latencies(&[asked]));
                tokio::time::sleep(Duration::from_millis(options.pause)).await;
            }
            latencies.sort_unstable_by(f64::total_cmp);
            let deliveries = (options.changes * self.proxies) as f64;
            let sent = fleet.tally.traffic();
            take(case, "p50_ms", percentile(&latencies, 0.50));
            take(case, "p99_ms", percentile(&latencies, 0.99));
            take(
                case,
                "cpu_s_per_change",
                (server.cpu()? - spent).as_secs_f64() / options.changes as f64,
            );
            take(
                case,
                "bytes_per_change",
                (sent.bytes - before.bytes) as f64 / deliveries,
            );
            take(
                case,
                "resources_per_change",
                (sent.resources - before.resources) as f64 / deliveries,
            );
            take(case, "lost", lost as f64);
        }

        // Killed: all come back with what they have, while the API is used.
        server.kill().await?;
        let held = fleet.disconnect().await;
        let began = Instant::now();
        let server = self.start(data, port).await?;
        let fleet = Fleet::resume(&order, held);
        fleet.complete(PATIENCE).await?;
        let mut slowest = Duration::ZERO;
        let mut peak = 0.0_f64;
        let until = Instant::now() + 2 * SETTLE;
        while Instant::now() < until {
            let asked = Instant::now();
            server.get(&format!("/v20190125/meshes/{MESH}")).await?;
            slowest = slowest.max(asked.elapsed());
            peak = peak.max(server.rss_mb()?);
        }
        // They are told of one more change: whoever has it has converged.
        let asked = Stamp::now();
        fleet.tally.watch(Watch {
            type_url: ENDPOINT,
            asked,
        });
        server.put(&instance(0), task(0, options.changes + 2)).await?;
        while fleet.tally.deliveries(asked) < self.proxies && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        take("product-return", "converged_s", began.elapsed().as_secs_f64());
        take(
            "product-return",
            "lost",
            self.proxies.saturating_sub(fleet.tally.deliveries(asked)) as f64,
        );
        take("product-return", "api_slowest_ms", slowest.as_secs_f64() * 1e3);
        take("product-return", "peak_rss_mb", peak);
        let (failed, why) = fleet.tally.failures();
        ensure!(failed == 0, "{failed} proxies failed: {why:?}");
        Ok(taken)
    }

    async fn start(&self, data: &Path, port: u16) -> Result<Running> {
        let url = format!("http://127.0.0.1:{port}");
        let child = Command::new(&self.program)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data)
            .env("FERROMESH_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut running = Running { child, url };
        let until = Instant::now() + PATIENCE;
        while running.get("/readyz").await.is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("{} ended with {status}", self.program.display());
            }
            ensure!(
                Instant::now() < until,
                "{} is not ready after {PATIENCE:?}",
                self.program.display()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(running)
    }

    async fn fill(&self, server: &Running) -> Result<()> {
        let meshes = "/v20190125/meshes";
        let own = format!("{meshes}/{MESH}");
        server.put(meshes, json!({"meshName": MESH, "spec": {}})).await?;
        server
            .put(&format!("/v1/registry/namespaces/{MESH}"), json!({}))
            .await?;
        for index in 0..self.services {
            let name = format!("b{index}");
            let discovery = json!({"awsCloudMap": {"namespaceName": MESH, "serviceName": name}});
            let spec = json!({"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}], "serviceDiscovery": discovery});
            let node = json!({"virtualNodeName": name, "spec": spec});
            server.put(&format!("{own}/virtualNodes"), node).await?;
            server
                .put(&format!("/v1/registry/namespaces/{MESH}/services/{name}"), json!({}))
                .await?;
            server.put(&instance(index), task(index, 0)).await?;
            let router = json!({"virtualRouterName": format!("r{index}"), "spec": {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}});
            server.put(&format!("{own}/virtualRouters"), router).await?;
            let mut first = routing(index, 0);
            first["routeName"] = "all".into();
            server
                .put(&format!("{own}/virtualRouter/r{index}/routes"), first)
                .await?;
            let provider = json!({"virtualRouter": {"virtualRouterName": format!("r{index}")}});
            let service = json!({"virtualServiceName": service_name(index), "spec": {"provider": provider}});
            server.put(&format!("{own}/virtualServices"), service).await?;
        }
        let backends: Vec<Value> = (0..self.services)
            .map(|index| json!({"virtualService": {"virtualServiceName": service_name(index)}}))
            .collect();
        for index in 0..self.proxies {
            let spec = json!({
                "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
                "serviceDiscovery": {"dns": {"hostname": format!("n{index}.{MESH}.local")}},
                "backends": backends,
            });
            let node = json!({"virtualNodeName": format!("n{index}"), "spec": spec});
            server.put(&format!("{own}/virtualNodes"), node).await?;
        }
        Ok(())
    }
}

fn service_name(index: usize) -> String {
    format!("s{index}.{MESH}.local")
}

fn instance(service: usize) -> String {
    format!("/v1/registry/namespaces/{MESH}/services/b{service}/instances/task-0")
}

/// The task of a service at some address: another one each time.
fn task(service: usize, number: usize) -> Value {
    let address = format!("10.{}.{}.{}", 1 + service / 250, service % 250, 1 + number % 250);
    json!({"attributes": {"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": "8080"}})
}

fn route(service: usize) -> String {
    format!("/v20190125/meshes/{MESH}/virtualRouter/r{service}/routes/all")
}

/// A router's only route, with another prefix each time.
fn routing(service: usize, number: usize) -> Value {
    let targets = json!([{"virtualNode": format!("b{service}"), "weight": 1}]);
    let prefix = if number == 0 {
        "/".to_owned()
    } else {
        format!("/{number}")
    };
    json!({"spec": {"httpRoute": {"match": {"prefix": prefix}, "action": {"weightedTargets": targets}}}})
}

impl Running {
    async fn put(&self, path: &str, body: Value) -> Result<()> {
        let client = client()?;
        let answer = client.put(format!("{}{path}", self.url)).json(&body).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "PUT {path}: {status}: {}", answer.text().await?);
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<()> {
        let answer = client()?.get(format!("{}{path}", self.url)).send().await?;
        ensure!(answer.status().is_success(), "GET {path}: {}", answer.status());
        Ok(())
    }

    /// kill -9, and waits until it is gone: its store is locked until then.
    async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    fn cpu(&self) -> Result<Duration> {
        cpu(self.id()?)
    }

    fn rss_mb(&self) -> Result<f64> {
        Ok(rss_kb(self.id()?)? as f64 / 1024.0)
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("the control plane is gone")
    }
}

/// One client, whose connections are used again.
fn client() -> Result<&'static reqwest::Client> {
    static CLIENT: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(CLIENT.get_or_init(|| client))
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
