//! What a VM is started with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::abi::Status;
use crate::clock::Clock;
use crate::log::Level;
use crate::properties::Properties;
use crate::shared_data::SharedData;

/// Everything that a VM is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The plugin configuration, for `proxy_on_configure`.
    pub plugin: Vec<u8>,
    /// The VM configuration, for `proxy_on_vm_start`.
    pub vm: Vec<u8>,
    /// The guest's time.
    pub clock: Clock,
    /// Where chance begins: the first 8 bytes of `random_get` are this number, little endian.
    pub seed: u64,
    /// What the guest shares with other VMs.
    pub shared: SharedData,
    /// Properties of every context; a stream's own come before these.
    pub properties: Properties,
    /// Functions for `proxy_call_foreign_function`, by name.
    pub foreign: BTreeMap<String, ForeignFunction>,
    /// The clusters that HTTP calls can be sent to, any by default; others are refused, as by Envoy.
    pub clusters: Option<BTreeSet<String>>,
    /// Hostcalls that are refused, by name, with what the guest is answered; they do nothing then.
    pub refusals: BTreeMap<&'static str, Status>,
    /// The guest's environment variables.
    pub environment: Vec<(String, String)>,
    /// Lines below this level are dropped, as Envoy does with its own.
    pub log_level: Level,
    /// The most fuel that one callback may use; with more it traps.
    pub fuel: u64,
    /// The most memory that the guest may have, in bytes; beyond it growing fails.
    pub memory: usize,
}

impl Config {
    /// A configuration for this plugin configuration; everything else as [`Config::default`].
    pub fn with_plugin(plugin: impl AsRef<[u8]>) -> Self {
        Self {
            plugin: plugin.as_ref().to_vec(),
            ..Self::default()
        }
    }
}

impl Default for Config {
    /// No configuration, a new clock, seed 1, any cluster, log level info as Envoy's own, 200 million of fuel (about a
    /// second of a loop), 16 MiB of memory as the modules declare.
    fn default() -> Self {
        Self {
            plugin: Vec::new(),
            vm: Vec::new(),
            clock: Clock::new(),
            seed: 1,
            shared: SharedData::new(),
            properties: Properties::new(),
            foreign: BTreeMap::new(),
            refusals: BTreeMap::new(),
            clusters: None,
            environment: Vec::new(),
            log_level: Level::Info,
            fuel: 200_000_000,
            memory: 16 << 20,
        }
    }
}

type Call = dyn Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync;

/// A function of the host that a guest calls by name.
#[derive(Clone)]
pub struct ForeignFunction(Arc<Call>);

impl ForeignFunction {
    /// Wraps a function from argument to result.
    pub fn new(call: impl Fn(&[u8]) -> Result<Vec<u8>, Status> + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self, argument: &[u8]) -> Result<Vec<u8>, Status> {
        (self.0)(argument)
    }
}

impl fmt::Debug for ForeignFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignFunction")
    }
}
