//! What each feature costs on the request path of a route that was met before: which hostcalls, how much fuel, how
//! much memory. All are exact, so a change that makes every request dearer fails here and not in a noisy benchmark.
//!
//! Measured in Envoy 1.40, a callback costs about 1 µs and the first read of a header or property in one that is
//! answered with data 3 µs, each further one 0.9; one that finds nothing 0.15, a write 0.35, time 0.1.
//! So which calls are made counts first; fuel, which counts executed wasm instructions, bounds what lies between.
//!
//! `cargo test -p ferromesh-wasm-host --test cost -- --nocapture` prints the table.

mod load;

use std::time::Duration;

use ferromesh_wasm_host::{CallReport, Clock, Config, EndOfStream, Engine, Headers, Module, Vm};

const NAMES: &str = r#""labels": {"virtualService": "v", "route": "r1"}, "targets": ["blue", "green"]"#;
const POLICY_PATH: [&str; 5] = ["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"];

/// Streams before the steady state, and streams in which it is held.
const WARM_UP: u32 = 40;
const STREAMS: u32 = 40;

const CANARY: &str = r#""canary": {"weights": [90, 10]}"#;
const STICKY: &str = r#""canary": {"weights": [90, 10], "sticky": {"header": "x-user"}}"#;
const BUDGET: &str = r#""retry": {"maxRetries": 2, "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}}"#;
const TRACE: &str = r#""observability": {"metrics": false, "traceContext": true}"#;
const METRICS: &str = r#""observability": {"metrics": true, "traceContext": false}"#;
const CORE: &str = r#""observability": {"metrics": true, "traceContext": true}"#;
const TOLD: &str = r#""observability": {"metrics": false, "traceContext": false, "responseHeaders": true}"#;
const LIMIT: &str =
    r#""rateLimit": {"limits": [{"name": "all", "requests": 1000000, "windowSeconds": 1}], "headers": false}"#;
const LIMIT_TOLD: &str = r#""rateLimit": {"limits": [{"name": "all", "requests": 1000000, "windowSeconds": 1}]}"#;
const BREAKER: &str = r#""circuitBreaker": {"per": "target"}"#;
const FAULT: &str = r#""fault": {"abort": {"status": 503}, "when": {"header": "x-fault"}}"#;
const STATIC: &str = r#""headers": {"request": [{"set": {"name": "x-a", "value": "b"}}]}"#;
const TEMPLATE: &str = r#""headers": {"request": [{"set": {"name": "x-a", "value": "{route}/{source.address}"}}]}"#;
const BOTH_WAYS: &str = r#""headers": {"request": [{"set": {"name": "x-a", "value": "b"}}],
    "response": [{"set": {"name": "x-c", "value": "d"}}]}"#;
const EVERYTHING: &str = r#""observability": {"metrics": true, "traceContext": true, "responseHeaders": true}"#;
const TRACEPARENT: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

/// One row: a policy, a request, and what a stream may cost.
struct Feature {
    name: &'static str,
    members: &'static [&'static str],
    /// A header of the request.
    header: (&'static str, &'static str),
    /// Whether the policy is found by the route's name; else it is the plugin's only one.
    by_route: bool,
    /// Whether now and then a stream takes a new lease on the worker's share of a limit.
    leases: bool,
    request: &'static str,
    mesh: Cost,
    /// `None`: the policy writes response headers, which `mesh-lean` cannot.
    lean: Option<Cost>,
}

/// What one module may take: calls of the response's callback (`mesh-lean` has none) and of the log's, and the
/// most fuel of all callbacks together.
struct Cost {
    response: &'static str,
    log: &'static str,
    fuel: u64,
}

const fn row(
    name: &'static str,
    members: &'static [&'static str],
    request: &'static str,
    [response, log]: [&'static str; 2],
    fuel: u64,
) -> Feature {
    Feature {
        name,
        members,
        header: ("x-other", "1"),
        by_route: false,
        leases: false,
        request,
        mesh: Cost { response, log, fuel },
        lean: None,
    }
}

impl Feature {
    const fn lean(mut self, log: &'static str, fuel: u64) -> Self {
        let response = "";
        self.lean = Some(Cost { response, log, fuel });
        self
    }

    const fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = (name, value);
        self
    }

    const fn by_route(mut self) -> Self {
        self.by_route = true;
        self
    }

    const fn leases(mut self) -> Self {
        self.leases = true;
        self
    }
}

/// What taking a lease adds, and the most fuel of it.
const LEASE: [&str; 2] = ["proxy_get_shared_data", "proxy_set_shared_data"];
const LEASE_FUEL: u64 = 10_500;

/// Pages of 64 KiB that either module may have come to: 17 when it starts.
const MOST_PAGES: usize = 20;

const T: &str = "time";
const READ: &str = "time, get header";
const ATTEMPTS: &str = "time, get property";
const BOTH: &str = "time, get header, get property";
const SET: &str = "time, set header";

/// Calls of one callback in the order of the ABI's names. Nothing is called when a stream's context begins or is deleted.
#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    row("nothing", &[], T, [T, T], 3_900).lean(T, 2_100),
    row("drawn canary", &[CANARY], SET, [T, T], 4_800).lean(T, 3_000),
    row("sticky canary", &[STICKY], "time, get header, set header", [T, T], 5_000).lean(T, 3_300).header("x-user", "me"),
    row("canary, budget", &[CANARY, BUDGET], SET, [ATTEMPTS, T], 5_700).lean(ATTEMPTS, 3_900),
    row("new trace", &[TRACE], "time, get header, set header", [T, T], 7_500).lean(T, 5_800),
    row("kept trace", &[TRACE], READ, [T, T], 9_900).lean(T, 8_100).header(TRACEPARENT.0, TRACEPARENT.1),
    row("metrics", &[CANARY, METRICS], SET, [READ, T], 5_500).lean(READ, 3_700),
    row("response headers", &[CANARY, TOLD], SET, ["time, get property, 3 x set header", T], 5_300),
    row("rate limit", &[LIMIT], T, [T, T], 5_600).lean(T, 3_900).leases(),
    row("rate limit, told", &[LIMIT_TOLD], T, ["time, 2 x set header", T], 7_000).leases(),
    row("breaker", &[CANARY, BREAKER], SET, [READ, T], 5_800).lean(READ, 4_000),
    row("fault, no mark", &[FAULT], READ, [T, T], 3_900).lean(T, 2_200),
    row("static header", &[STATIC], SET, [T, T], 4_400).lean(T, 2_400),
    row("header template", &[TEMPLATE], "time, get property, set header", [T, T], 5_300).lean(T, 3_200),
    row("core", &[CANARY, CORE], "time, get header, 2 x set header", [READ, T], 9_000).lean(READ, 7_300),
    row("core by route", &[CANARY, CORE], "time, get header, get property, 2 x set header", [READ, T], 9_700)
        .lean(READ, 7_900).by_route(),
    row("core, budget", &[CANARY, BUDGET, CORE], "time, get header, 2 x set header", [BOTH, T], 9_900).lean(BOTH, 8_100),
    row("all", &[STICKY, BUDGET, BREAKER, LIMIT_TOLD, FAULT, BOTH_WAYS, EVERYTHING], "time, 3 x get header, 3 x set header",
        ["time, get header, get property, 6 x set header", T], 15_500).header("x-user", "me").leases(),
];

/// One stream of a feature: its callbacks in order.
fn stream(vm: &mut Vm, clock: &Clock, feature: &Feature, policy: &str, is_lean: bool) -> Vec<CallReport> {
    let stream = vm.open_stream().unwrap();
    let mut reports = vec![vm.last_call().clone()];
    stream.set_property(vm, &["xds", "route_name"], "r1#0123456789abcdef");
    stream.set_property(vm, &["source", "address"], "127.0.0.1:4711");
    if feature.by_route {
        stream.set_property(vm, &POLICY_PATH, policy);
    }
    let request = Headers::from([(":method", "GET"), feature.header]);
    stream.on_request_headers(vm, request, EndOfStream::Yes).unwrap();
    reports.push(vm.last_call().clone());
    clock.advance(Duration::from_millis(1));
    stream.set_number(vm, &["upstream", "request_attempt_count"], 1);
    let response = Headers::from([(":status", "200")]);
    stream.on_response_headers(vm, response, EndOfStream::No).unwrap();
    if !is_lean {
        reports.push(vm.last_call().clone());
    }
    stream.on_log(vm).unwrap();
    reports.push(vm.last_call().clone());
    stream.on_done(vm).unwrap();
    reports.push(vm.last_call().clone());
    reports
}

/// The calls under short names, so that rows stay readable; `2 x`: twice.
fn rendered(report: &CallReport) -> String {
    let calls = report.hostcalls.iter().map(|(name, count)| {
        let name = match *name {
            "clock_time_get" => "time",
            "proxy_get_header_map_value" => "get header",
            "proxy_replace_header_map_value" => "set header",
            "proxy_get_property" => "get property",
            other => other,
        };
        match count {
            1 => name.to_owned(),
            _ => format!("{count} x {name}"),
        }
    });
    calls.collect::<Vec<_>>().join(", ")
}

fn start(module: &Module, feature: &Feature, policy: &str, clock: &Clock) -> Vm {
    let default = match feature.by_route {
        true => String::new(),
        false => format!(r#", "single": true, "default": {policy}"#),
    };
    let config = Config {
        clock: clock.clone(),
        ..Config::with_plugin(format!(
            r#"{{"mesh": "m", "node": "n", "reporter": "source"{default}}}"#
        ))
    };
    Vm::start(module, config).unwrap_or_else(|error| panic!("{}: {error}", feature.name))
}

/// Holds one module to its costs and prints them; all that is wrong comes together.
fn hold(module: &Module, name: &str, cost_of: impl Fn(&Feature) -> Option<&Cost>) {
    let is_lean = name == "mesh-lean";
    let mut wrong = Vec::new();
    for feature in FEATURES {
        let Some(cost) = cost_of(feature) else { continue };
        let members: Vec<&str> = [NAMES].into_iter().chain(feature.members.iter().copied()).collect();
        let policy = format!("{{{}}}", members.join(", "));
        let clock = Clock::new();
        let mut vm = start(module, feature, &policy, &clock);
        let expected: &[&str] = match is_lean {
            true => &["", feature.request, cost.log, ""],
            false => &["", feature.request, cost.response, cost.log, ""],
        };
        for _ in 0..WARM_UP {
            stream(&mut vm, &clock, feature, &policy, is_lean);
        }
        vm.tick().unwrap();
        let memory = vm.memory_size();
        let (mut most, mut leases, mut others) = (0, 0, Vec::new());
        for _ in 0..STREAMS {
            let mut reports = stream(&mut vm, &clock, feature, &policy, is_lean);
            let mut fuel: u64 = reports.iter().map(|report| report.fuel).sum();
            let on_request = &mut reports[1].hostcalls;
            if feature.leases && LEASE.iter().filter(|call| on_request.remove(*call).is_some()).count() == LEASE.len() {
                leases += 1;
                fuel = fuel.saturating_sub(LEASE_FUEL);
            }
            most = most.max(fuel);
            let calls: Vec<String> = reports.iter().map(rendered).collect();
            if calls != expected && !others.contains(&calls) {
                others.push(calls);
            }
        }
        println!("{name:<9}  {:<16}  {most:>6}  {}", feature.name, expected.join(" | "));
        if !others.is_empty() {
            wrong.push(format!("{}: calls {others:?} in place of {expected:?}", feature.name));
        }
        if most > cost.fuel {
            wrong.push(format!("{}: {most} of fuel; at most {}", feature.name, cost.fuel));
        }
        if leases > STREAMS / 4 || feature.leases != (leases > 0) {
            wrong.push(format!("{}: {leases} leases in {STREAMS} streams", feature.name));
        }
        let after = vm.memory_size();
        if after > memory || after > MOST_PAGES << 16 {
            wrong.push(format!("{}: memory of {memory} bytes grew to {after}", feature.name));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[test]
fn every_feature_makes_the_calls_it_must_and_no_others() {
    let engine = Engine::new().unwrap();
    println!(
        "module     feature           most fuel; calls when it begins | request | response | log | when it is deleted"
    );
    hold(&load::module(&engine, "mesh"), "mesh", |feature| Some(&feature.mesh));
    hold(&load::module(&engine, "mesh-lean"), "mesh-lean", |feature| {
        feature.lean.as_ref()
    });
}
