//! The WASI calls that the policy's arguments come from: proxy-wasm has neither a monotonic clock nor
//! randomness.
//!
//! Source: WASI snapshot preview 1.

use std::time::Duration;

const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    fn random_get(buffer: *mut u8, size: usize) -> u32;
}

/// Monotonic time.
pub(crate) fn monotonic() -> Duration {
    time(CLOCK_MONOTONIC)
}

/// The wall clock.
pub(crate) fn unix() -> Duration {
    time(CLOCK_REALTIME)
}

fn time(clock: u32) -> Duration {
    let mut nanos = 0;
    // SAFETY: the pointer is to a live value. A host without the clock leaves 0: time stands still.
    let _ = unsafe { clock_time_get(clock, 0, &mut nanos) };
    Duration::from_nanos(nanos)
}

/// Random bytes.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the pointer and size of a live array.
    if unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) } == 0 {
        return u64::from_le_bytes(bytes);
    }
    // No randomness: the clock at least tells one start from another.
    u64::try_from(monotonic().as_nanos()).unwrap_or(0)
}
