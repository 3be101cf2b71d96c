//! The corpus against the policy itself: the same state machine that the modules run, without a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ferromesh_policy::mesh::Features;
use ferromesh_policy::observability::{MetricKind, Sink};
use ferromesh_policy::vectors::{
    run, Configured, Executor, HeaderValue, Headers, Metric, Request, RequestOutcome, Response, Vector,
};
use ferromesh_policy::{Exchange, Plugin, Property, View, Vm};

const MODULES: [(&str, Features); 4] = [
    ("canary", Features::CANARY),
    ("retry", Features::RETRY),
    ("observability", Features::OBSERVABILITY),
    ("mesh", Features::MESH),
];

struct Native {
    features: Features,
    vm: Vm,
    plugin: Option<Plugin>,
    streams: BTreeMap<usize, (Exchange, Stream)>,
    stats: Stats,
}

/// What the host would show of one stream.
#[derive(Default)]
struct Stream {
    properties: BTreeMap<&'static str, Vec<u8>>,
    request: Headers,
    response: Headers,
}

fn path(property: Property) -> &'static str {
    property.path().last().unwrap()
}

impl Stream {
    fn set(&mut self, property: Property, value: Option<Vec<u8>>) {
        if let Some(value) = value {
            self.properties.insert(path(property), value);
        }
    }
}

fn first<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    headers
        .iter()
        .find(|(header, _)| header == name)
        .map(|(_, value)| value.0.as_slice())
}

fn write(headers: &mut Headers, name: &str, value: Option<&[u8]>) {
    headers.retain(|(header, _)| header != name);
    headers.extend(value.map(|value| (name.to_owned(), HeaderValue(value.to_vec()))));
}

impl View for Stream {
    type Value<'a> = &'a [u8];
    fn request_header(&self, name: &str) -> Option<&[u8]> {
        first(&self.request, name)
    }
    fn response_header(&self, name: &str) -> Option<&[u8]> {
        first(&self.response, name)
    }
    fn property(&self, property: Property) -> Option<&[u8]> {
        self.properties.get(path(property)).map(Vec::as_slice)
    }
}

#[derive(Default)]
struct Stats {
    metrics: Vec<(String, Metric)>,
}

impl Sink for Stats {
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32> {
        let metric = match kind {
            MetricKind::DurationMilliseconds => Metric::Histogram(Vec::new()),
            _ => Metric::Counter(0),
        };
        self.metrics.push((name.to_owned(), metric));
        u32::try_from(self.metrics.len() - 1).ok()
    }
    fn add(&mut self, id: u32, amount: u64) {
        match &mut self.metrics[id as usize].1 {
            Metric::Counter(total) => *total += amount,
            Metric::Histogram(_) => panic!("a histogram was incremented"),
        }
    }
    fn record(&mut self, id: u32, sample: u64) {
        match &mut self.metrics[id as usize].1 {
            Metric::Histogram(samples) => samples.push(sample),
            Metric::Counter(_) => panic!("a counter was given a sample"),
        }
    }
}

impl Executor for Native {
    fn configure(&mut self, _: u64, plugin: &[u8]) -> Configured {
        match Plugin::configure(plugin, self.features, &mut self.vm) {
            Ok(plugin) => {
                self.plugin = Some(plugin);
                Configured::Accepted
            }
            Err(_) => Configured::Rejected,
        }
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        let (exchange, view) = self.streams.entry(stream).or_default();
        view.request.clone_from(&request.headers);
        view.set(
            Property::RouteName,
            request.route.as_ref().map(|name| name.clone().into_bytes()),
        );
        view.set(
            Property::RoutePolicy,
            request.policy.as_ref().map(|policy| policy.0.clone()),
        );
        view.set(
            Property::SourceAddress,
            request.source.as_ref().map(|name| name.clone().into_bytes()),
        );
        let mut headers = view.request.clone();
        if let Some(plugin) = &mut self.plugin {
            let now = Duration::from_millis(at_ms);
            let effects = exchange.on_request(plugin, &mut self.vm, view, now);
            effects.for_each_write(|name, value| write(&mut headers, name, value));
        }
        view.request.clone_from(&headers);
        RequestOutcome {
            headers,
            ..RequestOutcome::default()
        }
    }

    fn response(&mut self, _: u64, stream: usize, response: &Response) -> Headers {
        let (exchange, view) = self.streams.entry(stream).or_default();
        view.response.clone_from(&response.headers);
        view.set(
            Property::AttemptCount,
            response.attempts.map(|count| count.to_le_bytes().to_vec()),
        );
        view.set(
            Property::ClusterName,
            response.cluster.as_ref().map(|name| name.clone().into_bytes()),
        );
        let mut headers = view.response.clone();
        exchange
            .on_response(view)
            .for_each_write(|name, value| write(&mut headers, name, value));
        headers
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        if let Some((mut exchange, view)) = self.streams.remove(&stream) {
            exchange.on_end(&mut self.vm, &view, Duration::from_millis(at_ms));
        }
    }

    fn tick(&mut self, _: u64) {
        self.vm.ledger.flush(&mut self.stats);
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.stats.metrics.clone()
    }
}

fn files(module: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(module);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn parse(file: &Path) -> Vector {
    let text = fs::read_to_string(file).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn the_policy_holds_every_vector() {
    let mut mismatches = Vec::new();
    let mut counts = Vec::new();
    for (module, features) in MODULES {
        let files = files(module);
        assert!(!files.is_empty(), "no vectors for {module}");
        for file in &files {
            let vector = parse(file);
            let vm = Vm::new(vector.seed);
            let stats = Stats::default();
            let mut native = Native {
                features,
                vm,
                plugin: None,
                streams: BTreeMap::new(),
                stats,
            };
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            for mismatch in run(&vector, &mut native) {
                mismatches.push(format!("{module}/{name}: {mismatch}"));
            }
        }
        counts.push(format!("{module} {}", files.len()));
    }
    println!("vectors run natively: {}", counts.join(", "));
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn every_vector_says_something_of_its_own() {
    let mut descriptions = BTreeSet::new();
    let mut in_envoy = 0;
    for (module, _) in MODULES {
        for file in files(module) {
            let vector = parse(&file);
            assert_eq!(file.extension().unwrap(), "yaml", "{}", file.display());
            assert!(
                descriptions.insert(vector.description.clone()),
                "twice: {}",
                vector.description
            );
            let expects = vector
                .steps
                .iter()
                .any(|step| step.expect.is_some() || step.expect_response.is_some() || step.expect_metrics.is_some());
            assert!(
                expects || vector.expect_configure == Configured::Rejected,
                "{} expects nothing",
                file.display()
            );
            in_envoy += usize::from(vector.envoy);
        }
    }
    assert!(in_envoy > 0, "no vector is marked for stock Envoy");
}
