//! Child processes that never outlive the test: each in its own process group, killed when dropped, and
//! found again by a mark in their environment should they have left that group.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{kill_process, kill_process_group, Pid, Signal};

/// How much of a log is shown when something went wrong.
const TAIL_LINES: usize = 60;

/// A running child with its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to `<folder>/<name>.log`.
    pub fn spawn(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM to the process alone, not to its children.
    pub fn terminate(&self) {
        let _ = kill_process(pid(&self.child), Signal::TERM);
    }

    /// SIGSTOP: it is there and does nothing.
    pub fn freeze(&self) {
        let _ = kill_process(pid(&self.child), Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        let _ = kill_process(pid(&self.child), Signal::CONT);
    }

    /// Its exit status once it has ended; `None` if it has not within `patience`.
    pub async fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if started.elapsed() > patience {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(pid(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of {} ----\n{}", self.name, tail(&self.log()));
        }
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// The last lines of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// A mark in the environment of processes, inherited by their children, by which they are found in `/proc`.
#[derive(Debug)]
pub struct Marker(String);

/// A process found by its mark.
#[derive(Clone, Debug)]
pub struct Found {
    pub id: u32,
    pub command: String,
}

const VARIABLE: &str = "FERROMESH_RIG";

impl Marker {
    #[allow(clippy::new_without_default)] // Each one is another.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{number}", std::process::id()))
    }

    pub fn put_on(&self, command: &mut Command) {
        command.env(VARIABLE, &self.0);
    }

    /// The running processes that carry the mark.
    pub fn find(&self) -> Vec<Found> {
        let mark = format!("{VARIABLE}={}", self.0);
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        processes
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let id = path.file_name()?.to_str()?.parse().ok()?;
                let environment = std::fs::read(path.join("environ")).ok()?;
                let marked = environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == mark.as_bytes());
                let command = std::fs::read(path.join("cmdline")).ok()?;
                let command = String::from_utf8_lossy(&command).replace('\0', " ");
                marked.then_some(Found { id, command })
            })
            .collect()
    }

    /// Kills every process that carries the mark and waits, for a second at most, until they are gone.
    pub fn kill(&self) {
        for _ in 0..50 {
            let found = self.find();
            if found.is_empty() {
                return;
            }
            for process in found {
                if let Some(pid) = Pid::from_raw(process.id as i32) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
