//! A measured server: a process that is told its changes on standard input, and what the kernel knows of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use ferromesh_integration::meter;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::stamp::Stamp;
use crate::world::{Change, Size};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// A server that can be measured: the program takes a [`Size`] as arguments, prints `READY <port>`, and obeys
/// [`Change`]s on standard input, whose end is its own.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name in the figures: `ferromesh`, `go-control-plane`.
    pub name: String,
    pub program: PathBuf,
}

/// A running one; killed when dropped.
pub struct Running {
    child: Child,
    changes: ChildStdin,
    pub port: u16,
}

impl Server {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// It does not start, or says something else.
    pub async fn start(&self, size: &Size) -> Result<Running> {
        let number = |count: usize| count.to_string();
        let mut child = Command::new(&self.program)
            .args(["--nodes", &number(size.nodes), "--clusters", &number(size.clusters)])
            .args(["--endpoints", &number(size.endpoints), "--routes", &number(size.routes)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let changes = child.stdin.take().context("no standard input")?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let first = tokio::time::timeout(START, lines.next_line());
        let first = first
            .await
            .with_context(|| format!("{}: not ready in {START:?}", self.name))??;
        let port = first
            .as_deref()
            .and_then(|line| line.strip_prefix("READY ")?.parse().ok());
        let Some(port) = port else {
            bail!("{}: said {first:?} and not READY with its port", self.name);
        };
        Ok(Running { child, changes, port })
    }
}

impl Running {
    /// Asks for a change, whose moment is `stamp`.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn change(&mut self, change: Change, stamp: Stamp) -> Result<()> {
        self.changes.write_all(change.line(stamp).as_bytes()).await?;
        Ok(self.changes.flush().await?)
    }

    /// Where simulated proxies connect: `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Processor time since its start.
    ///
    /// # Errors
    /// The server is gone.
    pub fn cpu(&self) -> Result<Duration> {
        meter::cpu(self.id()?)
    }

    /// Resident memory in kB.
    ///
    /// # Errors
    /// The server is gone.
    pub fn rss_kb(&self) -> Result<u64> {
        meter::rss_kb(self.id()?)
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("the server is gone")
    }
}
