//! The corpus against the worker: contexts, configuration and ticks included, with a host in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ferromesh_guest::{self as guest, Worker};
use ferromesh_policy::vectors::{
    run, Action, Configured, Executor, Headers, LocalReply, Metric, Request, RequestOutcome, Response, Vector, MODULES,
};
use ferromesh_policy::Property;

use crate::host::FakeHost;

const ROOT: u32 = 1;

struct InMemory {
    worker: Worker,
    host: FakeHost,
    known: Vec<usize>,
}

fn context(stream: usize) -> u32 {
    u32::try_from(stream).unwrap() + ROOT + 1
}

impl InMemory {
    fn at(&mut self, at_ms: u64, stream: usize) -> u32 {
        self.host.now = Duration::from_millis(at_ms);
        if !self.known.contains(&stream) {
            self.known.push(stream);
            self.worker.on_context_create(context(stream), ROOT);
        }
        context(stream)
    }

    fn set(&mut self, property: Property, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.host.properties.insert(property.path(), value),
            None => self.host.properties.remove(property.path()),
        };
    }
}

impl Executor for InMemory {
    fn configure(&mut self, _: u64, plugin: &[u8]) -> Configured {
        self.host.configuration = plugin.to_vec();
        if self.worker.on_configure(&self.host, ROOT, plugin.len()) {
            Configured::Accepted
        } else {
            Configured::Rejected
        }
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        let context = self.at(at_ms, stream);
        self.set(Property::RouteName, request.route.clone().map(String::into_bytes));
        self.set(
            Property::RoutePolicy,
            request.policy.as_ref().map(|policy| policy.0.clone()),
        );
        self.set(Property::SourceAddress, request.source.clone().map(String::into_bytes));
        self.set(Property::PeerIdentity, request.identity.clone().map(String::into_bytes));
        // One stream after the other: what its response will tell is not known yet.
        for property in [Property::GrpcStatus, Property::RequestBytes, Property::ResponseBytes] {
            self.set(property, None);
        }
        self.host.request.replace(request.headers.clone());
        let action = self.worker.on_request_headers(&self.host, context);
        let reply = self.host.replies.borrow_mut().pop();
        RequestOutcome {
            headers: self.host.request.take(),
            action: match (action, reply) {
                (guest::Action::Continue, _) => Action::Continue,
                (guest::Action::Pause, None) => Action::Paused,
                (guest::Action::Pause, Some((_, status, headers))) => Action::LocalReply(LocalReply {
                    status,
                    headers: parsed(&headers),
                }),
            },
        }
    }

    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers {
        let context = self.at(at_ms, stream);
        self.set(
            Property::AttemptCount,
            response.attempts.map(|count| count.to_le_bytes().to_vec()),
        );
        self.set(Property::ClusterName, response.cluster.clone().map(String::into_bytes));
        for (property, number) in [
            (Property::GrpcStatus, response.grpc_status),
            (Property::RequestBytes, response.request_bytes),
            (Property::ResponseBytes, response.response_bytes),
        ] {
            self.set(property, number.map(|number| number.to_le_bytes().to_vec()));
        }
        self.host.response.replace(response.headers.clone());
        self.worker.on_response_headers(&self.host, context);
        self.host.response.take()
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        let context = self.at(at_ms, stream);
        self.set(Property::AttemptCount, None);
        self.worker.on_log(&self.host, context);
        self.worker.on_delete(&self.host, context);
    }

    fn tick(&mut self, at_ms: u64) {
        self.host.now = Duration::from_millis(at_ms);
        self.worker.on_tick(&self.host, ROOT);
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.host.metrics.borrow().clone()
    }
}

/// A header map in the ABI's form.
fn parsed(map: &[u8]) -> BTreeMap<String, String> {
    let number = |index: usize| {
        let bytes: [u8; 4] = map[4 * index..4 * index + 4].try_into().unwrap();
        u32::from_le_bytes(bytes) as usize
    };
    let count = number(0);
    let mut at = 4 + 8 * count;
    let mut text = |length: usize| {
        let text = String::from_utf8(map[at..at + length].to_vec()).unwrap();
        assert_eq!(map[at + length], 0);
        at += length + 1;
        text
    };
    let header = |index: usize| (text(number(1 + 2 * index)), text(number(2 + 2 * index)));
    (0..count).map(header).collect()
}

#[test]
fn the_worker_holds_every_vector() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/vectors");
    let mut mismatches = Vec::new();
    let mut counts = Vec::new();
    for (module, features) in MODULES {
        let mut count = 0;
        for entry in fs::read_dir(corpus.join(module)).unwrap() {
            let file = entry.unwrap().path();
            let vector: Vector = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let host = FakeHost {
                seed: vector.seed,
                unix_ms: vector.unix_ms,
                ..FakeHost::default()
            };
            let mut executor = InMemory {
                worker: Worker::new(features),
                host,
                known: Vec::new(),
            };
            executor.worker.on_context_create(ROOT, 0);
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let found = run(&vector, &mut executor);
            mismatches.extend(found.into_iter().map(|text| format!("{module}/{name}: {text}")));
            count += 1;
        }
        counts.push(format!("{module} {count}"));
    }
    println!("vectors run through the worker: {}", counts.join(", "));
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}
