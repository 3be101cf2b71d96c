//! Counters and samples of one VM between two ticks.
//!
//! Bounded three ways: series (wasm stats never expire in Envoy), blocks (one for each route with its
//! targets) and samples that wait for a tick. Beyond the first two everything counts as `other`.

use std::collections::BTreeMap;

use super::app_mesh::{AppMesh, Owner};
use super::stat_name::{push, push_series, Scope};
use super::{Event, Events, GrpcStatus, ResponseClass};

mod series;

use series::Series;

/// Sets of label values in one VM, at most; beyond them, values are `other` (one more set for each class, of gRPC and
/// of other requests, and of each Envoy that counts for App Mesh).
pub const MAX_SERIES: usize = 1_000;
/// The `target_node` of a response whose target is not known.
pub const UNKNOWN_TARGET: &str = "unknown";

/// Targets, unknown ones included, times classes of all blocks together.
const MAX_CELLS: usize = 64 * 1024;
/// Envoys whose App Mesh metrics one VM counts: plugins, their reporters and their meshes.
const MAX_OWNERS: usize = 16;
/// Bytes of the names of all blocks together; each is kept twice.
const MAX_NAME_BYTES: usize = 1 << 20;
/// Samples that may wait for a tick: a megabyte.
const MAX_PENDING_SAMPLES: usize = 64 * 1024;
const OTHER: &str = "other";

/// The metrics of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Counter: requests that ended.
    Requests,
    /// Histogram: milliseconds from the request headers to the end of the stream.
    DurationMilliseconds,
    /// Counter: attempts beyond the first.
    Retries,
    /// Counter: requests that this happened to.
    Event(Event),
}

impl MetricKind {
    /// The metric's name without labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "ferromesh_requests_total",
            Self::DurationMilliseconds => "ferromesh_request_duration_milliseconds",
            Self::Retries => "ferromesh_retries_total",
            Self::Event(event) => event.name(),
        }
    }
}

/// Where metrics go. A host that refuses answers `None` or nothing; the ledger goes on.
pub trait Sink {
    /// Defines a metric: its id, `None` when the host refuses. The kind tells a counter from a histogram; App Mesh's
    /// metrics come as requests and durations.
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32>;
    /// Adds to a counter.
    fn add(&mut self, id: u32, amount: u64);
    /// Records a sample of a histogram.
    fn record(&mut self, id: u32, sample: u64);
}

/// What is counted of some requests only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// How a gRPC request ended; `None`: it is not gRPC.
    pub grpc: Option<GrpcStatus>,
    /// Bytes of headers and bodies, both ways, where App Mesh's metrics are asked for.
    pub bytes: u64,
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
    /// What happened to it.
    pub events: Events,
}

/// All counters of one VM.
#[derive(Debug, Default)]
pub struct Ledger {
    index: BTreeMap<String, Block>,
    blocks: Vec<Route>,
    cells: usize,
    name_bytes: usize,
    owners: Vec<Owner>,
    series: Vec<Series>,
    others: Cells,
    changed: Vec<usize>,
    samples: Vec<(usize, u32)>,
}

/// Which series a request counts in, by what tells requests of one route apart; sorted. Few have more than a handful.
type Cells = Vec<(usize, usize)>;

#[derive(Debug)]
struct Route {
    scope: String,
    service: String,
    targets: Vec<String>,
    owner: Option<usize>,
    cells: Cells,
}

impl Ledger {
    /// The block of a route. The same labels and targets have the same block, whenever they are compiled;
    /// `None` when the ledger is full: its requests then count as `other`.
    pub fn block(&mut self, scope: &Scope<'_>, targets: &[String]) -> Option<Block> {
        self.block_with(scope, targets, None)
    }

    /// The same, of a route that is counted in App Mesh's metrics too.
    pub fn block_with(
        &mut self,
        scope: &Scope<'_>,
        targets: &[String],
        app_mesh: Option<&AppMesh<'_>>,
    ) -> Option<Block> {
        let owner = app_mesh.and_then(|app_mesh| self.owner(app_mesh));
        let service = scope.virtual_service;
        let scope = scope.encode();
        let mut key = scope.clone();
        for target in targets {
            push_series(&mut key, target, ResponseClass::None, None);
        }
        if let Some(owner) = owner {
            key.extend(char::from_digit(u32::try_from(owner).unwrap_or(0), 36));
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
        self.blocks.push(Route {
            scope,
            service: service.to_owned(),
            targets: targets.to_vec(),
            owner,
            cells: Cells::new(),
        });
        self.index.insert(key, block);
        Some(block)
    }

    /// Counts one request. Allocates only for a series that was never seen.
    pub fn count(&mut self, block: Option<Block>, outcome: &Outcome) {
        self.count_with(block, outcome, &Detail::default());
    }

    /// The same, with what is known of some requests only.
    pub fn count_with(&mut self, block: Option<Block>, outcome: &Outcome, detail: &Detail) {
        let index = self.find(block, outcome, detail);
        let Some(series) = self.series.get_mut(index) else {
            return;
        };
        if series.count(outcome, detail) {
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
                series.flush(sink, &self.owners);
            }
        }
        for (index, millis) in self.samples.drain(..) {
            if let Some(series) = self.series.get_mut(index) {
                series.record(sink, &self.owners, u64::from(millis));
            }
        }
    }

    fn owner(&mut self, app_mesh: &AppMesh<'_>) -> Option<usize> {
        let owner = Owner::new(app_mesh);
        let known = self.owners.iter().position(|known| *known == owner);
        known.or_else(|| {
            let index = self.owners.len();
            (index < MAX_OWNERS).then(|| {
                self.owners.push(owner);
                index
            })
        })
    }

    /// The series of a request; a new one where it is the first of its kind.
    fn find(&mut self, block: Option<Block>, outcome: &Outcome, detail: &Detail) -> usize {
        let class = outcome.class.index();
        let mut owner = None;
        if let Some(route) = block.and_then(|block| self.blocks.get_mut(block.index)) {
            let target = outcome.target.unwrap_or(usize::MAX).min(route.targets.len());
            let grpc = detail.grpc.map_or(0, GrpcStatus::index);
            let cell = (grpc * (route.targets.len() + 1) + target) * ResponseClass::COUNT + class;
            let place = match place(&route.cells, cell) {
                Ok(index) => return index,
                Err(place) => place,
            };
            if self.series.len() < MAX_SERIES {
                let index = self.series.len();
                route.cells.insert(place, (cell, index));
                let target = route.targets.get(target).map_or(UNKNOWN_TARGET, String::as_str);
                let mut labels = route.scope.clone();
                push_series(&mut labels, target, outcome.class, detail.grpc);
                let of_target = route.owner.map(|owner| (owner, Owner::target(&route.service, target)));
                self.series.push(Series::new(labels, outcome.class, detail, of_target));
                return index;
            }
            owner = route.owner;
        }
        let is_grpc = detail.grpc.is_some();
        let kind = owner.map_or(0, |owner| owner + 1) * 2 + usize::from(is_grpc);
        let cell = kind * ResponseClass::COUNT + class;
        match place(&self.others, cell) {
            Ok(index) => index,
            Err(place) => {
                let index = self.series.len();
                self.others.insert(place, (cell, index));
                let of_target = owner.map(|owner| (owner, Owner::target(OTHER, OTHER)));
                let labels = other_labels(outcome.class, is_grpc);
                self.series.push(Series::new(labels, outcome.class, detail, of_target));
                index
            }
        }
    }
}

/// The series of a cell, or the place for it.
fn place(cells: &Cells, cell: usize) -> Result<usize, usize> {
    let place = cells.partition_point(|(known, _)| *known < cell);
    match cells.get(place) {
        Some((known, index)) if *known == cell => Ok(*index),
        _ => Err(place),
    }
}

fn other_labels(class: ResponseClass, is_grpc: bool) -> String {
    let scope = Scope {
        mesh: OTHER,
        reporter: OTHER,
        source_node: OTHER,
        virtual_service: OTHER,
        route: OTHER,
    };
    let mut labels = scope.encode();
    push_series(&mut labels, OTHER, class, None);
    if is_grpc {
        push(&mut labels, "grpc_status", OTHER);
    }
    labels
}

#[cfg(test)]
pub(super) mod tests;
