//! A stream whose route was met before allocates nothing, from its context's beginning to its end, whichever feature
//! runs. Counted by the allocator itself, with a host whose own allocations do not count.
//!
//! `cargo test -p ferromesh-guest --test allocations -- --nocapture` prints the table.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_guest::{Features, Host, Level, MetricType, Status, Worker};
use ferromesh_policy::rate_limit::{Shared, SharedRead, SharedWrite};
use ferromesh_policy::{Property, Reply, View, Write};

/// The system's allocator, with a count for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static IS_HOST: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: everything is the system's; the count is a thread's own and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !IS_HOST.get() {
            COUNT.set(COUNT.get() + 1);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !IS_HOST.get() {
            COUNT.set(COUNT.get() + 1);
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs a piece of the host: in Envoy that is not the guest's memory.
fn host<T>(call: impl FnOnce() -> T) -> T {
    IS_HOST.set(true);
    let result = call();
    IS_HOST.set(false);
    result
}

/// Values that the host gives away are memory that the guest has anyway: its scratch buffer.
struct Given(Vec<u8>);

impl AsRef<[u8]> for Given {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Shared data by key, each with the number of its last write.
type Values = BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

#[derive(Default)]
struct Bench {
    configuration: String,
    now: Cell<Duration>,
    request: Vec<(&'static str, &'static str)>,
    properties: BTreeMap<&'static [&'static str], Vec<u8>>,
    shared: RefCell<Values>,
    metrics: Cell<u32>,
}

impl View for Bench {
    type Value<'a> = Given;

    fn request_header(&self, name: &str) -> Option<Given> {
        let (_, value) = self.request.iter().find(|(header, _)| *header == name)?;
        Some(host(|| Given(value.as_bytes().to_vec())))
    }

    fn response_header(&self, name: &str) -> Option<Given> {
        (name == ":status").then(|| host(|| Given(b"200".to_vec())))
    }

    fn property(&self, property: Property) -> Option<Given> {
        let value = self.properties.get(property.path())?;
        Some(host(|| Given(value.clone())))
    }
}

impl Shared for Bench {
    type Value<'a> = Given;

    fn get(&self, key: &[u8]) -> SharedRead<Given> {
        host(|| match self.shared.borrow().get(key) {
            Some((value, cas)) => SharedRead::Found(Given(value.clone()), *cas),
            None => SharedRead::Absent,
        })
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        host(|| {
            let mut shared = self.shared.borrow_mut();
            let (held, number) = shared.entry(key.to_vec()).or_default();
            if cas != 0 && cas != *number {
                return SharedWrite::Mismatch;
            }
            *held = value.to_vec();
            *number += 1;
            SharedWrite::Written
        })
    }
}

impl Host for Bench {
    fn monotonic(&self) -> Duration {
        self.now.get()
    }
    fn unix(&self) -> Duration {
        self.now.get()
    }
    fn seed(&self) -> u64 {
        7
    }
    fn log(&self, _: Level, line: &str) {
        panic!("{line}");
    }
    fn plugin_configuration(&self, _: usize) -> Option<Vec<u8>> {
        Some(self.configuration.clone().into_bytes())
    }
    fn set_tick_period(&self, _: Duration) -> Result<(), Status> {
        Ok(())
    }
    fn write_request_header(&self, _: &str, _: Write<'_>) -> Result<(), Status> {
        Ok(())
    }
    fn write_response_header(&self, _: &str, _: Write<'_>) -> Result<(), Status> {
        Ok(())
    }
    fn reply(&self, _: &Reply<'_>, _: &[u8]) -> Result<(), Status> {
        Ok(())
    }
    fn enter(&self, _: u32) -> Result<(), Status> {
        Ok(())
    }
    fn resume(&self) -> Result<(), Status> {
        Ok(())
    }
    fn close(&self) -> Result<(), Status> {
        Ok(())
    }
    fn set_property(&self, _: &[u8], _: &[u8]) -> Result<(), Status> {
        Ok(())
    }
    fn define_metric(&self, _: MetricType, _: &str) -> Result<u32, Status> {
        self.metrics.set(self.metrics.get() + 1);
        Ok(self.metrics.get())
    }
    fn increment_metric(&self, _: u32, _: i64) -> Result<(), Status> {
        Ok(())
    }
    fn record_metric(&self, _: u32, _: u64) -> Result<(), Status> {
        Ok(())
    }
    fn post(&self, _: &str, _: &str, _: &[u8], _: Duration) -> Result<u32, Status> {
        Ok(1)
    }
    fn post_status(&self) -> Option<u16> {
        Some(200)
    }
}

const NAMES: &str = r#""labels": {"virtualService": "v", "route": "r"}, "targets": ["blue", "green"]"#;
const CANARY: &str = r#""canary": {"weights": [90, 10]}"#;
const STICKY: &str = r#""canary": {"weights": [90, 10], "sticky": {"header": "x-user"}}"#;
const COOKIE: &str =
    r#""canary": {"weights": [90, 10], "sticky": {"cookie": "user"}, "override": {"header": "x-test"}}"#;
const ISSUED: &str = r#""canary": {"weights": [90, 10], "sticky": {"cookie": {"name": "fm", "set": {}}}}"#;
const ROLLBACK: &str = r#""canary": {"weights": [90, 10], "rollback": {"baseline": "blue", "canary": "green"}}"#;
const BUDGET: &str = r#""retry": {"maxRetries": 2}"#;
const CORE: &str = r#""observability": {"metrics": true, "traceContext": true}"#;
const TRACES: &str = r#""observability": {"metrics": false, "requestId": true, "keepRequestId": false,
    "traceContext": {"accept": ["w3c", "b3", "b3multi", "xray"], "emit": ["w3c", "b3", "b3multi", "xray"]}}"#;
const TOLD: &str = r#""observability": {"metrics": true, "traceContext": false, "responseHeaders": true,
    "serverTiming": true, "grpc": true, "appMesh": true, "accessLog": true}"#;
const LIMIT: &str = r#""rateLimit": {"limits": [{"name": "all", "requests": 1000000, "windowSeconds": 1}]}"#;
const LIMIT_BY_USER: &str = r#""rateLimit": {"limits": [{"name": "user", "requests": 100000, "windowSeconds": 1,
    "algorithm": "slidingWindow", "key": {"header": "x-user"}}]}"#;
const BREAKER: &str = r#""circuitBreaker": {"per": "target", "slowMillis": 500, "slowRatio": 0.5}"#;
const FAULT: &str = r#""fault": {"abort": {"status": 503}, "when": {"header": "x-fault"}}"#;
const ABORT: &str = r#""fault": {"abort": {"status": 503}}"#;
const HEADERS: &str = r#""headers": {"request": [{"set": {"name": "x-a", "value": "b"}}, {"remove": "x-b"}],
    "response": [{"set": {"name": "x-c", "value": "d"}}]}"#;
const TEMPLATES: &str = r#""headers": {"request": [{"set": {"name": "x-a", "value": "{route} {source.address} {request.path}"}}],
    "response": [{"add": {"name": "x-c", "value": "{target} {response.status} {response.attempts}"}}]}"#;
const EVERYTHING: &str = r#""observability": {"metrics": true, "traceContext": true, "responseHeaders": true}"#;
const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A feature's name, the members of its policy, its requests' headers.
type Feature = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const FEATURES: &[Feature] = &[
    ("nothing", &[], &[]),
    ("drawn canary", &[CANARY], &[]),
    ("sticky canary", &[STICKY], &[("x-user", "me")]),
    ("sticky canary by cookie", &[COOKIE], &[("cookie", "a=b; user=me")]),
    ("canary that issues cookies", &[ISSUED], &[]),
    ("canary with rollback", &[ROLLBACK], &[]),
    ("retry budget", &[CANARY, BUDGET], &[]),
    ("metrics and new trace", &[CANARY, CORE], &[]),
    ("metrics and kept trace", &[CANARY, CORE], &[("traceparent", KEPT)]),
    ("traces in all formats", &[TRACES], &[]),
    ("everything told", &[CANARY, TOLD], &[]),
    ("rate limit", &[LIMIT], &[]),
    ("rate limit by user", &[LIMIT_BY_USER], &[("x-user", "me")]),
    ("breaker", &[CANARY, BREAKER], &[]),
    ("fault, no mark", &[FAULT], &[]),
    ("abort", &[ABORT], &[]),
    ("headers", &[HEADERS], &[]),
    ("header templates", &[TEMPLATES], &[(":path", "/a")]),
    (
        "all",
        &[STICKY, BUDGET, BREAKER, LIMIT, FAULT, HEADERS, EVERYTHING],
        &[("x-user", "me")],
    ),
];

const ROOT: u32 = 1;
/// More than a generation of any bounded buffer that fills with requests, ticks as often as in production.
const WARM_UP: u32 = 6_000;
const STREAMS: u32 = 2_000;
const BETWEEN_TICKS: u32 = 1_000;

/// Allocations of the steady state's streams, and of its ticks.
fn allocations((name, members, headers): &Feature, by_route: bool) -> (u64, u64) {
    let policy = [NAMES]
        .into_iter()
        .chain(members.iter().copied())
        .collect::<Vec<_>>()
        .join(",");
    let default = if by_route {
        String::new()
    } else {
        format!(r#","single":true,"default":{{{policy}}}"#)
    };
    let mut bench = Bench {
        configuration: format!(r#"{{"mesh":"m","node":"n","reporter":"source"{default}}}"#),
        request: headers.to_vec(),
        ..Bench::default()
    };
    if by_route {
        let policy = format!("{{{policy}}}").into_bytes();
        bench.properties.insert(Property::RoutePolicy.path(), policy);
    }
    for (property, value) in [
        (Property::RouteName, b"r#0123456789abcdef".to_vec()),
        (Property::SourceAddress, b"127.0.0.1:4711".to_vec()),
        (Property::AttemptCount, 1_u64.to_le_bytes().to_vec()),
        (Property::GrpcStatus, 0_u64.to_le_bytes().to_vec()),
        (Property::RequestBytes, 100_u64.to_le_bytes().to_vec()),
        (Property::ResponseBytes, 100_u64.to_le_bytes().to_vec()),
    ] {
        bench.properties.insert(property.path(), value);
    }
    COUNT.set(0);
    let mut worker = Worker::new(Features::MESH);
    worker.on_context_create(ROOT, 0);
    assert!(worker.on_configure(&bench, ROOT, bench.configuration.len()), "{name}");
    assert_ne!(
        COUNT.get(),
        0,
        "a configuration takes memory: the count would say nothing otherwise"
    );
    let (mut in_streams, mut in_ticks) = (0, 0);
    for number in 0..WARM_UP + STREAMS {
        let before = COUNT.get();
        let context = ROOT + 1 + number;
        worker.on_context_create(context, ROOT);
        worker.on_request_headers(&bench, context);
        bench.now.set(bench.now.get() + Duration::from_millis(1));
        worker.on_response_headers(&bench, context);
        worker.on_log(&bench, context);
        worker.on_delete(&bench, context);
        let streams = COUNT.get();
        if number % BETWEEN_TICKS == BETWEEN_TICKS - 1 {
            worker.on_tick(&bench, ROOT);
        }
        if number >= WARM_UP {
            in_streams += streams - before;
            in_ticks += COUNT.get() - streams;
        }
    }
    (in_streams, in_ticks)
}

#[test]
fn a_stream_allocates_nothing_whichever_feature_runs() {
    println!(
        "{:<40} allocations in {STREAMS} streams, in {} ticks",
        "feature",
        STREAMS / BETWEEN_TICKS
    );
    let mut wrong = Vec::new();
    for by_route in [false, true] {
        for feature in FEATURES {
            let (streams, ticks) = allocations(feature, by_route);
            let name = format!("{}{}", feature.0, if by_route { ", by route" } else { "" });
            println!("{name:<40} {streams:>5} {ticks:>5}");
            if (streams, ticks) != (0, 0) {
                wrong.push(format!("{name}: {streams} in streams, {ticks} in ticks"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
