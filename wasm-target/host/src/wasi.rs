//! The part of WASI preview 1 that Envoy offers and that a Rust module without files links against.
//! There are no files, no arguments and no sockets; what a guest prints is logged.

use wasmtime::{Caller, Linker};

use crate::guest::{wasi_call, Guest, Refusal};
use crate::log::{Level, Origin};
use crate::state::State;
use crate::trap::Exited;

const MODULE: &str = "wasi_snapshot_preview1";

/// WASI's numbers for "bad file descriptor", "bad argument", "no such function" and "not supported".
const EBADF: u32 = 8;
const EINVAL: u32 = 28;
const ENOSYS: u32 = 52;
const ENOTSUP: u32 = 58;

const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;

/// The longest message that one `fd_write` may give, in bytes.
const LONGEST_MESSAGE: usize = 1 << 20;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Offers all of it.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_surroundings(linker)?;
    link_descriptors(linker)?;
    linker.func_wrap(
        MODULE,
        "random_get",
        |caller: Caller<'_, State>, to: u32, length: u32| {
            wasi_call(caller, "random_get", |guest| {
                guest.fill(to, length, |place, state| state.random.fill(place))
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |caller: Caller<'_, State>, clock: u32, _precision: u64, to: u32| {
            wasi_call(caller, "clock_time_get", |guest| {
                let now = &guest.state().config.clock;
                let nanoseconds = match clock {
                    CLOCK_REALTIME => now.wall_nanoseconds(),
                    CLOCK_MONOTONIC => now.elapsed().as_nanos() as u64,
                    _ => return Err(Refusal::Errno(ENOTSUP)),
                };
                guest.write_u64(to, nanoseconds)
            })
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", |caller: Caller<'_, State>| {
        wasi_call(caller, "sched_yield", |_| Ok(()))
    })?;
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |caller: Caller<'_, State>, code: i32| -> wasmtime::Result<()> {
            wasi_call(caller, "proc_exit", |_| {
                Err(Refusal::Trap(wasmtime::Error::new(Exited(code))))
            })
            .map(|_| ())
        },
    )?;
    Ok(())
}

fn link_surroundings(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "environ_sizes_get",
        |caller: Caller<'_, State>, to_count: u32, to_size: u32| {
            wasi_call(caller, "environ_sizes_get", |guest| {
                let lines = environment(guest);
                let size: usize = lines.iter().map(Vec::len).sum();
                guest.write_u32(to_count, lines.len() as u32)?;
                guest.write_u32(to_size, size as u32)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |caller: Caller<'_, State>, mut to_pointers: u32, mut to_lines: u32| {
            wasi_call(caller, "environ_get", |guest| {
                for line in environment(guest) {
                    guest.write_u32(to_pointers, to_lines)?;
                    guest.write(to_lines, &line)?;
                    to_pointers = to_pointers.saturating_add(4);
                    to_lines = to_lines.saturating_add(line.len() as u32);
                }
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |caller: Caller<'_, State>, to_count: u32, to_size: u32| {
            wasi_call(caller, "args_sizes_get", |guest| {
                guest.write_u32(to_count, 0)?;
                guest.write_u32(to_size, 0)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_get",
        |caller: Caller<'_, State>, _pointers: u32, _arguments: u32| wasi_call(caller, "args_get", |_| Ok(())),
    )?;
    Ok(())
}

/// The environment as C has it: `NAME=value` and a zero.
fn environment(guest: &mut Guest<'_>) -> Vec<Vec<u8>> {
    guest
        .state()
        .config
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}\0").into_bytes())
        .collect()
}

fn link_descriptors(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_write",
        |caller: Caller<'_, State>, descriptor: u32, vectors: u32, count: u32, to: u32| {
            wasi_call(caller, "fd_write", |guest| {
                let (level, origin) = match descriptor {
                    STDOUT => (Level::Info, Origin::Stdout),
                    STDERR => (Level::Error, Origin::Stderr),
                    _ => return Err(Refusal::Errno(EBADF)),
                };
                let mut message = Vec::new();
                // Each vector is a pointer and a length. A made-up count meets the end of memory soon.
                for index in 0..count {
                    let vector = vectors.saturating_add(index.saturating_mul(8));
                    let start = guest.read_u32(vector)?;
                    let length = guest.read_u32(vector.saturating_add(4))?;
                    message.extend(guest.read(start, length)?);
                    // Many vectors may name the same memory; the host's own is not for the guest to fill.
                    if message.len() > LONGEST_MESSAGE {
                        return Err(Refusal::Errno(EINVAL));
                    }
                }
                let written = message.len() as u32;
                guest.state().log(level, origin, message);
                guest.write_u32(to, written)
            })
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_read",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32, _: u32| {
            wasi_call(caller, "fd_read", |_| Err(Refusal::Errno(ENOSYS)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_seek",
        |caller: Caller<'_, State>, _: u32, _: i64, _: u32, _: u32| {
            wasi_call(caller, "fd_seek", |_| Err(Refusal::Errno(ENOSYS)))
        },
    )?;
    linker.func_wrap(MODULE, "fd_close", |caller: Caller<'_, State>, _: u32| {
        wasi_call(caller, "fd_close", |_| Err(Refusal::Errno(ENOSYS)))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |caller: Caller<'_, State>, descriptor: u32, to: u32| {
            wasi_call(caller, "fd_fdstat_get", |guest| {
                if descriptor != STDOUT && descriptor != STDERR {
                    return Err(Refusal::Errno(EBADF));
                }
                // A character device (2) that can be written to (right 1 << 6).
                let mut status = [0; 24];
                status[0] = 2;
                status[8] = 64;
                guest.write(to, &status)
            })
        },
    )?;
    linker.func_wrap(MODULE, "fd_prestat_get", |caller: Caller<'_, State>, _: u32, _: u32| {
        wasi_call(caller, "fd_prestat_get", |_| Err(Refusal::Errno(EBADF)))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_prestat_dir_name",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32| {
            wasi_call(caller, "fd_prestat_dir_name", |_| Err(Refusal::Errno(EBADF)))
        },
    )?;
    Ok(())
}
