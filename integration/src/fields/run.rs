//! One case from its network to its end.

use std::{collections::BTreeMap, net::IpAddr, process::Command};

use anyhow::{anyhow, ensure, Context, Result};

use super::{
    case::Case,
    certificates::Certificates,
    place::{Place, Places},
    resources,
    server::{Arrived, Server},
    step,
};
use crate::rig::{
    envoy::Admin,
    eventually, ports,
    process::{tail, Process},
    Rig, PATIENCE,
};

/// What a step works with.
pub struct Running<'a> {
    pub case: &'a Case,
    pub certificates: Certificates,
    servers: BTreeMap<String, Server>,
    proxy: Process,
    across: Option<Process>,
    admin: Admin,
    places: Places,
}

/// Runs a case: makes its mesh and its network, starts servers and proxy, and does its steps.
///
/// # Errors
/// What differs from what is expected, with the end of Envoy's log.
pub async fn run(rig: &Rig, case: &Case, certificates: &Certificates) -> Result<()> {
    let mesh: String = case
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    resources::create(rig, &mesh, &case.resources).await?;
    let places = Places::make()?;
    let ports = case.redirected_ports();
    if let Some(ports) = ports {
        places.mesh.namespace.redirect(&ports)?;
    }
    let mut servers = BTreeMap::new();
    for (name, spec) in &case.servers {
        let place = if spec.at.ip().is_loopback() {
            &places.mesh
        } else {
            &places.world
        };
        let start = Server::start(name.clone(), spec.clone(), certificates.clone());
        servers.insert(name.clone(), place.run(start).await?.with_context(|| name.clone())?);
    }
    let running = Running {
        case,
        certificates: certificates.clone(),
        servers,
        proxy: start_proxy(rig, &mesh, &case.proxy, case, &places.mesh)?,
        across: match &case.across {
            None => None,
            Some(across) => Some(start_proxy(rig, &mesh, across, case, &places.world)?),
        },
        // In a namespace of its own every proxy has App Mesh's ports.
        admin: Admin::at("127.0.0.1:9901".to_owned()),
        places,
    };
    let done = running.done().await;
    done.map_err(|error| {
        let across = running.across.as_ref().map(Process::log).unwrap_or_default();
        anyhow!(
            "{error:#}\nend of the proxy's log:\n{}\n{}",
            tail(&running.proxy.log()),
            tail(&across)
        )
    })
}

fn start_proxy(rig: &Rig, mesh: &str, proxy: &str, case: &Case, place: &Place) -> Result<Process> {
    let mut command = rig.proxy_command(&format!("mesh/{mesh}/{proxy}"))?;
    // One worker: a limit of one connection is one for each worker, and round robin is exact.
    command
        .env("ENVOY_CONCURRENCY", "1")
        .env("APPMESH_XDS_ENDPOINT", rig.socket());
    command.envs(&case.environment);
    if !case.hosts.is_empty() {
        let file = rig.file(&format!("hosts-{}", ports::free()?));
        let lines = case
            .hosts
            .iter()
            .flat_map(|(name, addresses)| addresses.iter().map(move |address| format!("{address} {name}\n")));
        std::fs::write(&file, lines.collect::<String>())?;
        command = with_hosts(&command, &file);
    }
    rig.spawn(
        &format!("fields-{mesh}-{}", proxy.replace('/', "-")),
        place.namespace.as_envoy(&command),
    )
}

/// The command with another `/etc/hosts`, which only it sees: `ip netns exec` gives it mounts of its own.
fn with_hosts(command: &Command, file: &std::path::Path) -> Command {
    let mut inner = Command::new("sh");
    inner
        .args(["-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""])
        .arg(file)
        .arg(command.get_program())
        .args(command.get_args());
    inner.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        inner.current_dir(folder);
    }
    inner
}

impl Case {
    /// The ports that arrive at a node's ingress listener; `None` for a gateway, whose traffic nobody redirects.
    fn redirected_ports(&self) -> Option<Vec<u16>> {
        let node = self.proxy.strip_prefix("virtualNode/")?;
        let spec = self
            .resources
            .iter()
            .find(|one| one.kind == "virtualNode" && one.name == node)?;
        let listeners = spec.spec["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
        let port = |listener: &serde_json::Value| u16::try_from(listener["portMapping"]["port"].as_u64()?).ok();
        Some(listeners.iter().filter_map(port).collect())
    }
}

impl Running<'_> {
    async fn done(&self) -> Result<()> {
        self.wait_until_serving().await?;
        for (number, step) in self.case.steps.iter().enumerate() {
            step.run(self).await.with_context(|| format!("step {}", number + 1))?;
        }
        let rejected = self.stats("update_rejected").await?;
        ensure!(
            rejected.values().all(|count| *count == 0),
            "Envoy refused a configuration: {rejected:?}"
        );
        Ok(())
    }

    async fn wait_until_serving(&self) -> Result<()> {
        let expected = [
            ("server.live", 1),
            ("listener_manager.workers_started", 1),
            ("listener_manager.total_listeners_warming", 0),
            ("cluster_manager.warming_clusters", 0),
        ];
        eventually("Envoy serves", PATIENCE, async || {
            let stats = self.stats("^(server|listener_manager|cluster_manager)\\.").await.ok()?;
            let serves = expected.iter().all(|(name, value)| stats.get(*name) == Some(value));
            serves.then_some(())
        })
        .await
    }

    pub fn server(&self, name: &str) -> Result<&Server> {
        self.servers.get(name).with_context(|| format!("no server {name}"))
    }

    /// What has reached each server so far.
    pub fn arrived(&self) -> BTreeMap<String, Arrived> {
        let servers = self.servers.iter();
        servers.map(|(name, server)| (name.clone(), server.arrived())).collect()
    }

    /// Where a client of an address is.
    pub fn place(&self, address: &IpAddr) -> &Place {
        if step::is_of_the_mesh(address) {
            &self.places.world
        } else {
            &self.places.mesh
        }
    }

    /// What Envoy's admin interface answers.
    pub async fn admin(&self, path: &str) -> Result<String> {
        let (admin, path) = (self.admin.clone(), path.to_owned());
        self.places.mesh.run(async move { admin.get(&path).await }).await?
    }

    /// Envoy's counters and gauges whose name matches an expression.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>> {
        let (admin, filter) = (self.admin.clone(), filter.to_owned());
        self.places.mesh.run(async move { admin.stats(&filter).await }).await?
    }
}

/// The cases' folder.
pub fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fields")
}
