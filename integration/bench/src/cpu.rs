//! On which core something runs, and what the kernel says of processor time.

use anyhow::Result;
use rustix::thread::{sched_setaffinity, CpuSet};

pub use ferromesh_integration::meter::cpu as time;

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
