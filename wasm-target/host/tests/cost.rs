//! What the fused module costs on the request path, in hostcalls and fuel. Both are exact, so a change that
//! makes every request dearer fails here and not in a noisy benchmark.
//!
//! A hostcall that returns data costs Envoy 1.40 about 2 µs, one that writes about 0.7 µs, a callback about
//! 1 µs, so these count first; fuel, which counts executed wasm instructions, bounds what happens in between.

mod load;

use std::time::Duration;

use ferromesh_wasm_host::{CallReport, Clock, Config, EndOfStream, Engine, Headers, Vm};

const PLUGIN: &str = r#"{"mesh": "m", "node": "n", "reporter": "source", "flushMillis": 1000}"#;

const POLICY_PATH: [&str; 5] = ["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"];

/// The cost of the request headers' and of the response headers' callback and of the log, of a route that
/// was seen before.
fn cost(policy: &str, request: Headers) -> [CallReport; 3] {
    let module = load::module(&Engine::new().unwrap(), "mesh");
    let clock = Clock::new();
    let config = Config {
        clock: clock.clone(),
        ..Config::with_plugin(PLUGIN)
    };
    let mut vm = Vm::start(&module, config).unwrap();
    let mut reports = Default::default();
    for _ in 0..3 {
        let stream = vm.open_stream().unwrap();
        stream.set_property(&mut vm, &["xds", "route_name"], "r1#0123456789abcdef");
        stream.set_property(&mut vm, &POLICY_PATH, policy);
        stream
            .on_request_headers(&mut vm, request.clone(), EndOfStream::Yes)
            .unwrap();
        let on_request = vm.last_call().clone();
        clock.advance(Duration::from_millis(12));
        stream.set_number(&mut vm, &["upstream", "request_attempt_count"], 1);
        let response = Headers::from([(":status", "200")]);
        stream.on_response_headers(&mut vm, response, EndOfStream::No).unwrap();
        let on_response = vm.last_call().clone();
        stream.on_log(&mut vm).unwrap();
        let on_log = vm.last_call().clone();
        stream.on_done(&mut vm).unwrap();
        reports = [on_request, on_response, on_log];
    }
    reports
}

const LABELS: &str = r#""labels": {"virtualService": "v", "route": "r1"}, "targets": ["blue", "green"]"#;
const CANARY: &str = r#""canary": {"weights": [90, 10]}"#;
const STICKY: &str = r#""canary": {"weights": [90, 10], "sticky": {"header": "x-user"}}"#;
const RETRY: &str = r#""retry": {"maxRetries": 2, "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}}"#;
const METRICS: &str = r#""observability": {"metrics": true, "traceContext": false, "responseHeaders": false}"#;

/// The most that a callback may do: calls that return data, calls that write, thousands of fuel.
type Limit = (u64, u64, u64);

fn check(features: &[&str], limits: [Limit; 3]) {
    let policy = format!("{{{LABELS}, {}}}", features.join(", "));
    let request = Headers::from([(":method", "GET"), ("x-user", "me")]);
    let reports = cost(&policy, request);
    for (report, (reads, writes, fuel)) in reports.iter().zip(limits) {
        let count = |is: fn(&str) -> bool| -> u64 {
            let named = report.hostcalls.iter().filter(|(name, _)| is(name));
            named.map(|(_, count)| count).sum()
        };
        // Time is nearly free in Envoy, and so is not counted.
        let read = count(|name| name.starts_with("proxy_get_") && !name.contains("time"));
        let written = count(|name| name.ends_with("_header_map_value") && !name.contains("_get_"));
        let known = read + written + report.count("clock_time_get");
        assert_eq!(report.hostcalls_total(), known, "other calls than expected: {report:?}");
        assert!(read <= reads, "{policy}: more than {reads} reads: {report:?}");
        assert!(written <= writes, "{policy}: more than {writes} writes: {report:?}");
        assert!(
            report.fuel <= fuel * 1000,
            "{policy}: more than {fuel}k of fuel: {report:?}"
        );
    }
}

#[test]
fn a_drawn_canary_reads_the_routes_name_and_writes_its_pick() {
    check(&[CANARY], [(1, 1, 2), (0, 0, 1), (0, 0, 1)]);
}

#[test]
fn a_sticky_canary_reads_its_key_too() {
    check(&[STICKY], [(2, 1, 4), (0, 0, 1), (0, 0, 1)]);
}

#[test]
fn retries_within_budget_read_the_routes_name_and_the_attempts() {
    check(&[RETRY], [(1, 0, 2), (1, 0, 1), (0, 0, 1)]);
}

#[test]
fn metrics_read_the_routes_name_and_on_the_response_status_attempts_and_cluster() {
    check(&[METRICS], [(1, 0, 2), (3, 0, 2), (0, 0, 3)]);
}

#[test]
fn all_features_share_their_reads() {
    check(&[CANARY, RETRY, METRICS], [(1, 1, 4), (2, 0, 2), (0, 0, 3)]);
}
