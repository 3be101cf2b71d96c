//! What an executor showed, to be compared with what another one shows: the differential test's half of the corpus.

use std::collections::BTreeMap;
use std::fmt;

use super::{
    run, Action, Configured, Executor, HeaderValue, Headers, Metric, Request, RequestOutcome, Response, Vector,
};

/// How much of two transcripts must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Everything,
    /// What a stock Envoy leaves as it is: not the headers that Envoy itself adds, and of samples only their number,
    /// because time there is real.
    StockEnvoy,
}

/// Headers that a stock Envoy (or the client and the upstream around it) writes on its own account.
const ENVOYS_OWN: [&str; 8] = [
    "content-length",
    "date",
    "host",
    "server",
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-upstream-service-time",
    "x-forwarded-proto",
];

/// One thing that an executor showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    at_ms: u64,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Configured(Configured),
    Request {
        stream: usize,
        headers: Vec<(String, HeaderValue)>,
        action: Action,
    },
    Response {
        stream: usize,
        headers: Vec<(String, HeaderValue)>,
    },
    Metrics(BTreeMap<String, Metric>),
}

/// Plays the vector, whose expectations do not count, and writes down what is seen; metrics after every tick.
pub fn record(vector: &Vector, executor: &mut impl Executor) -> Vec<Observation> {
    let mut recorder = Recorder {
        executor,
        seen: Vec::new(),
    };
    // Mismatches with expectations are not what is asked here.
    let _ = run(vector, &mut recorder);
    recorder.seen
}

/// The first difference of two transcripts, as a sentence.
#[must_use]
pub fn difference(expected: &[Observation], seen: &[Observation], scope: Scope) -> Option<String> {
    let both = expected
        .iter()
        .zip(seen)
        .map(|(one, other)| (one.within(scope), other.within(scope)));
    for (index, (one, other)) in both.enumerate() {
        if one != other {
            return Some(format!("observation {index}: {other}; expected {one}"));
        }
    }
    let (expected, seen) = (expected.len(), seen.len());
    (expected != seen).then(|| format!("{seen} observations; expected {expected}"))
}

struct Recorder<'e, E> {
    executor: &'e mut E,
    seen: Vec<Observation>,
}

impl<E> Recorder<'_, E> {
    fn see(&mut self, at_ms: u64, seen: Seen) {
        self.seen.push(Observation { at_ms, seen });
    }
}

impl<E: Executor> Executor for Recorder<'_, E> {
    fn configure(&mut self, at_ms: u64, plugin: &[u8]) -> Configured {
        let answered = self.executor.configure(at_ms, plugin);
        self.see(at_ms, Seen::Configured(answered));
        answered
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        let outcome = self.executor.request(at_ms, stream, request);
        let seen = Seen::Request {
            stream,
            headers: in_order(&outcome.headers),
            action: outcome.action.clone(),
        };
        self.see(at_ms, seen);
        outcome
    }

    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers {
        let headers = self.executor.response(at_ms, stream, response);
        let seen = Seen::Response {
            stream,
            headers: in_order(&headers),
        };
        self.see(at_ms, seen);
        headers
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        self.executor.end(at_ms, stream);
    }

    fn tick(&mut self, at_ms: u64) {
        self.executor.tick(at_ms);
        let mut totals: BTreeMap<String, Metric> = BTreeMap::new();
        for (name, metric) in self.executor.metrics() {
            totals.entry(name).or_insert_with(|| metric.zero()).add(&metric);
        }
        // A metric that was defined and never moved says nothing; samples have no order.
        totals.retain(|_, metric| !metric.is_zero());
        for metric in totals.values_mut() {
            if let Metric::Histogram(samples) = metric {
                samples.sort_unstable();
            }
        }
        self.see(at_ms, Seen::Metrics(totals));
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.executor.metrics()
    }
}

/// By name; values of one name in their order. Where a replaced header stands among others is the host's business.
fn in_order(headers: &Headers) -> Vec<(String, HeaderValue)> {
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}

impl Observation {
    fn within(&self, scope: Scope) -> Self {
        let mut observation = self.clone();
        if scope == Scope::StockEnvoy {
            match &mut observation.seen {
                Seen::Request { headers, .. } | Seen::Response { headers, .. } => {
                    headers.retain(|(name, _)| !name.starts_with(':') && !ENVOYS_OWN.contains(&name.as_str()));
                }
                Seen::Metrics(totals) => {
                    for metric in totals.values_mut() {
                        if let Metric::Histogram(samples) = metric {
                            samples.fill(0);
                        }
                    }
                }
                Seen::Configured(_) => {}
            }
        }
        observation
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at {} ms ", self.at_ms)?;
        match &self.seen {
            Seen::Configured(answered) => write!(out, "on_configure: {answered:?}"),
            Seen::Request {
                stream,
                headers,
                action,
            } => {
                write!(out, "stream {stream} after its request: {action:?}")?;
                write_headers(out, headers)
            }
            Seen::Response { stream, headers } => {
                write!(out, "stream {stream} after its response:")?;
                write_headers(out, headers)
            }
            Seen::Metrics(totals) => write!(out, "metrics: {totals:?}"),
        }
    }
}

fn write_headers(out: &mut fmt::Formatter<'_>, headers: &[(String, HeaderValue)]) -> fmt::Result {
    headers
        .iter()
        .try_for_each(|(name, value)| write!(out, " [{name}: {}]", value.0.escape_ascii()))
}
