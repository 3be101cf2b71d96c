//! The worker with a host in memory: what it costs in calls, what it says, and that nothing traps it.

mod corpus;
mod held;
mod host;
mod reports;

use std::time::Duration;

use ferromesh_guest::{Features, Level, Status, Worker, MAX_STREAMS};
use ferromesh_policy::observability::MAX_SERIES;
use ferromesh_policy::vectors::{HeaderValue, Metric};
use ferromesh_policy::{Property, View};
use host::FakeHost;
use proptest::prelude::*;

const PLUGIN: &str = r#"{"mesh":"m","node":"front","reporter":"source"}"#;
const POLICY: &str = r#"{"labels":{"virtualService":"v","route":"r"},"targets":["a","b"],
    "canary":{"weights":[1,1]},"retry":{"maxRetries":2},"observability":{}}"#;
const ROOT: u32 = 1;

fn with_route(name: &str, policy: &str) -> FakeHost {
    let mut host = FakeHost {
        configuration: PLUGIN.into(),
        ..FakeHost::default()
    };
    host.properties.insert(Property::RouteName.path(), name.into());
    host.properties.insert(Property::RoutePolicy.path(), policy.into());
    host.properties
        .insert(Property::AttemptCount.path(), 1_u64.to_le_bytes().to_vec());
    host.response
        .borrow_mut()
        .push((":status".into(), HeaderValue(b"200".to_vec())));
    host
}

fn configured(host: &FakeHost) -> Worker {
    let mut worker = Worker::new(Features::MESH);
    worker.on_context_create(ROOT, 0);
    assert!(worker.on_configure(host, ROOT, host.configuration.len()));
    host.take_calls();
    worker
}

fn stream(worker: &mut Worker, host: &FakeHost, context: u32) {
    worker.on_context_create(context, ROOT);
    worker.on_request_headers(host, context);
    worker.on_response_headers(host, context);
    worker.on_log(host, context);
    worker.on_delete(host, context);
}

#[test]
fn a_request_costs_one_read_for_its_policy_and_the_next_ones_no_more() {
    let host = with_route("r#1", POLICY);
    let mut worker = configured(&host);
    worker.on_context_create(2, ROOT);
    worker.on_request_headers(&host, 2);
    let (reads, writes) = host.take_calls();
    assert_eq!(
        reads,
        [
            "xds.route_name",
            "xds.route_metadata.filter_metadata.ferromesh.policy",
            "traceparent"
        ]
    );
    assert_eq!(writes, ["x-ferromesh-pick", "traceparent"]);
    // The trace that the first request was given is still on the headers: it is kept.
    worker.on_context_create(3, ROOT);
    worker.on_request_headers(&host, 3);
    assert_eq!(
        host.take_calls(),
        (
            vec!["xds.route_name".into(), "traceparent".into()],
            vec!["x-ferromesh-pick".into()]
        )
    );
    worker.on_response_headers(&host, 3);
    worker.on_log(&host, 3);
    let (reads, writes) = host.take_calls();
    assert_eq!(reads, [":status", "upstream.request_attempt_count"]);
    assert!(writes.is_empty());
    assert_eq!(host.metric_calls.get(), 0, "no metric call on the request path");
}

#[test]
fn a_route_without_a_policy_costs_one_read() {
    let mut host = with_route("plain", POLICY);
    host.properties.remove(Property::RoutePolicy.path());
    let mut worker = configured(&host);
    stream(&mut worker, &host, 2);
    host.take_calls();
    stream(&mut worker, &host, 3);
    assert_eq!(host.take_calls(), (vec!["xds.route_name".into()], vec![]));
}

#[test]
fn the_vm_is_seeded_once_for_all_plugins_and_configurations() {
    let host = with_route("r#1", POLICY);
    let mut worker = configured(&host);
    worker.on_context_create(5, 0);
    assert!(worker.on_configure(&host, 5, 0));
    assert!(worker.on_configure(&host, ROOT, 0));
    assert_eq!(host.seeds_drawn.get(), 1);
}

#[test]
fn a_refused_configuration_is_logged_with_its_fields_on_one_line_each() {
    let mut host = with_route("r#1", POLICY);
    let mut worker = configured(&host);
    host.configuration = br#"{"mesh":"","node":"a\nb","reporter":"source","flushMillis":1}"#.to_vec();
    assert!(!worker.on_configure(&host, ROOT, 0));
    let logs = host.logs.take();
    assert_eq!(
        logs,
        [
            (
                Level::Error,
                "plugin configuration not in effect: mesh: name of 0 bytes must have 1 to 255".into()
            ),
            (
                Level::Error,
                "plugin configuration not in effect: node: name \"a\\nb\" must not hold control characters".into()
            ),
            (
                Level::Error,
                "plugin configuration not in effect: flushMillis: 1 ms must be 10 to 600000 ms".into()
            ),
        ]
    );
    // The configuration before is still in effect.
    worker.on_context_create(2, ROOT);
    worker.on_request_headers(&host, 2);
    assert!(host.take_calls().1.contains(&"x-ferromesh-pick".to_owned()));
}

#[test]
fn a_policy_with_mistakes_is_logged_once() {
    let host = with_route("r#1", r#"{"labels":{"virtualService":"v","route":"r"},"targets":[]}"#);
    let mut worker = configured(&host);
    for context in 2..10 {
        stream(&mut worker, &host, context);
    }
    let logs = host.logs.take();
    assert_eq!(
        logs,
        [(
            Level::Warn,
            "route policy not in effect: targets: 0 targets; there must be 1 to 100".to_owned()
        )]
    );
}

#[test]
fn a_log_line_stays_one_short_line_whatever_the_policy_holds() {
    let host = with_route("r#1", &format!("{{\"\\u001b[31m\n{}\":1}}", "x".repeat(5_000)));
    let mut worker = configured(&host);
    stream(&mut worker, &host, 2);
    for (_, line) in host.logs.take() {
        assert!(line.len() < 1_100 && !line.chars().any(char::is_control), "{line}");
    }
}

#[test]
fn policies_stay_bounded_when_route_names_come_and_go() {
    let mut host = with_route("", POLICY);
    let mut worker = configured(&host);
    for context in 2..5_000 {
        host.properties
            .insert(Property::RouteName.path(), format!("r#{context}").into());
        stream(&mut worker, &host, context);
    }
    // The last thousand or so are known: one read each.
    host.take_calls();
    worker.on_context_create(6_000, ROOT);
    worker.on_request_headers(&host, 6_000);
    assert!(!host.take_calls().0.iter().any(|read| read.ends_with("policy")));
    worker.on_tick(&host, ROOT);
    assert!(host.metrics.borrow().len() <= 4 * (MAX_SERIES + 6));
}

#[test]
fn streams_beyond_the_limit_go_on_without_the_filter_until_others_end() {
    let host = with_route("r#1", POLICY);
    let mut worker = configured(&host);
    let limit = u32::try_from(MAX_STREAMS).unwrap();
    for context in 2..limit + 3 {
        worker.on_context_create(context, ROOT);
    }
    let last = limit + 2;
    worker.on_request_headers(&host, last);
    worker.on_delete(&host, last);
    assert_eq!(host.take_calls(), (vec![], vec![]));
    worker.on_delete(&host, 2);
    worker.on_context_create(last + 1, ROOT);
    worker.on_request_headers(&host, last + 1);
    assert!(host.take_calls().1.contains(&"x-ferromesh-pick".to_owned()));
}

#[test]
fn a_plugin_that_goes_writes_its_counters_first() {
    let host = with_route("r#1", POLICY);
    let mut worker = configured(&host);
    stream(&mut worker, &host, 2);
    worker.on_delete(&host, ROOT);
    let total: u64 = host
        .metrics
        .borrow()
        .iter()
        .filter(|(name, _)| name.starts_with("ferromesh_requests_total"))
        .map(|(_, metric)| if let Metric::Counter(total) = metric { *total } else { 0 })
        .sum();
    assert_eq!(total, 1);
    // And its streams that are left have nothing to do.
    stream(&mut worker, &host, 3);
}

#[test]
fn every_status_of_the_host_is_a_value() {
    for status in (1..=14).chain([u32::MAX]) {
        let mut host = with_route("r#1", POLICY);
        let mut worker = configured(&host);
        host.status = Some(Status(status));
        stream(&mut worker, &host, 2);
        worker.on_tick(&host, ROOT);
        assert!(!worker.on_configure(&host, ROOT, 0), "no configuration could be read");
        host.status = None;
        stream(&mut worker, &host, 3);
        worker.on_tick(&host, ROOT);
        worker.on_delete(&host, ROOT);
    }
}

#[derive(Clone, Debug)]
enum Call {
    Create(u32, u32),
    Configure(u32, usize),
    Request(u32),
    Response(u32),
    Log(u32),
    Delete(u32),
    Tick,
    Wait(u64),
    Fail(bool),
    Route(usize),
    Header(bool, usize, Vec<u8>),
}

const CONFIGURATIONS: [&str; 4] = [
    PLUGIN,
    r#"{"mesh":"m","node":"n","reporter":"gateway","default":{"labels":{"virtualService":"v","route":"d"},"targets":["x","y"],"observability":{"responseHeaders":true,"requestId":true}}}"#,
    "{}",
    r#"{"mesh":"m","node":"n","reporter":"destination","default":{"labels":{"virtualService":"v","route":"d"},"targets":["x"],"retry":{"maxRetries":3,"native":false,"retryOn":["5xx"],"budget":{"ratio":0,"minPerSecond":1,"windowSeconds":1}},"observability":{}}}"#,
];
const POLICIES: [&str; 4] = [
    POLICY,
    "",
    "{",
    r#"{"labels":{"virtualService":"v","route":"s"},"targets":["a","b","c"],"canary":{"weights":[1,0,3],"sticky":{"cookie":"sid"},"override":{"header":"x-canary"}},"retry":{"maxRetries":1,"budget":{"ratio":0.5,"minPerSecond":0}},"observability":{"responseHeaders":true}}"#,
];
const HEADERS: [&str; 6] = [
    "cookie",
    "x-canary",
    "traceparent",
    ":status",
    ":method",
    "x-request-id",
];

fn call() -> impl Strategy<Value = Call> {
    let context = 0_u32..6;
    prop_oneof![
        1 => (context.clone(), 0_u32..3).prop_map(|(context, parent)| Call::Create(context, parent)),
        1 => (context.clone(), 0_usize..4).prop_map(|(context, which)| Call::Configure(context, which)),
        3 => context.clone().prop_map(Call::Request),
        3 => context.clone().prop_map(Call::Response),
        2 => context.clone().prop_map(Call::Log),
        1 => context.prop_map(Call::Delete),
        1 => Just(Call::Tick),
        1 => (0_u64..5_000).prop_map(Call::Wait),
        1 => any::<bool>().prop_map(Call::Fail),
        1 => (0_usize..4).prop_map(Call::Route),
        2 => (any::<bool>(), 0_usize..6, proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(of_request, which, value)| Call::Header(of_request, which, value)),
    ]
}

proptest! {
    #[test]
    fn no_order_of_callbacks_and_no_bytes_trap_the_worker(calls in proptest::collection::vec(call(), 0..200)) {
        let mut host = with_route("r#1", POLICY);
        let mut worker = Worker::new(Features::MESH);
        worker.on_context_create(ROOT, 0);
        for call in calls {
            match call {
                Call::Create(context, parent) => worker.on_context_create(context, parent),
                Call::Configure(context, which) => {
                    host.configuration = CONFIGURATIONS[which].into();
                    let _ = worker.on_configure(&host, context, 0);
                }
                Call::Request(context) => {
                    worker.on_request_headers(&host, context);
                }
                Call::Response(context) => worker.on_response_headers(&host, context),
                Call::Log(context) => worker.on_log(&host, context),
                Call::Delete(context) => worker.on_delete(&host, context),
                Call::Tick => worker.on_tick(&host, ROOT),
                Call::Wait(millis) => host.now += Duration::from_millis(millis),
                Call::Fail(fails) => host.status = fails.then_some(Status(1)),
                Call::Route(which) => {
                    host.properties.insert(Property::RouteName.path(), format!("r#{which}").into());
                    host.properties.insert(Property::RoutePolicy.path(), POLICIES[which].into());
                    host.properties.insert(Property::AttemptCount.path(), vec![0xff; which * 4]);
                }
                Call::Header(of_request, which, value) => {
                    let headers = if of_request { &host.request } else { &host.response };
                    headers.borrow_mut().insert(0, (HEADERS[which].to_owned(), HeaderValue(value)));
                    prop_assert!(host.request_header("absent").is_none());
                }
            }
        }
    }
}
