//! Stock Envoy: its admin interface, and Envoys with a static configuration.

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, paths, process::Marker, Process, PATIENCE};

/// The admin interface of a running Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    address: String,
    client: reqwest::Client,
}

impl Admin {
    /// The interface at `host:port`.
    pub fn at(address: String) -> Self {
        Self {
            address,
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()
                .unwrap_or_default(),
        }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// GET of a path such as `/stats/prometheus`.
    pub async fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.address);
        let answer = self.client.get(url).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Whether Envoy serves.
    pub async fn is_live(&self) -> bool {
        matches!(self.get("/ready").await, Ok(text) if text.trim() == "LIVE")
    }

    /// Counters and gauges whose name matches an RE2 expression.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>> {
        let escaped: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let text = self.get(&format!("/stats?filter={escaped}")).await?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(": ")?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// The sum of the counters whose name matches an RE2 expression.
    pub async fn sum(&self, filter: &str) -> Result<u64> {
        Ok(self.stats(filter).await?.values().sum())
    }

    /// Envoy's Prometheus output: series with labels to value.
    pub async fn prometheus(&self) -> Result<BTreeMap<String, f64>> {
        let text = self.get("/stats/prometheus").await?;
        Ok(text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                Some((series.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// The address that a listener is bound to, for listeners configured on port 0. Waits for it: Envoy is live a
    /// moment before its workers listen.
    pub async fn listener(&self, name: &str) -> Result<String> {
        eventually(&format!("listener {name} is bound"), PATIENCE, async || {
            let listeners: Value = serde_json::from_str(&self.get("/listeners?format=json").await.ok()?).ok()?;
            let all = listeners["listener_statuses"].as_array()?;
            let found = all.iter().find(|listener| listener["name"] == name)?;
            let address = &found["local_address"]["socket_address"];
            let port = address["port_value"].as_u64().filter(|port| *port != 0)?;
            Some(format!("{}:{port}", address["address"].as_str()?))
        })
        .await
    }
}

/// An Envoy with a static configuration, ended when dropped.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: Admin,
    _dir: TempDir,
}

impl Envoy {
    /// Starts Envoy with one worker and a YAML or JSON configuration whose admin interface is on 127.0.0.1
    /// port 0, and waits until it is live.
    pub async fn start(configuration: &str) -> Result<Self> {
        Self::start_with_workers(configuration, 1).await
    }

    /// As [`Envoy::start`], with so many workers.
    pub async fn start_with_workers(configuration: &str, workers: usize) -> Result<Self> {
        Self::launch(configuration, Command::new(paths::envoy()?), workers).await
    }

    /// As [`Envoy::start`], on one processor core.
    pub async fn start_on_core(configuration: &str, core: usize) -> Result<Self> {
        // Before Envoy starts its threads, so that they inherit it.
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &core.to_string()]).arg(paths::envoy()?);
        Self::launch(configuration, command, 1).await
    }

    async fn launch(configuration: &str, mut command: Command, workers: usize) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ferromesh-envoy-").tempdir()?;
        let file = dir.path().join("envoy.yaml");
        std::fs::write(&file, configuration)?;
        let address = dir.path().join("admin");
        command
            .arg("-c")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&address)
            .args([
                "--disable-hot-restart",
                "-l",
                "warning",
                "--file-flush-interval-msec",
                "100",
            ])
            .args(["--concurrency", &workers.to_string()]);
        Marker::new().put_on(&mut command);
        let process = Process::spawn("envoy", command, dir.path())?;
        let live = eventually("Envoy is live", PATIENCE, async || {
            let address = std::fs::read_to_string(&address).ok()?;
            let admin = Admin::at(address.trim().to_owned());
            admin.is_live().await.then_some(admin)
        })
        .await;
        let admin = live.with_context(|| format!("Envoy's log:\n{}", super::process::tail(&process.log())))?;
        Ok(Self {
            process,
            admin,
            _dir: dir,
        })
    }

    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}
