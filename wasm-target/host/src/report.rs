//! What callbacks cost: hostcalls by name and fuel. Both are exact and the same on every machine, so a test
//! can hold them where a time could not be held.

use std::collections::BTreeMap;

/// One callback's cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// The callback, such as `proxy_on_request_headers`.
    pub callback: &'static str,
    /// Executed wasm instructions, roughly (wasmtime's unit).
    pub fuel: u64,
    /// How often each hostcall was made, WASI's included.
    pub hostcalls: BTreeMap<&'static str, u64>,
}

impl CallReport {
    /// How often one hostcall was made.
    pub fn count(&self, hostcall: &str) -> u64 {
        self.hostcalls.get(hostcall).copied().unwrap_or(0)
    }

    /// How many hostcalls were made.
    pub fn hostcalls_total(&self) -> u64 {
        self.hostcalls.values().sum()
    }
}

/// The cost of all callbacks of a VM since its start or the last reset, by callback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Callbacks that the module does not export are not in it.
    pub callbacks: BTreeMap<&'static str, Totals>,
}

/// The cost of all calls of one callback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How often it was called.
    pub calls: u64,
    /// Fuel of all calls.
    pub fuel: u64,
    /// Fuel of the most expensive call.
    pub most_fuel: u64,
    /// Hostcalls of all calls.
    pub hostcalls: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(crate) fn add(&mut self, call: &CallReport) {
        let totals = self.callbacks.entry(call.callback).or_default();
        totals.calls += 1;
        totals.fuel += call.fuel;
        totals.most_fuel = totals.most_fuel.max(call.fuel);
        for (name, count) in &call.hostcalls {
            *totals.hostcalls.entry(name).or_default() += count;
        }
    }

    /// How often one hostcall was made by any callback.
    pub fn count(&self, hostcall: &str) -> u64 {
        self.callbacks
            .values()
            .filter_map(|totals| totals.hostcalls.get(hostcall))
            .sum()
    }
}
