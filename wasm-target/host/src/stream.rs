//! One HTTP stream through a filter.

use crate::abi::Action;
use crate::headers::Headers;
use crate::state::{LocalReply, StreamState};
use crate::trap::Trap;
use crate::vm::Vm;

/// Whether something is the last of its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndOfStream {
    /// Nothing follows.
    Yes,
    /// Body or trailers follow.
    No,
}

/// What a filter did in a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it answered. With a local reply the stream ends here whatever this says.
    pub action: Action,
    /// The answer that it gave by itself, in this callback or before.
    pub local_reply: Option<LocalReply>,
    /// Whether it asked for the stream to be closed.
    pub closed: bool,
}

/// A stream of a [`Vm`], opened by [`Vm::open_stream`]. It only names the stream, so several can be under way
/// at once. The order of callbacks is the test's; [`Stream::finish`] ends a stream as Envoy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    pub(crate) id: u32,
}

impl Stream {
    /// Sets a property that only this stream has.
    pub fn set_property(self, vm: &mut Vm, path: &[&str], value: impl AsRef<[u8]>) {
        if let Some(stream) = self.state_mut(vm) {
            stream.properties.set(path, value);
        }
    }

    /// Sets a property that is a number: 8 bytes, little endian.
    pub fn set_number(self, vm: &mut Vm, path: &[&str], value: u64) {
        self.set_property(vm, path, value.to_le_bytes());
    }

    /// Forgets a property of this stream.
    pub fn remove_property(self, vm: &mut Vm, path: &[&str]) {
        if let Some(stream) = self.state_mut(vm) {
            stream.properties.remove(path);
        }
    }

    /// A property of this stream, also one that the filter set.
    pub fn property<'vm>(self, vm: &'vm Vm, path: &[&str]) -> Option<&'vm [u8]> {
        self.state(vm)?.properties.get(path)
    }

    /// Request headers.
    ///
    /// # Errors
    /// When `proxy_on_request_headers` traps; so for all others here.
    pub fn on_request_headers(self, vm: &mut Vm, headers: Headers, end: EndOfStream) -> Result<Outcome, Trap> {
        let count = headers.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.request_headers = Some(headers);
        }
        self.call(vm, "proxy_on_request_headers", (self.id, count, flag(end)))
    }

    /// A piece of the request's body, or all of it that was buffered.
    pub fn on_request_body(self, vm: &mut Vm, body: impl AsRef<[u8]>, end: EndOfStream) -> Result<Outcome, Trap> {
        let body = body.as_ref().to_vec();
        let size = body.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.request_body = Some(body);
        }
        self.call(vm, "proxy_on_request_body", (self.id, size, flag(end)))
    }

    /// Request trailers.
    pub fn on_request_trailers(self, vm: &mut Vm, trailers: Headers) -> Result<Outcome, Trap> {
        let count = trailers.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.request_trailers = Some(trailers);
        }
        self.call(vm, "proxy_on_request_trailers", (self.id, count))
    }

    /// Response headers.
    pub fn on_response_headers(self, vm: &mut Vm, headers: Headers, end: EndOfStream) -> Result<Outcome, Trap> {
        let count = headers.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.response_headers = Some(headers);
        }
        self.call(vm, "proxy_on_response_headers", (self.id, count, flag(end)))
    }

    /// A piece of the response's body, or all of it that was buffered.
    pub fn on_response_body(self, vm: &mut Vm, body: impl AsRef<[u8]>, end: EndOfStream) -> Result<Outcome, Trap> {
        let body = body.as_ref().to_vec();
        let size = body.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.response_body = Some(body);
        }
        self.call(vm, "proxy_on_response_body", (self.id, size, flag(end)))
    }

    /// Response trailers.
    pub fn on_response_trailers(self, vm: &mut Vm, trailers: Headers) -> Result<Outcome, Trap> {
        let count = trailers.len() as u32;
        if let Some(stream) = self.state_mut(vm) {
            stream.response_trailers = Some(trailers);
        }
        self.call(vm, "proxy_on_response_trailers", (self.id, count))
    }

    /// The access log's turn.
    pub fn on_log(self, vm: &mut Vm) -> Result<(), Trap> {
        vm.call::<_, ()>("proxy_on_log", self.id, self.id)?;
        Ok(())
    }

    /// The stream is over: `proxy_on_done`, and unless the filter asks for more time, `proxy_on_delete`.
    pub fn on_done(self, vm: &mut Vm) -> Result<(), Trap> {
        vm.finish(self.id)
    }

    /// `proxy_on_delete` alone: for a filter that asked for more time, or to try an order of callbacks that
    /// Envoy does not have.
    pub fn on_delete(self, vm: &mut Vm) -> Result<(), Trap> {
        vm.delete(self.id)
    }

    /// Ends the stream as Envoy does: log, done, delete.
    pub fn finish(self, vm: &mut Vm) -> Result<(), Trap> {
        self.on_log(vm)?;
        self.on_done(vm)
    }

    /// The request headers as the next filter would see them.
    pub fn request_headers(self, vm: &Vm) -> Option<&Headers> {
        self.state(vm)?.request_headers.as_ref()
    }

    /// The request trailers as the next filter would see them.
    pub fn request_trailers(self, vm: &Vm) -> Option<&Headers> {
        self.state(vm)?.request_trailers.as_ref()
    }

    /// The response headers as the next filter would see them.
    pub fn response_headers(self, vm: &Vm) -> Option<&Headers> {
        self.state(vm)?.response_headers.as_ref()
    }

    /// The response trailers as the next filter would see them.
    pub fn response_trailers(self, vm: &Vm) -> Option<&Headers> {
        self.state(vm)?.response_trailers.as_ref()
    }

    /// The last piece of the request's body as the next filter would see it.
    pub fn request_body(self, vm: &Vm) -> Option<&[u8]> {
        self.state(vm)?.request_body.as_deref()
    }

    /// The last piece of the response's body as the next filter would see it.
    pub fn response_body(self, vm: &Vm) -> Option<&[u8]> {
        self.state(vm)?.response_body.as_deref()
    }

    /// Whether the filter said that the request may go on.
    pub fn request_resumed(self, vm: &Vm) -> bool {
        self.state(vm).is_some_and(|stream| stream.resumed[0])
    }

    /// Whether the filter said that the response may go on.
    pub fn response_resumed(self, vm: &Vm) -> bool {
        self.state(vm).is_some_and(|stream| stream.resumed[1])
    }

    fn call<P: wasmtime::WasmParams>(
        self,
        vm: &mut Vm,
        callback: &'static str,
        parameters: P,
    ) -> Result<Outcome, Trap> {
        let action = vm.call(callback, self.id, parameters)?.unwrap_or(0);
        let stream = self.state(vm);
        Ok(Outcome {
            action: Action::from_number(action),
            local_reply: stream.and_then(|stream| stream.local_reply.clone()),
            closed: stream.is_some_and(|stream| stream.closed),
        })
    }

    fn state(self, vm: &Vm) -> Option<&StreamState> {
        vm.state().contexts.get(&self.id)?.stream.as_deref()
    }

    fn state_mut(self, vm: &mut Vm) -> Option<&mut StreamState> {
        vm.state_mut().contexts.get_mut(&self.id)?.stream.as_deref_mut()
    }
}

fn flag(end: EndOfStream) -> u32 {
    match end {
        EndOfStream::Yes => 1,
        EndOfStream::No => 0,
    }
}
