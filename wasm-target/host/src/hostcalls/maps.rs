//! Headers and trailers.

use wasmtime::{Caller, Linker};

use crate::abi::{MapType, Status};
use crate::guest::hostcall;
use crate::headers::Headers;
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |caller: Caller<'_, State>, map: u32, name: u32, length: u32, to: u32, to_length: u32| {
            hostcall(caller, "proxy_get_header_map_value", |guest| {
                let name = guest.read(name, length)?;
                let map = guest.state().map(MapType::from_number(map)?)?;
                let value = map.get(name).ok_or(Status::NotFound)?.to_vec();
                guest.give(&value, to, to_length)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |caller: Caller<'_, State>, map: u32, name: u32, name_length: u32, value: u32, value_length: u32| {
            hostcall(caller, "proxy_add_header_map_value", |guest| {
                let name = guest.read(name, name_length)?;
                let value = guest.read(value, value_length)?;
                let map = guest.state().map(MapType::from_number(map)?)?;
                map.add(name, value);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |caller: Caller<'_, State>, map: u32, name: u32, name_length: u32, value: u32, value_length: u32| {
            hostcall(caller, "proxy_replace_header_map_value", |guest| {
                let name = guest.read(name, name_length)?;
                let value = guest.read(value, value_length)?;
                let map = guest.state().map(MapType::from_number(map)?)?;
                map.replace(name, value);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |caller: Caller<'_, State>, map: u32, name: u32, length: u32| {
            hostcall(caller, "proxy_remove_header_map_value", |guest| {
                let name = guest.read(name, length)?;
                guest.state().map(MapType::from_number(map)?)?.remove(name);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |caller: Caller<'_, State>, map: u32, to: u32, to_length: u32| {
            hostcall(caller, "proxy_get_header_map_pairs", |guest| {
                let pairs = guest.state().map(MapType::from_number(map)?)?.to_pairs();
                guest.give(&pairs, to, to_length)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |caller: Caller<'_, State>, map: u32, pairs: u32, length: u32| {
            hostcall(caller, "proxy_set_header_map_pairs", |guest| {
                let pairs = guest.read(pairs, length)?;
                let map = guest.state().map(MapType::from_number(map)?)?;
                *map = Headers::from_pairs(&pairs).map_err(|_| Status::BadArgument)?;
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_size",
        |caller: Caller<'_, State>, map: u32, to: u32| {
            hostcall(caller, "proxy_get_header_map_size", |guest| {
                let size = guest.state().map(MapType::from_number(map)?)?.byte_size();
                let size = u32::try_from(size).map_err(|_| Status::InternalFailure)?;
                guest.write_u32(to, size)
            })
        },
    )?;
    Ok(())
}
