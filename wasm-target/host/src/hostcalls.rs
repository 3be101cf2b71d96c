//! The functions of ABI 0.2.1 that a module may import from `env`: exactly those that Envoy 1.40 has.

mod callouts;
mod maps;
mod plumbing;
mod streams;
mod values;

use wasmtime::Linker;

use crate::state::State;

/// Offers all of them.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    maps::link(linker)?;
    values::link(linker)?;
    streams::link(linker)?;
    callouts::link(linker)?;
    plumbing::link(linker)
}
