//! A real etcd of one member, on loopback.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{bail, Result};
use tempfile::TempDir;

use super::{eventually, paths, ports, Process, PATIENCE};

/// Name of the file with the keys that seal what control planes share.
const SECRET_KEYS: &str = "secret.key";

/// Arguments of control planes over a store, with a secret key file in `folder` that they share.
pub(super) fn secret_key_arguments(folder: &Path, store: &str) -> Result<Vec<String>> {
    let keys = folder.join(SECRET_KEYS);
    if !keys.exists() {
        std::fs::write(&keys, format!("{}\n", "5e".repeat(32)))?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600))?;
    }
    let keys = keys.display().to_string();
    Ok(["--store", store, "--secret-key-file", &keys]
        .map(str::to_owned)
        .to_vec())
}

/// A running etcd, ended when it is dropped.
#[derive(Debug)]
pub struct Etcd {
    process: Option<Process>,
    client: u16,
    peer: u16,
    dir: TempDir,
}

impl Etcd {
    /// Starts one with an empty folder and waits until it listens.
    pub async fn start() -> Result<Self> {
        let mut etcd = Self {
            process: None,
            client: ports::free()?,
            peer: ports::free()?,
            dir: tempfile::Builder::new().prefix("ferromesh-etcd-").tempdir()?,
        };
        etcd.resume().await?;
        Ok(etcd)
    }

    /// `etcd://` and its address, for `--store`.
    pub fn url(&self) -> String {
        format!("etcd://127.0.0.1:{}", self.client)
    }

    /// Arguments of control planes over it, with a secret key file that they share.
    pub fn arguments(&self) -> Result<Vec<String>> {
        secret_key_arguments(self.dir.path(), &self.url())
    }

    /// The secret key file of [`Etcd::arguments`].
    pub fn secret_key_file(&self) -> PathBuf {
        self.dir.path().join(SECRET_KEYS)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again with the same data and ports.
    pub async fn resume(&mut self) -> Result<()> {
        let client = format!("http://127.0.0.1:{}", self.client);
        let peer = format!("http://127.0.0.1:{}", self.peer);
        let mut command = Command::new(paths::etcd()?);
        command
            .args(["--name", "one", "--data-dir"])
            .arg(self.dir.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}"), "--logger", "zap"])
            .args(["--log-level", "error"]);
        let process = self.process.insert(Process::spawn("etcd", command, self.dir.path())?);
        let address = format!("127.0.0.1:{}", self.client);
        let listens = eventually("etcd listens", PATIENCE, async || {
            if !process.is_running() {
                return Some(false);
            }
            tokio::net::TcpStream::connect(&address).await.ok().map(|_| true)
        });
        if !listens.await? {
            bail!("etcd has ended: {}", process.log());
        }
        Ok(())
    }
}
