//! What ends a VM, as values.

use std::fmt;

/// A callback that did not return. The VM is dead afterwards, as it is in Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The callback that was called.
    pub callback: &'static str,
    /// Why it did not return.
    pub kind: TrapKind,
}

/// Why a callback did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrapKind {
    /// The guest called `proc_exit` with this code.
    Exit(i32),
    /// The guest ran longer than its fuel allows: a loop without end, most likely.
    OutOfFuel,
    /// The guest did what wasm forbids: unreachable (a panic), out of bounds, stack overflow, …
    Wasm(String),
    /// The guest and the host do not fit: a callback has another signature, no memory is exported, …
    Mismatch(String),
    /// The VM had trapped before.
    Dead,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not return: ", self.callback)?;
        match &self.kind {
            TrapKind::Exit(code) => write!(f, "the guest exited with {code}"),
            TrapKind::OutOfFuel => write!(f, "out of fuel"),
            TrapKind::Wasm(text) | TrapKind::Mismatch(text) => write!(f, "{text}"),
            TrapKind::Dead => write!(f, "the vm had trapped before"),
        }
    }
}

impl std::error::Error for Trap {}

/// Why a VM or a plugin did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The module imports what the host does not have, or could not be instantiated.
    #[error("cannot instantiate the module: {0}")]
    Instantiate(String),
    /// A callback trapped.
    #[error(transparent)]
    Trap(#[from] Trap),
    /// `proxy_on_vm_start` answered false.
    #[error("proxy_on_vm_start answered false")]
    VmRefused,
    /// `proxy_on_configure` answered false: the plugin configuration is wrong.
    #[error("proxy_on_configure answered false")]
    ConfigurationRefused,
}

/// Carries `proc_exit` through wasmtime.
#[derive(Debug)]
pub(crate) struct Exited(pub(crate) i32);

impl fmt::Display for Exited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest exited with {}", self.0)
    }
}

impl std::error::Error for Exited {}

impl Trap {
    pub(crate) fn from_wasmtime(callback: &'static str, error: &wasmtime::Error) -> Self {
        let kind = if let Some(Exited(code)) = error.downcast_ref() {
            TrapKind::Exit(*code)
        } else {
            match error.downcast_ref::<wasmtime::Trap>() {
                Some(wasmtime::Trap::OutOfFuel) => TrapKind::OutOfFuel,
                Some(_) => TrapKind::Wasm(format!("{error:#}")),
                None => TrapKind::Mismatch(format!("{error:#}")),
            }
        };
        Self { callback, kind }
    }
}
