//! The contexts of one VM: plugins (root contexts) and streams, and what becomes of each callback.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ferromesh_policy::mesh::Features;
use ferromesh_policy::observability::{MetricKind, Sink};
use ferromesh_policy::{Exchange, Plugin, Violation, Vm};

use crate::host::{Host, Level, MetricType};

/// Streams that one VM, and so one of Envoy's workers, has a state for at the same time; 7/8 of a power of two,
/// where a hash map grows. Measured: 5 MiB, which together with the bounded caches stays below the memory
/// that modules declare.
pub const MAX_STREAMS: usize = 28_672;

/// The longest log line, in bytes.
const MAX_LINE: usize = 1_000;

/// One VM. Unknown contexts are nothing to do: every callback may come at any time.
#[derive(Debug)]
pub struct Worker {
    features: Features,
    vm: Option<Vm>,
    plugins: Vec<(u32, Option<Plugin>)>,
    streams: HashMap<u32, Stream, BuildHasherDefault<ContextHasher>>,
}

#[derive(Debug)]
struct Stream {
    root: u32,
    exchange: Exchange,
}

impl Worker {
    /// A VM that no context was created in.
    #[must_use]
    pub fn new(features: Features) -> Self {
        Self {
            features,
            vm: None,
            plugins: Vec::new(),
            streams: HashMap::default(),
        }
    }

    /// A context exists from now on: a plugin's (`parent` 0), or a stream's. A stream beyond [`MAX_STREAMS`], or one
    /// that there is no memory for, is left to Envoy's own weights and retries and is not counted.
    pub fn on_context_create(&mut self, context: u32, parent: u32) {
        if parent == 0 {
            if !self.plugins.iter().any(|(id, _)| *id == context) {
                self.plugins.push((context, None));
            }
        } else if self.streams.len() < MAX_STREAMS && self.streams.try_reserve(1).is_ok() {
            self.streams.insert(
                context,
                Stream {
                    root: parent,
                    exchange: Exchange::default(),
                },
            );
        }
    }

    /// A plugin's configuration, the first or a new one; whether it is in effect.
    pub fn on_configure(&mut self, host: &impl Host, context: u32, size: usize) -> bool {
        let Some((_, place)) = self.plugins.iter_mut().find(|(id, _)| *id == context) else {
            return false;
        };
        let json = host.plugin_configuration(size).unwrap_or_default();
        // One seed for each VM, however many plugins and configurations it has.
        let vm = self.vm.get_or_insert_with(|| Vm::new(host.seed()));
        match Plugin::configure(&json, self.features, vm) {
            Ok(plugin) => {
                if let Err(status) = host.set_tick_period(plugin.flush_period()) {
                    log(
                        host,
                        Level::Warn,
                        format!("no ticks, so no metrics: host status {}", status.0),
                    );
                }
                *place = Some(plugin);
                true
            }
            Err(violations) => {
                log_violations(host, Level::Error, "plugin configuration", &violations);
                false
            }
        }
    }

    /// A stream's request headers.
    pub fn on_request_headers(&mut self, host: &impl Host, context: u32) {
        let (Some(stream), Some(vm)) = (self.streams.get_mut(&context), &mut self.vm) else {
            return;
        };
        let root = stream.root;
        let plugin = self.plugins.iter_mut().find(|(id, _)| *id == root);
        let Some((_, Some(plugin))) = plugin else { return };
        let effects = stream.exchange.on_request(plugin, vm, host, host.now());
        if !effects.invalid_policy.is_empty() {
            log_violations(host, Level::Warn, "route policy", &effects.invalid_policy);
        }
        effects.for_each_write(|name, value| {
            // Refused: the request goes on without, by Envoy's own weights and number of retries.
            let _ = host.write_request_header(name, value);
        });
    }

    /// A stream's response headers.
    pub fn on_response_headers(&mut self, host: &impl Host, context: u32) {
        let Some(stream) = self.streams.get_mut(&context) else {
            return;
        };
        stream.exchange.on_response(host).for_each_write(|name, value| {
            // Refused: the response goes on without.
            let _ = host.write_response_header(name, value);
        });
    }

    /// A stream ended.
    pub fn on_log(&mut self, host: &impl Host, context: u32) {
        let (Some(stream), Some(vm)) = (self.streams.get_mut(&context), &mut self.vm) else {
            return;
        };
        stream.exchange.on_end(vm, host, host.now());
        if vm.ledger.is_full() {
            vm.ledger.flush(&mut Metrics(host));
        }
    }

    /// A context is gone. A plugin's counters are written before.
    pub fn on_delete(&mut self, host: &impl Host, context: u32) {
        if self.streams.remove(&context).is_some() {
            return;
        }
        if self.plugins.iter().any(|(id, _)| *id == context) {
            self.on_tick(host);
            self.plugins.retain(|(id, _)| *id != context);
        }
    }

    /// The time for counters and samples to be written.
    pub fn on_tick(&mut self, host: &impl Host) {
        if let Some(vm) = &mut self.vm {
            vm.ledger.flush(&mut Metrics(host));
        }
    }
}

/// The host's metrics. What it refuses is lost: there is nobody else to tell.
struct Metrics<'h, H>(&'h H);

impl<H: Host> Sink for Metrics<'_, H> {
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::DurationMilliseconds => MetricType::Histogram,
            MetricKind::Requests | MetricKind::Retries | MetricKind::RetryBudgetExhausted => MetricType::Counter,
        };
        self.0.define_metric(kind, name).ok()
    }

    fn add(&mut self, id: u32, amount: u64) {
        let _ = self.0.increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
    }

    fn record(&mut self, id: u32, sample: u64) {
        let _ = self.0.record_metric(id, sample);
    }
}

fn log_violations(host: &impl Host, level: Level, subject: &str, violations: &[Violation]) {
    for violation in violations {
        log(host, level, format!("{subject} not in effect: {violation}"));
    }
}

/// One line: nothing that is written here can begin another, or a terminal's sequence.
fn log(host: &impl Host, level: Level, line: String) {
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
        if escaped.len() >= MAX_LINE {
            escaped.push('…');
            break;
        }
    }
    host.log(level, &escaped);
}

/// Context ids are small numbers that the host counts up: spread by one multiplication.
#[derive(Debug, Default)]
struct ContextHasher(u64);

impl Hasher for ContextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio: hash maps look at the highest bits.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
