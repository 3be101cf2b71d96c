//! One set of label values: what was counted since the last flush, and the host's ids of its metrics.

use super::super::app_mesh::{Metric, Owner, METRICS};
use super::super::{Event, ResponseClass};
use super::{Detail, MetricKind, Outcome, Sink};

#[derive(Debug, Default)]
pub(super) struct Series {
    labels: String,
    class: ResponseClass,
    is_grpc: bool,
    requests: Counter,
    retries: Counter,
    events: [Counter; Event::COUNT],
    durations: Definition,
    is_changed: bool,
    app_mesh: Option<Box<AppMesh>>,
}

/// The same requests as App Mesh counts them. Series that differ only in what App Mesh does not tell define the same
/// metrics; the host adds them up.
#[derive(Debug)]
struct AppMesh {
    owner: usize,
    target: String,
    bytes: u64,
    definitions: [Definition; METRICS],
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

impl Series {
    /// `of_target`: for App Mesh, whose metrics they are and the labels of the target.
    pub(super) fn new(
        labels: String,
        class: ResponseClass,
        detail: &Detail,
        of_target: Option<(usize, String)>,
    ) -> Self {
        let app_mesh = of_target.map(|(owner, target)| {
            Box::new(AppMesh {
                owner,
                target,
                bytes: 0,
                definitions: [Definition::default(); METRICS],
            })
        });
        Self {
            labels,
            class,
            is_grpc: detail.grpc.is_some(),
            app_mesh,
            ..Self::default()
        }
    }

    /// Whether it is the first request since the last flush.
    pub(super) fn count(&mut self, outcome: &Outcome, detail: &Detail) -> bool {
        self.requests.pending += 1;
        self.retries.pending += u64::from(outcome.retries);
        if !outcome.events.is_empty() {
            for (event, counter) in Event::ALL.into_iter().zip(&mut self.events) {
                counter.pending += u64::from(outcome.events.contains(event));
            }
        }
        if let Some(app_mesh) = &mut self.app_mesh {
            app_mesh.bytes = app_mesh.bytes.saturating_add(detail.bytes);
        }
        !std::mem::replace(&mut self.is_changed, true)
    }

    pub(super) fn flush(&mut self, sink: &mut impl Sink, owners: &[Owner]) {
        self.is_changed = false;
        let requests = self.requests.pending;
        if let Some(app_mesh) = &mut self.app_mesh {
            let bytes = std::mem::take(&mut app_mesh.bytes);
            let has_code = self.class.index() >= ResponseClass::Successful.index();
            for (metric, amount) in [
                (Metric::Requests, requests),
                (Metric::GrpcRequests, if self.is_grpc { requests } else { 0 }),
                (Metric::Bytes, bytes),
                (Metric::TargetRequests, requests),
                (Metric::TargetBytes, bytes),
                (Metric::TargetCode(self.class), if has_code { requests } else { 0 }),
            ] {
                if amount > 0 {
                    if let Some(id) = app_mesh.id(sink, owners, metric) {
                        sink.add(id, amount);
                    }
                }
            }
        }
        self.requests.flush(sink, MetricKind::Requests, &self.labels);
        self.retries.flush(sink, MetricKind::Retries, &self.labels);
        for (event, counter) in Event::ALL.into_iter().zip(&mut self.events) {
            counter.flush(sink, MetricKind::Event(event), &self.labels);
        }
    }

    pub(super) fn record(&mut self, sink: &mut impl Sink, owners: &[Owner], millis: u64) {
        let kind = MetricKind::DurationMilliseconds;
        let labels = &self.labels;
        let name = || [kind.name(), labels].concat();
        if let Some(id) = self.durations.id(sink, kind, name) {
            sink.record(id, millis);
        }
        if let Some(app_mesh) = &mut self.app_mesh {
            if let Some(id) = app_mesh.id(sink, owners, Metric::TargetResponseTime) {
                sink.record(id, millis);
            }
        }
    }
}

impl AppMesh {
    fn id(&mut self, sink: &mut impl Sink, owners: &[Owner], metric: Metric) -> Option<u32> {
        let owner = owners.get(self.owner).filter(|owner| owner.tells(metric))?;
        let kind = match metric {
            Metric::TargetResponseTime => MetricKind::DurationMilliseconds,
            _ => MetricKind::Requests,
        };
        let definition = self.definitions.get_mut(metric.index())?;
        definition.id(sink, kind, || owner.name(metric, &self.target))
    }
}

impl Definition {
    fn id(&mut self, sink: &mut impl Sink, kind: MetricKind, name: impl FnOnce() -> String) -> Option<u32> {
        if let Self::Undefined = self {
            *self = sink.define(kind, &name()).map_or(Self::Refused, Self::Id);
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
            if let Some(id) = self.definition.id(sink, kind, || [kind.name(), labels].concat()) {
                sink.add(id, amount);
            }
        }
    }
}
