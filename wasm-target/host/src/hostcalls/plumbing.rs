//! The rest: logs, ticks, the effective context, the end of a context.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::hostcall;
use crate::log::{Level, Origin};
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |caller: Caller<'_, State>, level: u32, message: u32, length: u32| {
            hostcall(caller, "proxy_log", |guest| {
                let level = Level::from_number(level).ok_or(Status::BadArgument)?;
                let message = guest.read(message, length)?;
                guest.state().log(level, Origin::Filter, message);
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_get_log_level", |caller: Caller<'_, State>, to: u32| {
        hostcall(caller, "proxy_get_log_level", |guest| {
            let level = guest.state().config.log_level;
            guest.write_u32(to, level as u32)
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |caller: Caller<'_, State>, period: u32| {
            hostcall(caller, "proxy_set_tick_period_milliseconds", |guest| {
                let state = guest.state();
                // A tick belongs to the plugin, whichever of its contexts asks for it.
                let plugin = state
                    .contexts
                    .get(&state.effective)
                    .map(|context| context.plugin)
                    .ok_or(Status::BadArgument)?;
                let root = state.contexts.get_mut(&plugin).ok_or(Status::BadArgument)?;
                root.tick_period = (period > 0).then(|| Duration::from_millis(period.into()));
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |caller: Caller<'_, State>, context: u32| {
            hostcall(caller, "proxy_set_effective_context", |guest| {
                let state = guest.state();
                if !state.contexts.contains_key(&context) {
                    return Err(Status::BadArgument.into());
                }
                state.effective = context;
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_done", |caller: Caller<'_, State>| {
        hostcall(caller, "proxy_done", |guest| {
            let state = guest.state();
            let context = state
                .contexts
                .get_mut(&state.effective)
                .filter(|context| context.pending_done)
                .ok_or(Status::NotFound)?;
            context.pending_done = false;
            Ok(())
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_status",
        |caller: Caller<'_, State>, to_code: u32, to: u32, to_length: u32| {
            hostcall(caller, "proxy_get_status", |guest| {
                guest.write_u32(to_code, 0)?;
                guest.give(&[], to, to_length)
            })
        },
    )?;
    Ok(())
}
