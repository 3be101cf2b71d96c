//! The guest's memory, seen from a hostcall. Every pointer and length comes from the guest and may be
//! anything; one that leaves its memory is answered with a status, never with a panic.

use wasmtime::{Caller, Extern, Memory};

use crate::abi::Status;
use crate::state::State;

/// Why a hostcall did not do what it was asked for.
pub(crate) enum Refusal {
    /// The guest gets this answer and runs on.
    Status(Status),
    /// The guest gets this number of WASI's and runs on.
    Errno(u32),
    /// The guest does not get an answer.
    Trap(wasmtime::Error),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// The caller of a hostcall.
pub(crate) struct Guest<'a> {
    caller: Caller<'a, State>,
    memory: Memory,
}

/// WASI's number for a bad address.
const EFAULT: u32 = 21;

/// Carries out a hostcall of the proxy-wasm ABI and counts it.
pub(crate) fn hostcall(
    caller: Caller<'_, State>,
    name: &'static str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Refusal>,
) -> wasmtime::Result<u32> {
    match Guest::enter(caller, name).and_then(|mut guest| body(&mut guest)) {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Refusal::Status(status)) => Ok(status as u32),
        Err(Refusal::Errno(_)) => Ok(Status::InternalFailure as u32),
        Err(Refusal::Trap(error)) => Err(error),
    }
}

/// Carries out a hostcall of WASI and counts it.
pub(crate) fn wasi_call(
    caller: Caller<'_, State>,
    name: &'static str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Refusal>,
) -> wasmtime::Result<u32> {
    match Guest::enter(caller, name).and_then(|mut guest| body(&mut guest)) {
        Ok(()) => Ok(0),
        Err(Refusal::Errno(number)) => Ok(number),
        Err(Refusal::Status(_)) => Ok(EFAULT),
        Err(Refusal::Trap(error)) => Err(error),
    }
}

impl<'a> Guest<'a> {
    fn enter(mut caller: Caller<'a, State>, name: &'static str) -> Result<Self, Refusal> {
        *caller.data_mut().call.hostcalls.entry(name).or_default() += 1;
        if let Some(status) = caller.data().config.refusals.get(name) {
            return Err(Refusal::Status(*status));
        }
        let memory = match caller.data().memory {
            Some(memory) => memory,
            // Not known yet while the module's start function runs.
            None => match caller.get_export("memory") {
                Some(Extern::Memory(memory)) => memory,
                _ => return Err(Refusal::Trap(wasmtime::Error::msg("the module exports no memory"))),
            },
        };
        Ok(Self { caller, memory })
    }

    /// The host's state.
    pub(crate) fn state(&mut self) -> &mut State {
        self.caller.data_mut()
    }

    /// Bytes of the guest.
    pub(crate) fn read(&self, pointer: u32, length: u32) -> Result<Vec<u8>, Refusal> {
        let start = pointer as usize;
        start
            .checked_add(length as usize)
            .and_then(|end| self.memory.data(&self.caller).get(start..end))
            .map(<[u8]>::to_vec)
            .ok_or(Refusal::Status(Status::InvalidMemoryAccess))
    }

    /// A number of the guest.
    pub(crate) fn read_u32(&self, pointer: u32) -> Result<u32, Refusal> {
        let bytes = self.read(pointer, 4)?;
        let bytes: [u8; 4] = bytes.try_into().map_err(|_| Refusal::Status(Status::InternalFailure))?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Writes into the guest's memory and hands the place to `fill` together with the state.
    pub(crate) fn fill(
        &mut self,
        pointer: u32,
        length: u32,
        fill: impl FnOnce(&mut [u8], &mut State),
    ) -> Result<(), Refusal> {
        let (data, state) = self.memory.data_and_store_mut(&mut self.caller);
        let start = pointer as usize;
        let place = start
            .checked_add(length as usize)
            .and_then(|end| data.get_mut(start..end))
            .ok_or(Status::InvalidMemoryAccess)?;
        fill(place, state);
        Ok(())
    }

    /// Writes bytes into the guest's memory.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Refusal> {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        self.fill(pointer, length, |place, _| place.copy_from_slice(bytes))
    }

    /// Writes a number into the guest's memory.
    pub(crate) fn write_u32(&mut self, pointer: u32, number: u32) -> Result<(), Refusal> {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Writes a number into the guest's memory.
    pub(crate) fn write_u64(&mut self, pointer: u32, number: u64) -> Result<(), Refusal> {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Hands bytes over: lets the guest allocate a place for them and tells it where they are.
    /// No bytes need no place; their pointer is 0.
    pub(crate) fn give(&mut self, bytes: &[u8], return_pointer: u32, return_length: u32) -> Result<(), Refusal> {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let mut pointer = 0;
        if length > 0 {
            let allocate = self.caller.data().allocate.clone().ok_or_else(|| {
                Refusal::Trap(wasmtime::Error::msg(
                    "the module exports neither proxy_on_memory_allocate nor malloc",
                ))
            })?;
            pointer = allocate.call(&mut self.caller, length).map_err(Refusal::Trap)?;
            if pointer == 0 {
                return Err(Status::InvalidMemoryAccess.into());
            }
            self.write(pointer, bytes)?;
        }
        self.write_u32(return_pointer, pointer)?;
        self.write_u32(return_length, length)
    }
}
