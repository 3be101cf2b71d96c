//! CPU time and core affinity of processes, from the kernel's own books.

use anyhow::{Context, Result};
use std::{fs, process::Command};

/// Nanoseconds that all threads of `pid` have run, from `/proc/<pid>/task/*/schedstat`.
///
/// Finer than the clock ticks of `/proc/<pid>/stat`, and counts only time on a core.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
    let mut total = 0;
    for task in tasks {
        let path = task?.path().join("schedstat");
        // A thread may end between the listing and the read; its time is then lost to both sides alike.
        if let Ok(text) = fs::read_to_string(&path) {
            total += text
                .split_whitespace()
                .next()
                .and_then(|run| run.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    Ok(total)
}

/// Binds this process, and what it starts from now on, to `core`.
pub fn pin_self(core: usize) -> Result<()> {
    let pid = std::process::id().to_string();
    let done = Command::new("taskset")
        .args(["-acp", &core.to_string(), &pid])
        .output()
        .context("taskset (package util-linux) is needed to pin processes to cores")?;
    anyhow::ensure!(
        done.status.success(),
        "taskset: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
