//! What happens to a stream: bodies, local replies, going on, closing.

use wasmtime::{Caller, Linker};

use crate::abi::{BufferType, Status};
use crate::guest::hostcall;
use crate::headers::Headers;
use crate::state::{LocalReply, State};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_buffers(linker)?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |caller: Caller<'_, State>,
         status: u32,
         details: u32,
         details_length: u32,
         body: u32,
         body_length: u32,
         headers: u32,
         headers_length: u32,
         grpc_status: i32| {
            hostcall(caller, "proxy_send_local_response", |guest| {
                let details = guest.read(details, details_length)?;
                let body = guest.read(body, body_length)?;
                let headers = guest.read(headers, headers_length)?;
                let headers = Headers::from_pairs(&headers).map_err(|_| Status::BadArgument)?;
                let stream = guest.state().stream().ok_or(Status::BadArgument)?;
                // The first one counts: by then it is on its way.
                stream.local_reply.get_or_insert(LocalReply {
                    status,
                    details,
                    body,
                    headers,
                    grpc_status,
                });
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |caller: Caller<'_, State>, kind: u32| {
            hostcall(caller, "proxy_continue_stream", |guest| {
                let stream = guest.state().stream().ok_or(Status::BadArgument)?;
                let resumed = stream.resumed.get_mut(kind as usize).ok_or(Status::Unimplemented)?;
                *resumed = true;
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_close_stream", |caller: Caller<'_, State>, kind: u32| {
        hostcall(caller, "proxy_close_stream", |guest| {
            let stream = guest.state().stream().ok_or(Status::BadArgument)?;
            if kind > 1 {
                return Err(Status::Unimplemented.into());
            }
            stream.closed = true;
            Ok(())
        })
    })?;
    Ok(())
}

fn link_buffers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |caller: Caller<'_, State>, kind: u32, start: u32, most: u32, to: u32, to_length: u32| {
            hostcall(caller, "proxy_get_buffer_bytes", |guest| {
                let buffer = guest.state().buffer(BufferType::from_number(kind)?)?;
                let start = start as usize;
                let end = start.saturating_add(most as usize).min(buffer.len());
                // Envoy has nothing to give beyond the end, which is "not found" and no empty piece.
                let piece = buffer
                    .get(start..end)
                    .filter(|piece| !piece.is_empty())
                    .ok_or(Status::NotFound)?
                    .to_vec();
                guest.give(&piece, to, to_length)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |caller: Caller<'_, State>, kind: u32, start: u32, length: u32, from: u32, from_length: u32| {
            hostcall(caller, "proxy_set_buffer_bytes", |guest| {
                let bytes = guest.read(from, from_length)?;
                let buffer = guest.state().buffer(BufferType::from_number(kind)?)?;
                set(buffer, start as usize, length as usize, bytes)?;
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_status",
        |caller: Caller<'_, State>, kind: u32, to_length: u32, to_flags: u32| {
            hostcall(caller, "proxy_get_buffer_status", |guest| {
                let length = guest.state().buffer(BufferType::from_number(kind)?)?.len();
                let length = u32::try_from(length).map_err(|_| Status::InternalFailure)?;
                guest.write_u32(to_length, length)?;
                guest.write_u32(to_flags, 0)
            })
        },
    )?;
    Ok(())
}

/// What Envoy can do with a body: put before it, put behind it, or put in its place; nothing in between.
fn set(buffer: &mut Vec<u8>, start: usize, length: usize, bytes: Vec<u8>) -> Result<(), Status> {
    if start == 0 && length == 0 {
        buffer.splice(0..0, bytes);
    } else if start == 0 && length >= buffer.len() {
        *buffer = bytes;
    } else if start >= buffer.len() {
        buffer.extend(bytes);
    } else {
        return Err(Status::BadArgument);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_can_be_prepended_to_replaced_and_appended_to_only() {
        let with = |start, length| {
            let mut buffer = b"body".to_vec();
            set(&mut buffer, start, length, b"X".to_vec()).map(|()| buffer)
        };
        assert_eq!(with(0, 0), Ok(b"Xbody".to_vec()));
        assert_eq!(with(0, 4), Ok(b"X".to_vec()));
        assert_eq!(with(0, usize::MAX), Ok(b"X".to_vec()));
        assert_eq!(with(4, 0), Ok(b"bodyX".to_vec()));
        assert_eq!(with(0, 2), Err(Status::BadArgument));
        assert_eq!(with(1, 2), Err(Status::BadArgument));
    }
}
