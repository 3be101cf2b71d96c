//! What the kernel says of processor time, and on which core something runs.

use std::{fs, time::Duration};

use anyhow::{bail, Context, Result};
use rustix::thread::{sched_setaffinity, CpuSet};

/// The processor time of a process since its start, of all its threads, to the nanosecond (`schedstat`; the
/// ticks of `/proc/<pid>/stat` are 10 ms).
pub fn time(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let file = task?.path().join("schedstat");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let first = text.split_ascii_whitespace().next();
        let Some(Ok(spent)) = first.map(str::parse::<u64>) else {
            bail!("{}: {text:?} has no nanoseconds", file.display());
        };
        nanoseconds += spent;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Two cores to keep apart what is measured from what drives it; `None` on a machine of one core.
pub fn two_cores() -> Option<(usize, usize)> {
    let allowed = rustix::thread::sched_getaffinity(None).ok()?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    Some((cores.next()?, cores.next()?))
}

/// Keeps this thread, and threads it starts later, on one core.
pub fn stay_on(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
