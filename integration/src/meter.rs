//! What the kernel says of a process: its time, its memory, its descriptors.

use std::{fs, time::Duration};

use anyhow::{bail, Context, Result};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

/// The processor time of a process since its start, of all its threads that live, to the nanosecond (`schedstat`; the ticks of
/// `/proc/<pid>/stat` are 10 ms).
///
/// # Errors
/// There is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let file = task?.path().join("schedstat");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            // A thread may end between the listing and the reading.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        let first = text.split_ascii_whitespace().next();
        let Some(Ok(spent)) = first.map(str::parse::<u64>) else {
            bail!("{}: {text:?} has no nanoseconds", file.display());
        };
        nanoseconds += spent;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of a process in kB.
///
/// # Errors
/// There is no such process.
pub fn rss_kb(process: u32) -> Result<u64> {
    status(process, "VmRSS:")
}

/// The most resident memory that a process has had, in kB.
///
/// # Errors
/// There is no such process.
pub fn peak_rss_kb(process: u32) -> Result<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("no {field}"))?.parse()?)
}

/// How many descriptors a process has open.
///
/// # Errors
/// There is no such process.
pub fn descriptors(process: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

/// Lets this process open as many descriptors as it may: thousands of connections need more than the usual 1,024.
///
/// # Errors
/// Fewer than `least` are allowed.
pub fn allow_descriptors(least: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most < least {
        bail!("{least} descriptors are needed, and the system allows {most} (ulimit -Hn)");
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("the limit of descriptors cannot be raised")
}
