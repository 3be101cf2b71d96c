//! A server under measurement: started, asked, killed, looked at.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use ferromesh_integration::rig::{eventually, paths, ports, Process, PATIENCE};
use serde_json::Value;

/// Ticks of `/proc/<pid>/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

/// A server, which ends when it is dropped.
pub struct Server {
    // Dropped, and so ended, before another one starts on its port and data.
    process: Option<Process>,
    client: Client,
    port: u16,
    folder: PathBuf,
}

/// A connection to a server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
}

impl Server {
    /// A control plane with its data in this folder.
    pub async fn ferromesh(folder: &Path) -> Result<Self> {
        let mut server = Self::on_a_free_port(folder)?;
        server.restart().await?;
        Ok(server)
    }

    /// `moto_server` with its log in this folder; everything it has is in memory.
    pub async fn moto(folder: &Path) -> Result<Self> {
        let site =
            std::env::var_os("FERROMESH_MOTO").context("FERROMESH_MOTO is not set; run `cargo xtask bench api`")?;
        let mut server = Self::on_a_free_port(folder)?;
        let mut command = Command::new(paths::python()?);
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &server.port.to_string()])
            .env("PYTHONPATH", site);
        server.process = Some(Process::spawn("moto", command, folder)?);
        let answers = format!("{}/moto-api/", server.client.endpoint);
        server.answers(&answers).await?;
        Ok(server)
    }

    fn on_a_free_port(folder: &Path) -> Result<Self> {
        let port = ports::free()?;
        Ok(Self {
            process: None,
            client: Client::of(format!("http://127.0.0.1:{port}"))?,
            port,
            folder: folder.to_owned(),
        })
    }

    /// kill -9, if it runs, and a start over the same data; the time until it is ready.
    pub async fn restart(&mut self) -> Result<Duration> {
        self.process = None;
        let mut command = Command::new(paths::ferromesh()?);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(self.folder.join("data"))
            .arg("--modules")
            .arg(paths::modules()?)
            // One line for each change is not what is measured.
            .env("FERROMESH_LOG", "warn");
        let began = Instant::now();
        self.process = Some(Process::spawn("serve", command, &self.folder)?);
        let ready = format!("{}/readyz", self.client.endpoint);
        self.answers(&ready).await?;
        Ok(began.elapsed())
    }

    async fn answers(&self, url: &str) -> Result<()> {
        let http = &self.client.http;
        let waited = eventually("the server is ready", PATIENCE, async || {
            let answer = http.get(url).send().await.ok()?;
            answer.status().is_success().then_some(())
        });
        waited
            .await
            .with_context(|| self.process.as_ref().map(Process::log).unwrap_or_default())
    }

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.client.endpoint
    }

    /// Another connection.
    pub fn another_client(&self) -> Result<Client> {
        Client::of(self.client.endpoint.clone())
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.client.put(path, body).await
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.client.get(path).await
    }

    /// Its processor time since its start, of threads that have ended too.
    pub fn cpu(&self) -> Result<Duration> {
        let text = std::fs::read_to_string(self.proc("stat")?)?;
        // The name of the program, in parentheses, may hold anything.
        let fields: Vec<&str> = text
            .rsplit_once(')')
            .context("stat")?
            .1
            .split_ascii_whitespace()
            .collect();
        let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field).context("stat")?.parse()?) };
        // Fields 14 and 15, in user mode and in the kernel.
        Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) / TICKS))
    }

    /// Memory that it has in RAM.
    pub fn rss_mib(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.proc("status")?)?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line.context("VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Size of all files of its data.
    pub fn store_mib(&self) -> Result<f64> {
        Ok(size(&self.folder.join("data"))? as f64 / f64::from(1 << 20))
    }

    fn proc(&self, file: &str) -> Result<String> {
        let process = self.process.as_ref().context("the server runs")?;
        Ok(format!("/proc/{}/{file}", process.id()))
    }
}

fn size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(sum)
}

impl Client {
    fn of(endpoint: String) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Self { http, endpoint })
    }

    /// `PUT /v20190125/<path>`, which must be accepted.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.http.put(self.url(path)).body(body.to_string())).await
    }

    /// `GET /v20190125/<path>`, which must be accepted.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.answer(self.http.get(self.url(path))).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v20190125/{path}", self.endpoint)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer = request.header("content-type", "application/json").send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}
