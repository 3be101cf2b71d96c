//! A task as a container service would run it: a network namespace with an application and a proxy beside it.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{ensure, Context, Result};
use tokio::runtime::{Builder, Runtime};

use super::{envoy::Admin, eventually, Namespace, Network, Process, Rig, PATIENCE};
use crate::upstream::{Echo, Upstream};

/// Where Envoy's admin interface is, in every task's own network.
const ADMIN: &str = "127.0.0.1:9901";

/// A task with its processes. Dropping it ends them and removes the namespace.
#[derive(Debug)]
pub struct Task {
    // Order matters: what runs in the namespace ends before it goes.
    proxy: Option<Process>,
    app: App,
    address: Ipv4Addr,
    namespace: Namespace,
}

/// What a task's application serves, on a thread of the task's namespace.
#[derive(Debug, Default)]
struct App {
    http: Vec<Upstream>,
    tcp: Vec<Echo>,
    runtime: Option<Runtime>,
}

impl Drop for App {
    fn drop(&mut self) {
        // Waiting for a runtime's end is not allowed where another one runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Task {
    /// A task without processes, at an address of a network.
    pub fn create(network: &Network, name: &str, address: Ipv4Addr) -> Result<Self> {
        let namespace = Namespace::create(name)?;
        network.join(&namespace, address)?;
        Ok(Self {
            proxy: None,
            app: App::default(),
            address,
            namespace,
        })
    }

    /// Its address in the network.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its network, and what its processes see.
    pub fn namespace(&mut self) -> &mut Namespace {
        &mut self.namespace
    }

    /// Starts an HTTP application on a port of the task's loopback.
    pub fn serve_http(&mut self, name: &str, port: u16) -> Result<()> {
        self.serve_http_at(name, loopback(port))
    }

    /// Starts an HTTP application on an address: one without a proxy is reached at the task's own.
    pub fn serve_http_at(&mut self, name: &str, address: SocketAddr) -> Result<()> {
        let upstream = self.start(Upstream::start_at(name, address))?;
        self.app.http.push(upstream);
        Ok(())
    }

    /// Starts a TCP application on a port of the task's loopback: see [`Echo`].
    pub fn serve_tcp(&mut self, name: &str, port: u16) -> Result<()> {
        let echo = self.start(Echo::start_at(name, loopback(port)))?;
        self.app.tcp.push(echo);
        Ok(())
    }

    /// Runs a server's start on a thread of the namespace; whatever it opens and spawns belongs there.
    fn start<T: Send>(&mut self, server: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let runtime = &mut self.app.runtime;
        self.namespace.inside(|| {
            if runtime.is_none() {
                // Its worker is started by this thread and so belongs to the namespace as well.
                *runtime = Some(Builder::new_multi_thread().worker_threads(1).enable_all().build()?);
            }
            let runtime = runtime.as_ref().context("a runtime")?;
            runtime.block_on(server)
        })?
    }

    /// An HTTP application by its name.
    pub fn http(&self, name: &str) -> &Upstream {
        let found = self.app.http.iter().find(|upstream| upstream.name() == name);
        found.unwrap_or_else(|| panic!("no application {name} in this task"))
    }

    /// A TCP application by its name.
    pub fn tcp(&self, name: &str) -> &Echo {
        let found = self.app.tcp.iter().find(|echo| echo.name() == name);
        found.unwrap_or_else(|| panic!("no application {name} in this task"))
    }

    /// Starts a virtual node's proxy, with App Mesh's redirection for the applications' ports.
    pub fn start_sidecar(&mut self, rig: &Rig, resource: &str) -> Result<()> {
        let http = self.app.http.iter().map(Upstream::port);
        let ports: Vec<u16> = http.chain(self.app.tcp.iter().map(Echo::port)).collect();
        self.namespace.redirect(&ports)?;
        self.start_proxy(rig, resource)
    }

    /// Starts a virtual gateway's proxy, or a second time whichever was there; nothing is redirected.
    pub fn start_proxy(&mut self, rig: &Rig, resource: &str) -> Result<()> {
        self.proxy = None;
        let mut command = rig.proxy_command(resource)?;
        command.env("APPMESH_XDS_ENDPOINT", rig.socket());
        let name = format!("proxy-{}", resource.rsplit('/').next().unwrap_or(resource));
        self.proxy = Some(rig.spawn(&name, self.namespace.as_envoy(&command))?);
        Ok(())
    }

    /// Runs a client of the task's own: on a thread of the namespace.
    pub fn client<T: Send, F: Future<Output = Result<T>>>(&self, act: impl FnOnce() -> F + Send) -> Result<T> {
        self.namespace.inside(|| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(act())
        })?
    }

    /// The sum of the Envoy counters whose name matches an RE2 expression.
    pub fn sum(&self, filter: &str) -> Result<u64> {
        self.client(async || Admin::at(ADMIN.to_owned()).sum(filter).await)
    }

    /// A page of the Envoy's admin interface, for a message that says why a test failed.
    pub fn admin_page(&self, path: &str) -> String {
        let page = self.client(async || Admin::at(ADMIN.to_owned()).get(path).await);
        page.unwrap_or_else(|error| error.to_string())
    }

    /// Waits until the task's Envoy is live.
    pub async fn wait_until_live(&self) -> Result<()> {
        eventually("the task's Envoy is live", PATIENCE, async || {
            let live = self.client(async || Ok(Admin::at(ADMIN.to_owned()).is_live().await));
            live.ok().filter(|live| *live).map(drop)
        })
        .await
        .with_context(|| {
            let log = self.proxy.as_ref().map(Process::log).unwrap_or_default();
            format!("proxy log:\n{}", super::process::tail(&log))
        })?;
        ensure!(self.proxy.is_some(), "no proxy was started");
        Ok(())
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
