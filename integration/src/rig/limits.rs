//! What global rate limits need: a real store that can be killed, and instances of the rate limit service.

use std::process::Command;

use anyhow::Result;

use super::{eventually, paths, ports, Process, Rig, PATIENCE};

/// Debian's `redis-server` on a loopback port; what it holds is gone when it ends.
#[derive(Debug)]
pub struct LimitStore {
    process: Option<Process>,
    port: u16,
}

/// `ferromesh rate-limit-service`.
#[derive(Debug)]
pub struct LimitService {
    process: Process,
    port: u16,
}

impl Rig {
    /// Starts a store and waits until it listens.
    pub async fn limit_store(&self) -> Result<LimitStore> {
        let mut store = LimitStore {
            process: None,
            port: ports::free()?,
        };
        store.start(self).await?;
        Ok(store)
    }

    /// Starts an instance on a store and waits until it is ready.
    pub async fn limit_service(&self, store: &LimitStore) -> Result<LimitService> {
        let port = ports::free()?;
        let mut command = Command::new(paths::ferromesh()?);
        command
            .arg("rate-limit-service")
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--store", &format!("redis://127.0.0.1:{}", store.port)])
            // This machine compiles beside it.
            .args(["--store-timeout", "2000"]);
        let service = LimitService {
            process: self.spawn(&format!("rate-limit-service-{port}"), command)?,
            port,
        };
        service.until_readiness(self, 200).await?;
        Ok(service)
    }
}

impl LimitStore {
    /// Starts it again after [`LimitStore::kill`], on the same port.
    pub async fn start(&mut self, rig: &Rig) -> Result<()> {
        let mut command = Command::new(paths::redis()?);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no"]);
        self.process = Some(rig.spawn("redis-server", command)?);
        eventually("the store listens", PATIENCE, async || {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await;
            stream.is_ok().then_some(())
        })
        .await
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }
}

impl LimitService {
    /// `host:port` of the instance.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until `/readyz` answers with a status.
    pub async fn until_readiness(&self, rig: &Rig, status: u16) -> Result<()> {
        let url = format!("http://{}/readyz", self.address());
        eventually("the service's readiness", PATIENCE, async || {
            let answer = rig.client().get(&url).send().await.ok()?;
            (answer.status().as_u16() == status).then_some(())
        })
        .await
    }

    /// Its metrics as text.
    pub async fn metrics(&self, rig: &Rig) -> Result<String> {
        let url = format!("http://{}/metrics", self.address());
        Ok(rig.client().get(&url).send().await?.text().await?)
    }
}
