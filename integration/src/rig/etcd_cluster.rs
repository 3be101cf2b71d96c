//! A real etcd of three members, on loopback, each of which can be stopped, killed and brought back.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{bail, Context, Result};
use serde_json::{json, Value};
use tempfile::TempDir;

use super::{etcd::secret_key_arguments, eventually, paths, ports, Process, PATIENCE};

/// Two of three are a majority.
pub const MEMBERS: usize = 3;

/// A running cluster, ended when it is dropped.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<Member>,
    dir: TempDir,
}

#[derive(Debug)]
struct Member {
    name: String,
    process: Option<Process>,
    client: u16,
    peer: u16,
}

impl EtcdCluster {
    /// Starts one with empty folders and waits until it has a leader.
    pub async fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ferromesh-etcd-").tempdir()?;
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            members.push(Member {
                name: format!("member{number}"),
                process: None,
                client: ports::free()?,
                peer: ports::free()?,
            });
        }
        let mut cluster = Self { members, dir };
        for number in 0..MEMBERS {
            cluster.spawn(number)?;
        }
        for number in 0..MEMBERS {
            cluster.wait(number).await?;
        }
        cluster.leader().await?;
        Ok(cluster)
    }

    /// Arguments of a control plane that knows only these members. All of one cluster share a secret key file.
    pub fn arguments(&self, members: &[usize]) -> Result<Vec<String>> {
        let addresses = members.iter().map(|number| self.address(*number));
        let url = format!("etcd://{}", addresses.collect::<Vec<_>>().join(","));
        secret_key_arguments(self.dir.path(), &url)
    }

    /// The member that leads, asked of those that answer.
    pub async fn leader(&self) -> Result<usize> {
        eventually("etcd has a leader", PATIENCE, async || {
            for number in 0..self.members.len() {
                let Some(status) = self.status(number).await else {
                    continue;
                };
                if status["leader"].is_string() && status["leader"] == status["header"]["member_id"] {
                    return Some(number);
                }
            }
            None
        })
        .await
    }

    /// Its process is there and does nothing: neither its clients nor the other members hear of it.
    pub fn freeze(&self, member: usize) -> Result<()> {
        self.process(member)?.freeze();
        Ok(())
    }

    /// Goes on after [`EtcdCluster::freeze`].
    pub fn thaw(&self, member: usize) -> Result<()> {
        self.process(member)?.thaw();
        Ok(())
    }

    /// kill -9.
    pub fn kill(&mut self, member: usize) {
        self.members[member].process = None;
    }

    /// Starts a member again with the same data and ports.
    pub async fn resume(&mut self, member: usize) -> Result<()> {
        self.spawn(member)?;
        self.wait(member).await
    }

    fn address(&self, member: usize) -> String {
        format!("127.0.0.1:{}", self.members[member].client)
    }

    fn process(&self, member: usize) -> Result<&Process> {
        let process = self.members[member].process.as_ref();
        process.with_context(|| format!("etcd's member {member} does not run"))
    }

    async fn status(&self, member: usize) -> Option<Value> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(1))
            .build()
            .ok()?;
        let url = format!("http://{}/v3/maintenance/status", self.address(member));
        client.post(url).json(&json!({})).send().await.ok()?.json().await.ok()
    }

    fn spawn(&mut self, member: usize) -> Result<()> {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all = self.members.iter();
        let all = all.map(|member| format!("{}={}", member.name, url(member.peer)));
        let all = all.collect::<Vec<_>>().join(",");
        let folder: &Path = self.dir.path();
        let Member { name, client, peer, .. } = &self.members[member];
        let (client, peer) = (url(*client), url(*peer));
        let mut command = Command::new(paths::etcd()?);
        command
            .args(["--name", name, "--data-dir"])
            .arg(folder.join(name))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &all, "--logger", "zap", "--log-level", "error"])
            // A leader that is gone is noticed in a second on a busy machine, too.
            .args(["--heartbeat-interval", "100", "--election-timeout", "1000"]);
        let process = Process::spawn(name, command, folder)?;
        self.members[member].process = Some(process);
        Ok(())
    }

    async fn wait(&mut self, member: usize) -> Result<()> {
        let address = self.address(member);
        let Some(process) = &mut self.members[member].process else {
            bail!("etcd's member {member} was not started");
        };
        let listens = eventually("etcd listens", PATIENCE, async || {
            if !process.is_running() {
                return Some(false);
            }
            tokio::net::TcpStream::connect(&address).await.ok().map(|_| true)
        });
        if !listens.await? {
            bail!("etcd's member {member} has ended: {}", process.log());
        }
        Ok(())
    }
}
