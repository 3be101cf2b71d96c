//! Calls to the outside: HTTP calls are recorded for the test to answer; foreign functions are the test's
//! own. Shared queues and gRPC are not here: they answer "unimplemented".

use std::time::Duration;

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::guest::{hostcall, Guest, Refusal};
use crate::headers::Headers;
use crate::state::{HttpCall, State};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |caller: Caller<'_, State>,
         upstream: u32,
         upstream_length: u32,
         headers: u32,
         headers_length: u32,
         body: u32,
         body_length: u32,
         trailers: u32,
         trailers_length: u32,
         timeout: u32,
         to: u32| {
            hostcall(caller, "proxy_http_call", |guest| {
                let upstream = guest.read(upstream, upstream_length)?;
                let headers = pairs(guest, headers, headers_length)?;
                let body = guest.read(body, body_length)?;
                let trailers = pairs(guest, trailers, trailers_length)?;
                if [":method", ":path", ":authority"]
                    .iter()
                    .any(|name| headers.get(name).is_none())
                {
                    return Err(Status::BadArgument.into());
                }
                let state = guest.state();
                let is_known = |name: &String| name.as_bytes() == upstream;
                if state
                    .config
                    .clusters
                    .as_ref()
                    .is_some_and(|known| !known.iter().any(is_known))
                {
                    return Err(Status::BadArgument.into());
                }
                state.last_token += 1;
                let call = HttpCall {
                    token: state.last_token,
                    upstream,
                    headers,
                    body,
                    trailers,
                    timeout: Duration::from_millis(timeout.into()),
                    context: state.effective,
                };
                let token = call.token;
                state.http_calls.push(call);
                guest.write_u32(to, token)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |caller: Caller<'_, State>,
         name: u32,
         name_length: u32,
         argument: u32,
         argument_length: u32,
         to: u32,
         to_length: u32| {
            hostcall(caller, "proxy_call_foreign_function", |guest| {
                let name = guest.read(name, name_length)?;
                let argument = guest.read(argument, argument_length)?;
                let name = String::from_utf8(name).map_err(|_| Status::NotFound)?;
                let function = guest
                    .state()
                    .config
                    .foreign
                    .get(&name)
                    .cloned()
                    .ok_or(Status::NotFound)?;
                let result = function.call(&argument)?;
                guest.give(&result, to, to_length)
            })
        },
    )?;
    link_unimplemented(linker)
}

fn pairs(guest: &Guest<'_>, pointer: u32, length: u32) -> Result<Headers, Refusal> {
    let bytes = guest.read(pointer, length)?;
    Ok(Headers::from_pairs(&bytes).map_err(|_| Status::BadArgument)?)
}

fn link_unimplemented(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32| unimplemented(caller, "proxy_register_shared_queue"),
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32, _: u32, _: u32| {
            unimplemented(caller, "proxy_resolve_shared_queue")
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32| unimplemented(caller, "proxy_dequeue_shared_queue"),
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32| unimplemented(caller, "proxy_enqueue_shared_queue"),
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |caller: Caller<'_, State>,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32,
         _: u32| { unimplemented(caller, "proxy_grpc_call") },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_stream",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            unimplemented(caller, "proxy_grpc_stream")
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_send",
        |caller: Caller<'_, State>, _: u32, _: u32, _: u32, _: u32| unimplemented(caller, "proxy_grpc_send"),
    )?;
    linker.func_wrap("env", "proxy_grpc_cancel", |caller: Caller<'_, State>, _: u32| {
        unimplemented(caller, "proxy_grpc_cancel")
    })?;
    linker.func_wrap("env", "proxy_grpc_close", |caller: Caller<'_, State>, _: u32| {
        unimplemented(caller, "proxy_grpc_close")
    })?;
    Ok(())
}

fn unimplemented(caller: Caller<'_, State>, name: &'static str) -> wasmtime::Result<u32> {
    hostcall(caller, name, |_| Err(Status::Unimplemented.into()))
}
