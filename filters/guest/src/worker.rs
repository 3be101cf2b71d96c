//! The contexts of one VM: plugins (root contexts) and streams, and what becomes of each callback.

mod delays;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use ferromesh_policy::canary::Delivery;
use ferromesh_policy::mesh::Features;
use ferromesh_policy::observability::{access_log, MetricKind, Sink};
use ferromesh_policy::{Exchange, Flow, Now, Plugin, Reply, Violation, Vm};

use crate::host::{Host, Level, MetricType};
use crate::pairs;
use delays::Delays;

/// Streams that one VM, and so one of Envoy's workers, has a state for at the same time; 7/8 of a power of two,
/// where a hash map grows. Measured: 5 MiB, which together with the bounded caches stays below the memory
/// that modules declare.
pub const MAX_STREAMS: usize = 28_672;

/// The time between two ticks where a stream waits: how much longer than asked for it may wait.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// How long the control plane may take to answer a report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest log line, in bytes.
const MAX_LINE: usize = 1_000;

/// One VM. Unknown contexts are nothing to do: every callback may come at any time.
#[derive(Debug)]
pub struct Worker {
    features: Features,
    vm: Option<Vm>,
    plugins: Vec<(u32, Option<Plugin>)>,
    streams: HashMap<u32, Stream, BuildHasherDefault<ContextHasher>>,
    delays: Delays,
    /// From the monotonic clock to the wall clock, as of the last tick: one call for each request is enough.
    unix_offset: Duration,
    flush_period: Duration,
    flushed: Duration,
    /// The tick period of each plugin: every root context has a timer of its own.
    ticks: Vec<(u32, Duration)>,
    /// A reply's headers in the ABI's form.
    pairs: Vec<u8>,
    /// The report that is under way.
    report: Option<u32>,
}

/// What becomes of a stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Continue,
    /// It was answered, or waits.
    Pause,
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
            delays: Delays::default(),
            unix_offset: Duration::ZERO,
            flush_period: Duration::ZERO,
            flushed: Duration::ZERO,
            ticks: Vec::new(),
            pairs: Vec::new(),
            report: None,
        }
    }

    fn now(&self, host: &impl Host) -> Now {
        let monotonic = host.monotonic();
        Now {
            monotonic,
            unix: monotonic.saturating_add(self.unix_offset),
        }
    }

    fn set_clock(&mut self, host: &impl Host) -> Duration {
        let monotonic = host.monotonic();
        self.unix_offset = host.unix().saturating_sub(monotonic);
        monotonic
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
        self.set_clock(host);
        let Some((_, place)) = self.plugins.iter_mut().find(|(id, _)| *id == context) else {
            return false;
        };
        let json = host.plugin_configuration(size).unwrap_or_default();
        // One seed for each VM, however many plugins and configurations it has.
        let vm = self.vm.get_or_insert_with(|| Vm::new(host.seed()));
        match Plugin::configure(&json, self.features, vm) {
            Ok(plugin) => {
                self.flush_period = plugin.flush_period();
                self.ticks.retain(|(id, _)| *id != context);
                self.ticks.push((context, self.flush_period));
                if let Err(status) = host.set_tick_period(self.flush_period) {
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
    pub fn on_request_headers(&mut self, host: &impl Host, context: u32) -> Action {
        let now = self.now(host);
        let (Some(stream), Some(vm)) = (self.streams.get_mut(&context), &mut self.vm) else {
            return Action::Continue;
        };
        let root = stream.root;
        let plugin = self.plugins.iter_mut().find(|(id, _)| *id == root);
        let Some((_, Some(plugin))) = plugin else {
            return Action::Continue;
        };
        let effects = stream.exchange.on_request(plugin, vm, host, now);
        if !effects.invalid_policy.is_empty() {
            log_violations(host, Level::Warn, "route policy", &effects.invalid_policy);
        }
        match &effects.flow {
            Flow::Reply(reply) => return answer(host, reply, &mut self.pairs),
            Flow::Continue | Flow::Delay(_) => {}
        }
        effects.for_each_write(|name, write| {
            // Refused: the request goes on without, by Envoy's own weights and number of retries.
            let _ = host.write_request_header(name, write);
        });
        let Flow::Delay(delay) = effects.flow else {
            return Action::Continue;
        };
        if !self.delays.hold(context, now.monotonic.saturating_add(delay)) {
            return Action::Continue;
        }
        self.set_tick_period(host, root, now.monotonic);
        Action::Pause
    }

    /// A stream's response headers.
    pub fn on_response_headers(&mut self, host: &impl Host, context: u32) {
        let now = self.now(host);
        let (Some(stream), Some(vm)) = (self.streams.get_mut(&context), &mut self.vm) else {
            return;
        };
        stream
            .exchange
            .on_response(vm, host, now)
            .for_each_write(|name, write| {
                // Refused: the response goes on without.
                let _ = host.write_response_header(name, write);
            });
    }

    /// A stream ended: the last that is needed of it.
    pub fn on_log(&mut self, host: &impl Host, context: u32) {
        let now = self.now(host);
        let (Some(mut stream), Some(vm)) = (self.streams.remove(&context), &mut self.vm) else {
            return;
        };
        if let Some(line) = stream.exchange.on_end(vm, host, now) {
            let mut buffer = [0; access_log::CAPACITY];
            // Refused: the access log goes without.
            let _ = host.set_property(access_log::PROPERTY.as_bytes(), line.render(&mut buffer));
        }
        if vm.ledger.is_full() {
            vm.ledger.flush(&mut Metrics(host));
        }
    }

    /// A context is gone. A plugin's counters are written before.
    pub fn on_delete(&mut self, host: &impl Host, context: u32) {
        self.delays.forget(context);
        self.streams.remove(&context);
        if self.plugins.iter().any(|(id, _)| *id == context) {
            self.flush(host);
            self.plugins.retain(|(id, _)| *id != context);
            self.ticks.retain(|(id, _)| *id != context);
        }
    }

    /// A plugin's tick: the time for counters and samples to be written, and for delayed streams to go on.
    pub fn on_tick(&mut self, host: &impl Host, context: u32) {
        let now = self.set_clock(host);
        while let Some(context) = self.delays.due(now) {
            if host.enter(context).is_err() {
                continue;
            }
            let reply = self
                .streams
                .get_mut(&context)
                .and_then(|stream| stream.exchange.on_resume());
            let goes_on = reply.is_none_or(|reply| answer(host, &reply, &mut self.pairs) == Action::Continue);
            if goes_on {
                // Refused: the stream is gone.
                let _ = host.resume();
            }
        }
        let is_due = now.saturating_sub(self.flushed) >= self.flush_period;
        if is_due || self.delays.next().is_none() {
            self.flush(host);
        }
        self.flushed = if is_due { now } else { self.flushed };
        self.report(host, context, now);
        self.set_tick_period(host, context, now);
    }

    /// The answer to a report, or the end of the wait for one.
    pub fn on_http_call_response(&mut self, host: &impl Host, token: u32) {
        if self.report != Some(token) {
            return;
        }
        self.report = None;
        let delivery = match host.post_status() {
            // Refused is final too: the route or the proxy is not what it was.
            Some(200..=299 | 400..=499) => Delivery::Answered,
            // Envoy answers for a control plane that is away.
            _ => Delivery::Failed,
        };
        if let Some(vm) = &mut self.vm {
            vm.report_ended(delivery);
        }
    }

    /// Sends the report that is due. Nothing waits for it, and nothing happens if it fails but that it is sent again.
    fn report(&mut self, host: &impl Host, context: u32, now: Duration) {
        let plugin = self.plugins.iter().find(|(id, _)| *id == context);
        let (Some((_, Some(plugin))), Some(vm)) = (plugin, &mut self.vm) else {
            return;
        };
        let Some(report) = plugin.report(vm, now) else { return };
        match host.post(report.cluster, report.path, report.body, REPORT_TIMEOUT) {
            Ok(token) => self.report = Some(token),
            Err(_) => vm.report_ended(Delivery::Failed),
        }
    }

    fn flush(&mut self, host: &impl Host) {
        if let Some(vm) = &mut self.vm {
            vm.ledger.flush(&mut Metrics(host));
        }
    }

    /// Ticks come for counters, and sooner where a stream waits for less.
    fn set_tick_period(&mut self, host: &impl Host, root: u32, now: Duration) {
        let wanted = match self.delays.next() {
            Some(next) => next.saturating_sub(now).max(SHORTEST_TICK).min(self.flush_period),
            None => self.flush_period,
        };
        let Some((_, period)) = self.ticks.iter_mut().find(|(id, _)| *id == root) else {
            return;
        };
        if wanted != *period && host.set_tick_period(wanted).is_ok() {
            *period = wanted;
        }
    }
}

/// Answers a request. Where the host refuses that, a request that was to be held back never goes on to its target: its
/// stream is closed, and if that is refused too, it waits until the host gives it up. What was only to go wrong on purpose
/// goes on.
fn answer(host: &impl Host, reply: &Reply<'_>, buffer: &mut Vec<u8>) -> Action {
    pairs::serialize(reply, buffer);
    if host.reply(reply, buffer).is_ok() {
        return Action::Pause;
    }
    if !reply.protects {
        return Action::Continue;
    }
    let _ = host.close();
    Action::Pause
}

/// The host's metrics. What it refuses is lost: there is nobody else to tell.
struct Metrics<'h, H>(&'h H);

impl<H: Host> Sink for Metrics<'_, H> {
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::DurationMilliseconds => MetricType::Histogram,
            MetricKind::Requests | MetricKind::Retries | MetricKind::Event(_) => MetricType::Counter,
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
