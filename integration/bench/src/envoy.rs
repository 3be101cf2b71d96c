//! Stock Envoy processes for a benchmark: found, pinned to a core, ended on drop.

use anyhow::{bail, Context, Result};
use serde_json::Value;
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running Envoy. Dropping it kills the process.
pub struct Envoy {
    child: Child,
    pub port: u16,
}

impl Envoy {
    /// Writes `config` into `folder`, starts Envoy with one worker on `core` and waits until `port` accepts.
    pub fn start(folder: &Path, name: &str, core: usize, port: u16, config: &Value) -> Result<Self> {
        let file = folder.join(format!("{name}.json"));
        let log = fs::File::create(folder.join(format!("{name}.log")))?;
        fs::write(&file, serde_json::to_vec_pretty(config)?)?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(binary()?)
            .arg("-c")
            .arg(&file)
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "warning"])
            .args(["--service-node", name, "--service-cluster", "bench"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("start Envoy under taskset")?;
        let mut envoy = Self { child, port };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = envoy.child.try_wait()? {
                let text = fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
                bail!(
                    "Envoy '{name}' ended with {status}:\n{}",
                    text.lines().rev().take(8).collect::<Vec<_>>().join("\n")
                );
            }
            if Instant::now() > until {
                bail!("Envoy '{name}' does not listen on port {port} after 30 s");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(envoy)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Envoy binary: `FERROMESH_ENVOY`, which `cargo xtask bench` sets.
fn binary() -> Result<PathBuf> {
    env::var_os("FERROMESH_ENVOY")
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .context("FERROMESH_ENVOY names no Envoy: run this through `cargo xtask bench`")
}

/// The path of a filter module below `FERROMESH_MODULES`, which `cargo xtask bench` sets.
pub fn module(name: &str) -> Result<PathBuf> {
    let folder = env::var_os("FERROMESH_MODULES")
        .context("FERROMESH_MODULES is not set: run this through `cargo xtask bench`")?;
    let path = PathBuf::from(folder).join(format!("{name}.wasm"));
    anyhow::ensure!(path.exists(), "{} is missing: run `cargo xtask wasm`", path.display());
    Ok(path)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
