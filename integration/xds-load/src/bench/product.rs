//! The whole control plane under simulated proxies: from a change through its API to every proxy that has it.
//!
//! The mesh is [`Mesh`], in which each change concerns all proxies.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use ferromesh_integration::meter;
use ferromesh_xds::type_url::ENDPOINT;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::figure::Taken;
use super::{percentile, Plan};
use crate::fleet::{Fleet, Order};
use crate::mesh::{self, Mesh};
use crate::proxy::Variant;
use crate::stamp::Stamp;
use crate::tally::Watch;
use crate::way::Way;

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
    pub mesh: Mesh,
}

/// A running control plane; killed when dropped.
struct Running {
    child: Child,
    /// `host:port`
    address: String,
}

impl Product {
    /// One round of all cases.
    ///
    /// # Errors
    /// The control plane or a proxy failed.
    pub async fn run(&self, plan: &Plan) -> Result<Vec<Taken>> {
        let data = std::env::temp_dir().join(format!("ferromesh-scale-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let measured = self.measure(plan, &data).await;
        let _ = std::fs::remove_dir_all(&data);
        measured
    }

    async fn measure(&self, plan: &Plan, data: &Path) -> Result<Vec<Taken>> {
        let proxies = self.mesh.proxies;
        let mut taken = Vec::new();
        let mut take = |case: &str, metric, value| {
            taken.push(Taken {
                server: "ferromesh serve".to_owned(),
                proxies,
                clusters: self.mesh.services,
                case: case.to_owned(),
                metric,
                value,
            });
        };
        let port = free_port()?;
        let filling = self.start(data, port).await?;
        let began = Instant::now();
        for (path, body) in self.mesh.puts() {
            filling.put(&path, body).await?;
        }
        take("product-fill", "s", began.elapsed().as_secs_f64());
        filling.kill().await?;

        // Cold: nothing runs, and all proxies come at once.
        let began = Instant::now();
        let server = self.start(data, port).await?;
        let order = Order::of(Way::plain(&server.address), &Mesh::nodes(), proxies, Variant::Delta);
        let fleet = Fleet::launch(&order);
        fleet.complete(PATIENCE).await?;
        take("product-cold", "all_ready_s", began.elapsed().as_secs_f64());
        tokio::time::sleep(SETTLE).await;
        take("product-cold", "cpu_s", server.cpu()?.as_secs_f64());
        take("product-cold", "rss_mb", server.rss_mb()?);
        take("product-cold", "reconnects", fleet.tally.reconnect_count() as f64);

        for case in ["product-endpoint", "product-route"]
            .into_iter()
            .filter(|case| plan.wants(case))
        {
            let (mut latencies, mut lost) = (Vec::new(), 0);
            let (before, spent) = (fleet.tally.traffic(), server.cpu()?);
            for number in 0..plan.changes {
                let asked = Stamp::now();
                let service = number % self.mesh.services;
                let (path, body) = if case == "product-endpoint" {
                    // An address carries no stamp.
                    fleet.tally.watch(Watch {
                        type_url: ENDPOINT,
                        asked,
                    });
                    mesh::task(service, number + 1)
                } else {
                    mesh::stamped_route(service, asked)
                };
                server.put(&path, body).await?;
                let until = Instant::now() + ARRIVAL;
                while fleet.tally.deliveries(asked) < proxies && Instant::now() < until {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                lost += proxies.saturating_sub(fleet.tally.deliveries(asked));
                latencies.extend(fleet.tally.latencies(&[asked]));
                tokio::time::sleep(plan.pause).await;
            }
            latencies.sort_unstable_by(f64::total_cmp);
            let deliveries = (plan.changes * proxies) as f64;
            let sent = fleet.tally.traffic();
            take(case, "p50_ms", percentile(&latencies, 0.50));
            take(case, "p99_ms", percentile(&latencies, 0.99));
            take(
                case,
                "cpu_s_per_change",
                (server.cpu()? - spent).as_secs_f64() / plan.changes as f64,
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
            server.get(&Mesh::path()).await?;
            slowest = slowest.max(asked.elapsed());
            peak = peak.max(server.rss_mb()?);
        }
        // They are told of one more change: whoever has it has converged.
        let asked = Stamp::now();
        let (path, body) = mesh::stamped_route(0, asked);
        server.put(&path, body).await?;
        while fleet.tally.deliveries(asked) < proxies && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        take("product-return", "converged_s", began.elapsed().as_secs_f64());
        take(
            "product-return",
            "lost",
            proxies.saturating_sub(fleet.tally.deliveries(asked)) as f64,
        );
        take("product-return", "api_slowest_ms", slowest.as_secs_f64() * 1e3);
        take("product-return", "peak_rss_mb", peak);
        let (failed, why) = fleet.tally.failures();
        ensure!(failed == 0, "{failed} proxies failed: {why:?}");
        Ok(taken)
    }

    async fn start(&self, data: &Path, port: u16) -> Result<Running> {
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(&self.program)
            .args(["serve", "--listen", &address, "--data"])
            // What a change costs is measured, not how long its stages are watched.
            .env("FERROMESH_ROLLOUT", "immediate")
            .arg(data)
            .env("FERROMESH_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut running = Running { child, address };
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
}

impl Running {
    async fn put(&self, path: &str, body: Value) -> Result<()> {
        let client = client()?;
        let answer = client
            .put(format!("http://{}{path}", self.address))
            .json(&body)
            .send()
            .await?;
        let status = answer.status();
        ensure!(status.is_success(), "PUT {path}: {status}: {}", answer.text().await?);
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<()> {
        let answer = client()?.get(format!("http://{}{path}", self.address)).send().await?;
        ensure!(answer.status().is_success(), "GET {path}: {}", answer.status());
        Ok(())
    }

    /// kill -9, and waits until it is gone: its store is locked until then.
    async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    fn cpu(&self) -> Result<Duration> {
        meter::cpu(self.id()?)
    }

    fn rss_mb(&self) -> Result<f64> {
        Ok(meter::rss_kb(self.id()?)? as f64 / 1024.0)
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
