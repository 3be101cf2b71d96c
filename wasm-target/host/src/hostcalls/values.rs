//! Properties, shared data, metrics and the clock.

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::hostcall;
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_properties(linker)?;
    link_shared_data(linker)?;
    link_metrics(linker)?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |caller: Caller<'_, State>, to: u32| {
            hostcall(caller, "proxy_get_current_time_nanoseconds", |guest| {
                let now = guest.state().config.clock.wall_nanoseconds();
                guest.write_u64(to, now)
            })
        },
    )?;
    Ok(())
}

fn link_properties(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |caller: Caller<'_, State>, path: u32, length: u32, to: u32, to_length: u32| {
            hostcall(caller, "proxy_get_property", |guest| {
                let path = guest.read(path, length)?;
                let state = guest.state();
                let own = state
                    .stream()
                    .and_then(|stream| stream.properties.get_joined(&path))
                    .map(<[u8]>::to_vec);
                let value = own
                    .or_else(|| state.config.properties.get_joined(&path).map(<[u8]>::to_vec))
                    .ok_or(Status::NotFound)?;
                guest.give(&value, to, to_length)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |caller: Caller<'_, State>, path: u32, length: u32, value: u32, value_length: u32| {
            hostcall(caller, "proxy_set_property", |guest| {
                let path = guest.read(path, length)?;
                let value = guest.read(value, value_length)?;
                let stream = guest.state().stream().ok_or(Status::NotFound)?;
                stream.properties.set_joined(&path, value);
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn link_shared_data(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |caller: Caller<'_, State>, key: u32, length: u32, to: u32, to_length: u32, to_cas: u32| {
            hostcall(caller, "proxy_get_shared_data", |guest| {
                let key = guest.read(key, length)?;
                let (value, cas) = guest.state().config.shared.get(key).ok_or(Status::NotFound)?;
                guest.give(&value, to, to_length)?;
                guest.write_u32(to_cas, cas)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |caller: Caller<'_, State>, key: u32, length: u32, value: u32, value_length: u32, cas: u32| {
            hostcall(caller, "proxy_set_shared_data", |guest| {
                let key = guest.read(key, length)?;
                let value = guest.read(value, value_length)?;
                Ok(guest.state().config.shared.set(key, value, cas)?)
            })
        },
    )?;
    Ok(())
}

fn link_metrics(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |caller: Caller<'_, State>, kind: u32, name: u32, length: u32, to: u32| {
            hostcall(caller, "proxy_define_metric", |guest| {
                let name = guest.read(name, length)?;
                let id = guest.state().metrics.define(kind, name)?;
                guest.write_u32(to, id)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |caller: Caller<'_, State>, id: u32, by: i64| {
            hostcall(caller, "proxy_increment_metric", |guest| {
                Ok(guest.state().metrics.increment(id, by)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |caller: Caller<'_, State>, id: u32, value: u64| {
            hostcall(caller, "proxy_record_metric", |guest| {
                Ok(guest.state().metrics.record(id, value)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |caller: Caller<'_, State>, id: u32, to: u32| {
            hostcall(caller, "proxy_get_metric", |guest| {
                let value = guest.state().metrics.read(id)?;
                guest.write_u64(to, value)
            })
        },
    )?;
    Ok(())
}
