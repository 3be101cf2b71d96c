//! What modules tell the control plane of canaries: nothing on the way of a request, one call on a tick, and no harm
//! whatever becomes of it.

mod load;

use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_wasm_host::{Clock, Config, EndOfStream, Engine, Headers, HttpAnswer, HttpCall, Vm};
use serde_json::Value;

const MODULES: [&str; 3] = ["canary", "mesh", "mesh-lean"];

fn config(clock: &Clock, overall: &str, reports: &str) -> Config {
    let policy = format!(
        r#"{{"labels": {{"virtualService": "s", "route": "r"}}, "targets": ["a", "b"],
        "canary": {{"weights": [1, 1], "rollback": {{"canary": "b", "baseline": "a"}}{overall}}}}}"#
    );
    Config {
        clock: clock.clone(),
        ..Config::with_plugin(format!(
            r#"{{"mesh": "m", "node": "n", "reporter": "source", "single": true, "default": {policy}{reports}}}"#
        ))
    }
}

fn reporting(clock: &Clock) -> Config {
    config(clock, r#", "overall": {"key": "k"}"#, r#", "reports": "up/v1/reports""#)
}

fn start(name: &str, config: Config) -> Vm {
    let module = load::module(&Engine::new().unwrap(), name);
    Vm::start(&module, config).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Sends requests; the calls to the host that they took.
fn send(vm: &mut Vm, requests: usize) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for _ in 0..requests {
        let stream = vm.open_stream().unwrap();
        let mut count = |vm: &mut Vm| {
            for (name, count) in &vm.last_call().hostcalls {
                *calls.entry((*name).to_owned()).or_default() += *count;
            }
        };
        stream
            .on_request_headers(vm, Headers::from([(":method", "GET")]), EndOfStream::Yes)
            .unwrap();
        count(vm);
        stream
            .on_response_headers(vm, Headers::from([(":status", "500")]), EndOfStream::No)
            .unwrap();
        count(vm);
        stream.on_log(vm).unwrap();
        count(vm);
        stream.on_done(vm).unwrap();
    }
    calls
}

fn tick(vm: &mut Vm, clock: &Clock, seconds: u64) -> Vec<HttpCall> {
    clock.advance(Duration::from_secs(seconds));
    vm.tick().unwrap();
    vm.take_http_calls()
}

/// Requests in a report, both versions together.
fn requests(call: &HttpCall) -> u64 {
    let report: Value = serde_json::from_slice(&call.body).unwrap();
    let canary = &report["canaries"][0];
    assert_eq!(canary["key"], "k");
    let count = |side: &str| canary[side]["requests"].as_u64().unwrap();
    assert_eq!(canary["canary"]["errors"], canary["canary"]["requests"]);
    count("canary") + count("baseline")
}

fn status(code: &str) -> HttpAnswer {
    HttpAnswer {
        headers: Headers::from([(":status", code)]),
        ..HttpAnswer::default()
    }
}

#[test]
fn counting_takes_no_calls_of_a_request() {
    for name in MODULES {
        let clock = Clock::new();
        let mut alone = start(name, config(&clock, "", ""));
        let mut together = start(name, reporting(&clock));
        assert_eq!(send(&mut alone, 10), send(&mut together, 10), "{name}");
    }
}

#[test]
fn one_call_on_a_tick_tells_all_and_an_answer_ends_it() {
    for name in MODULES {
        let clock = Clock::new();
        let mut vm = start(name, reporting(&clock));
        assert!(
            tick(&mut vm, &clock, 0).is_empty() && tick(&mut vm, &clock, 5).is_empty(),
            "{name}"
        );
        send(&mut vm, 30);
        let calls = tick(&mut vm, &clock, 5);
        let [call] = calls.as_slice() else {
            panic!("{name}: {calls:?}")
        };
        assert_eq!(call.upstream, b"up");
        let header = |name| call.headers.get(name).map(<[u8]>::to_vec);
        assert_eq!(header(":method"), Some(b"POST".to_vec()));
        assert_eq!(header(":path"), Some(b"/v1/reports".to_vec()));
        assert_eq!(header("content-type"), Some(b"application/json".to_vec()));
        assert_eq!(requests(call), 30, "{name}");
        vm.answer_http_call(call, status("200")).unwrap();
        assert!(tick(&mut vm, &clock, 5).is_empty(), "{name}: all is told");
    }
}

#[test]
fn what_fails_is_told_again_and_nothing_is_lost_or_told_twice() {
    for name in MODULES {
        for answer in [HttpAnswer::default(), status("503"), status("odd")] {
            let clock = Clock::new();
            let mut vm = start(name, reporting(&clock));
            tick(&mut vm, &clock, 0);
            send(&mut vm, 10);
            let first = tick(&mut vm, &clock, 5).remove(0);
            send(&mut vm, 7);
            vm.answer_http_call(&first, answer.clone()).unwrap();
            let second = tick(&mut vm, &clock, 5).remove(0);
            assert_eq!(second.body, first.body, "{name}, {answer:?}");
            vm.answer_http_call(&second, status("200")).unwrap();
            let third = tick(&mut vm, &clock, 5).remove(0);
            assert_eq!((requests(&first), requests(&third)), (10, 7), "{name}, {answer:?}");
        }
    }
}

#[test]
fn a_cluster_that_is_not_there_harms_nobody() {
    for name in MODULES {
        let clock = Clock::new();
        let config = Config {
            clusters: Some(["other".to_owned()].into()),
            ..reporting(&clock)
        };
        let mut vm = start(name, config);
        for _ in 0..20 {
            send(&mut vm, 10);
            assert!(tick(&mut vm, &clock, 5).is_empty());
        }
        assert!(!vm.is_dead() && vm.logs().is_empty(), "{name}: {:?}", vm.logs());
    }
}
