//! The rig: the built `ferromesh` binary, stock Envoy and the unmodified `aws` CLI, run on free ports with a
//! data directory of their own, and ended with everything they started when the rig is dropped.

pub mod aws;
pub mod envoy;
pub mod etcd;
pub mod etcd_cluster;
pub mod example;
pub mod limits;
pub mod namespace;
pub mod network;
pub mod paths;
pub mod ports;
pub mod process;
pub mod program;
pub mod proxy;
pub mod rest;
pub mod task;

pub use aws::Refusal;
pub use envoy::Envoy;
pub use etcd::Etcd;
pub use etcd_cluster::EtcdCluster;
pub use namespace::Namespace;
pub use network::Network;
pub use process::Process;
pub use proxy::Proxy;
pub use task::Task;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, ensure, Context, Result};
use tempfile::TempDir;

/// How long a part of the rig may take to come up. Generous, because a loaded machine of two cores compiles
/// the filter module in several Envoys at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOPBACK: &str = "127.0.0.1";

/// Which filter modules the control plane finds.
#[derive(Clone, Debug, Default)]
pub enum Modules {
    /// Those that `cargo xtask wasm` built.
    #[default]
    Built,
    /// None at all: the mesh runs on what Envoy does natively.
    Absent,
    /// Those in a folder.
    Folder(PathBuf),
}

/// A control plane and the proxies around it.
#[derive(Debug)]
pub struct Rig {
    // Order matters: processes end before their folder goes.
    control_plane: Option<Process>,
    modules: Modules,
    /// More arguments of `ferromesh serve`.
    arguments: Vec<String>,
    /// Its data folder.
    data: PathBuf,
    port: u16,
    client: reqwest::Client,
    marker: process::Marker,
    dir: TempDir,
}

impl Rig {
    /// Starts a control plane with the built filter modules and waits until it is ready.
    pub async fn start() -> Result<Self> {
        Self::start_with(Modules::Built).await
    }

    /// Starts a control plane with the given filter modules and waits until it is ready.
    pub async fn start_with(modules: Modules) -> Result<Self> {
        Self::start_as(modules, Vec::new(), None).await
    }

    /// Starts a control plane with more arguments, and with its data in a folder that is not the rig's own.
    pub async fn start_as(modules: Modules, arguments: Vec<String>, data: Option<PathBuf>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ferromesh-rig-").tempdir()?;
        let mut rig = Self {
            control_plane: None,
            modules,
            arguments,
            data: data.unwrap_or_else(|| dir.path().join("data")),
            port: ports::free()?,
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()?,
            marker: process::Marker::new(),
            dir,
        };
        rig.start_control_plane().await?;
        Ok(rig)
    }

    /// `host:port` of the control plane.
    pub fn address(&self) -> String {
        format!("{LOOPBACK}:{}", self.port)
    }

    /// The control plane's Unix socket, which unlike its port is reachable from every network namespace.
    pub fn socket(&self) -> String {
        format!("unix://{}", self.file("control-plane.sock").display())
    }

    /// A file of the rig's own folder, which goes when the rig goes.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the control plane again after [`Rig::kill_control_plane`], with the same data and port.
    pub async fn start_control_plane(&mut self) -> Result<()> {
        let mut command = match &self.modules {
            Modules::Absent => Command::new(self.program_alone()?),
            _ => Command::new(paths::ferromesh()?),
        };
        command
            .arg("serve")
            // Tests of other things do not wait for stages; tests of stages say so by flags, which go before.
            .env("FERROMESH_ROLLOUT", "immediate")
            .args(["--listen", &self.address()])
            .args(["--listen", &self.socket()])
            .args(&self.arguments)
            .arg("--data")
            .arg(&self.data);
        match &self.modules {
            Modules::Built => command.arg("--modules").arg(paths::modules()?),
            Modules::Folder(folder) => command.arg("--modules").arg(folder),
            Modules::Absent => command.env_remove("FERROMESH_MODULES"),
        };
        let process = self.spawn("serve", command)?;
        let process = self.control_plane.insert(process);
        let ready = format!("http://{}:{}/readyz", LOOPBACK, self.port);
        let waited = eventually("the control plane is ready", PATIENCE, async || {
            if !process.is_running() {
                return Some(false);
            }
            let answer = self.client.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(true)
        })
        .await;
        match waited {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.explain(anyhow!("the control plane has ended"))),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// A copy of the program in a folder of its own: it looks for modules beside itself.
    fn program_alone(&self) -> Result<PathBuf> {
        let folder = self.file("alone/bin");
        std::fs::create_dir_all(&folder)?;
        let program = folder.join("ferromesh");
        if !program.exists() {
            // By a process of its own: what this one has open for writing, a child forked by another test's thread has too,
            // and the kernel starts no program that somebody writes ("text file busy").
            let status = Command::new("cp").arg(paths::ferromesh()?).arg(&program).status()?;
            ensure!(status.success(), "cp ended with {status}");
        }
        Ok(program)
    }

    /// The control plane's process; `None` after [`Rig::kill_control_plane`].
    pub fn control_plane(&mut self) -> Option<&mut Process> {
        self.control_plane.as_mut()
    }

    /// kill -9, as a machine that dies would.
    pub fn kill_control_plane(&mut self) {
        // Dropping a process kills it and waits for its end.
        self.control_plane = None;
    }

    /// The control plane's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("serve.log")).unwrap_or_default()
    }

    /// Starts a process that ends with the rig, its output in `<name>.log` of the rig's folder.
    pub fn spawn(&self, name: &str, mut command: Command) -> Result<Process> {
        self.marker.put_on(&mut command);
        Process::spawn(name, command, self.dir.path())
    }

    /// Every process that the rig started, or that one of those started, and that still runs.
    pub fn running(&self) -> Vec<process::Found> {
        self.marker.find()
    }

    /// Ends everything and says what, if anything, could not be ended.
    pub fn shut_down(mut self) -> Result<()> {
        self.control_plane = None;
        self.marker.kill();
        let left = self.marker.find();
        if !left.is_empty() {
            bail!("still running after the end: {left:?}");
        }
        Ok(())
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("control plane log:\n{}", process::tail(&self.log())))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.control_plane = None;
        self.marker.kill();
    }
}

/// Asks again and again, every 20 ms, until the answer is `Some`; fails with `what` when the time is up.
pub async fn eventually<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if started.elapsed() > patience {
            bail!("did not come within {patience:?}: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The status that a GET gets, or `None` when there is no answer.
pub async fn status(url: &str) -> Option<u16> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .ok()?;
    Some(client.get(url).send().await.ok()?.status().as_u16())
}

/// Waits until a GET of `url` gets `expected`.
pub async fn wait_for_status(url: &str, expected: u16) -> Result<()> {
    let mut last = None;
    let what = format!("{expected} from {url}");
    let waited = eventually(&what, PATIENCE, async || {
        last = status(url).await;
        (last == Some(expected)).then_some(())
    })
    .await;
    waited.with_context(|| format!("last answer: {last:?}"))
}
