//! Everything that may pile up in the fused module together fits into the memory that it declares.

mod load;

use ferromesh_wasm_host::{Config, EndOfStream, Engine, Headers, Stream, Vm};

const PLUGIN: &str = r#"{"mesh": "m", "node": "n", "reporter": "source"}"#;
const POLICY_PATH: [&str; 5] = ["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"];

/// More than one VM has a state for.
const STREAMS: usize = 30_000;
/// More than one VM remembers.
const ROUTES: usize = 1_500;
/// The longest name that App Mesh takes, in bytes.
const LONGEST: usize = 255;

fn start() -> Vm {
    let module = load::module(&Engine::new().unwrap(), "mesh");
    Vm::start(&module, Config::with_plugin(PLUGIN)).unwrap_or_else(|error| panic!("{error}"))
}

fn name(kind: &str, number: usize) -> String {
    format!("{:x<LONGEST$}", format!("{kind}-{number}-"))
}

fn list(kind: &str, route: usize, targets: usize) -> String {
    let names: Vec<String> = (0..targets)
        .map(|target| format!("\"{}\"", name(kind, route * targets + target)))
        .collect();
    names.join(",")
}

/// A policy with all features and the longest names.
fn policy(route: usize, targets: usize) -> String {
    format!(
        r#"{{"labels": {{"virtualService": "{}", "route": "{}"}}, "targets": [{}], "clusters": [{}],
        "canary": {{"weights": [{}], "sticky": {{"header": "x-user"}}, "override": {{"header": "x-canary"}}}},
        "retry": {{"maxRetries": 2, "budget": {{"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}}}},
        "observability": {{"metrics": true, "traceContext": true, "responseHeaders": true}}}}"#,
        name("service", route),
        name("route", route),
        list("node", route, targets),
        list("cluster", route, targets),
        vec!["10"; targets].join(",")
    )
}

fn open(vm: &mut Vm, route: usize, policy: &str) -> Stream {
    let stream = vm.open_stream().unwrap();
    stream.set_property(vm, &["xds", "route_name"], format!("{}#0", name("route", route)));
    stream.set_property(vm, &POLICY_PATH, policy);
    let request = Headers::from([(":method", "GET")]);
    if let Err(trap) = stream.on_request_headers(vm, request, EndOfStream::Yes) {
        panic!("route {route} with {} bytes of memory: {trap}", vm.memory_size());
    }
    stream
}

#[test]
fn the_biggest_policies_and_the_most_streams_fit_together() {
    for targets in [2, 10, 100] {
        let mut vm = start();
        for route in 0..ROUTES {
            let stream = open(&mut vm, route, &policy(route, targets));
            let response = Headers::from([(":status", "200")]);
            stream.on_response_headers(&mut vm, response, EndOfStream::No).unwrap();
            stream.finish(&mut vm).unwrap();
            if route % 100 == 0 {
                vm.tick().unwrap();
            }
        }
        let last = policy(ROUTES, targets);
        let streams: Vec<Stream> = (0..STREAMS).map(|_| open(&mut vm, ROUTES, &last)).collect();
        for stream in streams {
            stream.finish(&mut vm).unwrap();
        }
        vm.tick().unwrap();
        println!("{targets} targets: {} KiB", vm.memory_size() >> 10);
    }
}
