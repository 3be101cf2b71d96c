//! Counters and samples of one VM between two ticks.
//!
//! Bounded three ways: series (wasm stats never expire in Envoy), blocks (one for each route with its
//! targets) and samples that wait for a tick. Beyond the first two everything counts as `other`.

use std::collections::BTreeMap;

use super::stat_name::{push_series, Scope};
use super::ResponseClass;

/// Sets of label values in one VM, at most; beyond them, values are `other` (one more set for each class).
pub const MAX_SERIES: usize = 1_000;
/// The `target_node` of a response whose target is not known.
pub const UNKNOWN_TARGET: &str = "unknown";

/// Cells of all blocks together: half a megabyte.
const MAX_CELLS: usize = 64 * 1024;
/// Bytes of the names of all blocks together; each is kept twice.
const MAX_NAME_BYTES: usize = 1 << 20;
/// Samples that may wait for a tick: a megabyte.
const MAX_PENDING_SAMPLES: usize = 64 * 1024;
const OTHER: &str = "other";

/// The four metrics of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Counter: requests that ended.
    Requests,
    /// Histogram: milliseconds from the request headers to the end of the stream.
    DurationMilliseconds,
    /// Counter: attempts beyond the first.
    Retries,
    /// Counter: requests that the budget allowed fewer retries than their policy.
    RetryBudgetExhausted,
}

impl MetricKind {
    /// The metric's name without labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "ferromesh_requests_total",
            Self::DurationMilliseconds => "ferromesh_request_duration_milliseconds",
            Self::Retries => "ferromesh_retries_total",
            Self::RetryBudgetExhausted => "ferromesh_retry_budget_exhausted_total",
        }
    }
}

/// Where metrics go. A host that refuses answers `None` or nothing; the ledger goes on.
pub trait Sink {
    /// Defines a metric: its id, `None` when the host refuses.
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&mut self, id: u32, amount: u64);
    /// Records a sample of a histogram.
    fn record(&mut self, id: u32, sample: u64);
}

/// A route's place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    index: usize,
}

/// What is counted of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The index of the target; `None`: unknown.
    pub target: Option<usize>,
    /// The class of the response.
    pub class: ResponseClass,
    /// Milliseconds from the request headers to the end.
    pub millis: u32,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Whether the budget allowed fewer retries than the policy.
    pub budget_exhausted: bool,
}

/// All counters of one VM.
#[derive(Debug, Default)]
pub struct Ledger {
    index: BTreeMap<String, Block>,
    blocks: Vec<BlockCells>,
    cells: usize,
    name_bytes: usize,
    series: Vec<Series>,
    others: [Option<usize>; ResponseClass::COUNT],
    changed: Vec<usize>,
    samples: Vec<(usize, u32)>,
}

/// One cell for each target, the unknown one last, and class: the index of its series once it has one.
#[derive(Debug)]
struct BlockCells {
    scope: String,
    targets: Vec<String>,
    cells: Vec<Option<usize>>,
}

impl Ledger {
    /// The block of a route. The same labels and targets have the same block, whenever they are compiled;
    /// `None` when the ledger is full: its requests then count as `other`.
    pub fn block(&mut self, scope: &Scope<'_>, targets: &[String]) -> Option<Block> {
        let scope = scope.encode();
        let mut key = scope.clone();
        for target in targets {
            push_series(&mut key, target, ResponseClass::None);
        }
        if let Some(block) = self.index.get(&key) {
            return Some(*block);
        }
        let cells = (targets.len() + 1) * ResponseClass::COUNT;
        if self.cells + cells > MAX_CELLS || self.name_bytes + key.len() > MAX_NAME_BYTES {
            return None;
        }
        self.name_bytes += key.len();
        let block = Block {
            index: self.blocks.len(),
        };
        self.cells += cells;
        self.blocks.push(BlockCells {
            scope,
            targets: targets.to_vec(),
            cells: vec![None; cells],
        });
        self.index.insert(key, block);
        Some(block)
    }

    /// Counts one request. Allocates only for a series that was never seen.
    pub fn count(&mut self, block: Option<Block>, outcome: &Outcome) {
        let found = self.find(block, outcome);
        let index = found.unwrap_or_else(|| self.add_series(block, outcome));
        let Some(series) = self.series.get_mut(index) else {
            return;
        };
        series.requests.pending += 1;
        series.retries.pending += u64::from(outcome.retries);
        series.exhausted.pending += u64::from(outcome.budget_exhausted);
        if !std::mem::replace(&mut series.is_changed, true) {
            self.changed.push(index);
        }
        self.samples.push((index, outcome.millis));
    }

    /// Whether so many samples wait that they should be written before the next tick.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.samples.len() >= MAX_PENDING_SAMPLES
    }

    /// Writes what was counted since the last flush. Keeps its buffers.
    pub fn flush(&mut self, sink: &mut impl Sink) {
        for index in self.changed.drain(..) {
            if let Some(series) = self.series.get_mut(index) {
                series.is_changed = false;
                series.requests.flush(sink, MetricKind::Requests, &series.labels);
                series.retries.flush(sink, MetricKind::Retries, &series.labels);
                series
                    .exhausted
                    .flush(sink, MetricKind::RetryBudgetExhausted, &series.labels);
            }
        }
        for (index, millis) in self.samples.drain(..) {
            if let Some(series) = self.series.get_mut(index) {
                let kind = MetricKind::DurationMilliseconds;
                if let Some(id) = series.durations.id(sink, kind, &series.labels) {
                    sink.record(id, u64::from(millis));
                }
            }
        }
    }

    fn find(&self, block: Option<Block>, outcome: &Outcome) -> Option<usize> {
        match block {
            Some(block) => {
                let block = self.blocks.get(block.index)?;
                *block.cells.get(block.cell(outcome))?
            }
            None => *self.others.get(outcome.class.index())?,
        }
    }

    fn add_series(&mut self, block: Option<Block>, outcome: &Outcome) -> usize {
        let named = self.series.len() < MAX_SERIES;
        let block = block.and_then(|block| self.blocks.get_mut(block.index));
        let index = match &block {
            Some(block) if named => {
                let mut labels = block.scope.clone();
                push_series(&mut labels, block.target_name(outcome.target), outcome.class);
                Self::push(&mut self.series, labels)
            }
            _ => match self.others.get(outcome.class.index()) {
                Some(Some(index)) => *index,
                _ => Self::push(&mut self.series, other_labels(outcome.class)),
            },
        };
        if !named || block.is_none() {
            if let Some(other) = self.others.get_mut(outcome.class.index()) {
                *other = Some(index);
            }
        }
        if let Some(block) = block {
            let cell = block.cell(outcome);
            if let Some(cell) = block.cells.get_mut(cell) {
                *cell = Some(index);
            }
        }
        index
    }

    fn push(series: &mut Vec<Series>, labels: String) -> usize {
        series.push(Series {
            labels,
            ..Series::default()
        });
        series.len() - 1
    }
}

impl BlockCells {
    fn cell(&self, outcome: &Outcome) -> usize {
        let target = outcome.target.unwrap_or(self.targets.len()).min(self.targets.len());
        target * ResponseClass::COUNT + outcome.class.index()
    }

    fn target_name(&self, target: Option<usize>) -> &str {
        target
            .and_then(|index| self.targets.get(index))
            .map_or(UNKNOWN_TARGET, String::as_str)
    }
}

fn other_labels(class: ResponseClass) -> String {
    let scope = Scope {
        mesh: OTHER,
        reporter: OTHER,
        source_node: OTHER,
        virtual_service: OTHER,
        route: OTHER,
    };
    let mut labels = scope.encode();
    push_series(&mut labels, OTHER, class);
    labels
}

#[derive(Debug, Default)]
struct Series {
    labels: String,
    requests: Counter,
    retries: Counter,
    exhausted: Counter,
    durations: Definition,
    is_changed: bool,
}

#[derive(Debug, Default)]
struct Counter {
    pending: u64,
    definition: Definition,
}

/// A metric is defined when it first has a value, and not asked for again when the host refused it.
#[derive(Clone, Copy, Debug, Default)]
enum Definition {
    #[default]
    Undefined,
    Id(u32),
    Refused,
}

impl Definition {
    fn id(&mut self, sink: &mut impl Sink, kind: MetricKind, labels: &str) -> Option<u32> {
        if let Self::Undefined = self {
            let name = [kind.name(), labels].concat();
            *self = sink.define(kind, &name).map_or(Self::Refused, Self::Id);
        }
        match self {
            Self::Id(id) => Some(*id),
            Self::Undefined | Self::Refused => None,
        }
    }
}

impl Counter {
    fn flush(&mut self, sink: &mut impl Sink, kind: MetricKind, labels: &str) {
        let amount = std::mem::take(&mut self.pending);
        if amount > 0 {
            if let Some(id) = self.definition.id(sink, kind, labels) {
                sink.add(id, amount);
            }
        }
    }
}

#[cfg(test)]
mod tests;
