//! A measured server: a process that is told its changes on standard input, and what the kernel knows of it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, Context, Result};
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
    /// Asks for a change now.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn change(&mut self, change: Change) -> Result<Stamp> {
        let stamp = Stamp::now();
        self.changes.write_all(change.line(stamp).as_bytes()).await?;
        self.changes.flush().await?;
        Ok(stamp)
    }

    /// Where simulated proxies connect.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Processor time since its start.
    ///
    /// # Errors
    /// The server is gone.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.id()?)
    }

    /// Resident memory in kB.
    ///
    /// # Errors
    /// The server is gone.
    pub fn rss_kb(&self) -> Result<u64> {
        rss_kb(self.id()?)
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("the server is gone")
    }
}

/// Processor time of a process since its start, to the nanosecond, of the threads that live.
///
/// # Errors
/// There is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let spent: u64 = text
            .split_ascii_whitespace()
            .next()
            .context("empty schedstat")?
            .parse()?;
        nanoseconds += spent;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of a process in kB.
///
/// # Errors
/// There is no such process.
pub fn rss_kb(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next());
    Ok(kb.context("no VmRSS")?.parse()?)
}
