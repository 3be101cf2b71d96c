//! `ferromesh proxy` with stock Envoy: one proxy of the mesh.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};

use super::{envoy::Admin, eventually, paths, ports, Process, Rig, PATIENCE};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    process: Process,
    admin: Admin,
    agent: u16,
}

impl Rig {
    /// Starts a proxy for a resource such as `mesh/m/virtualGateway/g` and waits until Envoy has its first
    /// configuration from the control plane.
    pub async fn proxy(&self, resource: &str) -> Result<Proxy> {
        let proxy = self.start_proxy(resource)?;
        proxy.wait_until_live().await?;
        Ok(proxy)
    }

    /// Starts a proxy and does not wait.
    pub fn start_proxy(&self, resource: &str) -> Result<Proxy> {
        self.start_proxy_with(resource, &[])
    }

    /// The same, with more variables.
    pub fn start_proxy_with(&self, resource: &str, variables: &[(&str, &str)]) -> Result<Proxy> {
        let admin = ports::free()?;
        let agent = ports::free()?;
        let mut command = self.proxy_command(resource)?;
        command
            .env("ENVOY_ADMIN_ACCESS_PORT", admin.to_string())
            .env("APPNET_AGENT_HTTP_PORT", agent.to_string())
            .envs(variables.iter().copied());
        let name = format!("proxy-{}", resource.rsplit('/').next().unwrap_or("proxy"));
        Ok(Proxy {
            process: self.spawn(&name, command)?,
            admin: Admin::at(format!("127.0.0.1:{admin}")),
            agent,
        })
    }

    /// `ferromesh proxy` with App Mesh's environment; ports are the caller's.
    pub fn proxy_command(&self, resource: &str) -> Result<Command> {
        let mut command = Command::new(paths::ferromesh()?);
        command
            .arg("proxy")
            .env("FERROMESH_ENVOY", paths::envoy()?)
            .env("APPMESH_RESOURCE_ARN", resource)
            .env("APPMESH_XDS_ENDPOINT", self.address())
            .env("APPNET_AGENT_HTTP_BIND_ADDRESS", "127.0.0.1")
            .env("ENVOY_CONCURRENCY", "2")
            .env("LISTENER_DRAIN_WAIT_TIME_S", "5")
            .env("ENVOY_LOG_LEVEL", "warning");
        // Each proxy of a test keeps its files (bootstrap, last good configuration) in a folder of its own.
        let files = self.file(&format!("proxy-{}", ports::free()?));
        std::fs::create_dir_all(&files)?;
        command.env("TMPDIR", &files).current_dir(&files);
        Ok(command)
    }
}

impl Proxy {
    /// Envoy's admin interface.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The port of the agent's HTTP interface.
    pub fn agent_port(&self) -> u16 {
        self.agent
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until Envoy says LIVE: its first clusters and listeners have come.
    pub async fn wait_until_live(&self) -> Result<()> {
        eventually("Envoy is live", PATIENCE, async || {
            self.admin.is_live().await.then_some(())
        })
        .await
        .with_context(|| format!("proxy log:\n{}", super::process::tail(&self.log())))
    }

    /// Waits until a cluster's `membership_healthy` is at least one, for every cluster of the mesh.
    pub async fn wait_until_healthy(&self) -> Result<()> {
        eventually("every cluster has a healthy host", PATIENCE, async || {
            let stats = self.admin.stats("^cluster\\.cds_.*membership_healthy$").await.ok()?;
            (!stats.is_empty() && stats.values().all(|healthy| *healthy > 0)).then_some(())
        })
        .await
    }

    /// SIGTERM, then the exit status; `None` when it has not ended within `patience`.
    pub async fn terminate(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        self.process.terminate();
        self.process.ended(patience).await
    }
}
