//! Whatever a client, an upstream or the host itself does, the compiled modules do not trap.

mod load;

use std::time::Duration;

use ferromesh_wasm_host::{Clock, Config, EndOfStream, Engine, Headers, Module, Stream, Trap, Vm};

/// The step in which wasm memory grows, in bytes.
const PAGE: usize = 64 << 10;

const FILTERS: [&str; 4] = ["canary", "retry", "observability", "mesh"];

/// A policy in which every feature has something to decide.
const POLICY: &str = r#"{
    "labels": {"virtualService": "colour.local", "route": "r1"},
    "targets": ["blue", "green"],
    "canary": {"weights": [90, 10], "sticky": {"header": "x-user"}, "override": {"header": "x-canary"}},
    "retry": {"maxRetries": 2, "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}},
    "observability": {"metrics": true, "traceContext": true, "responseHeaders": true}
}"#;

/// The same with a cookie.
const POLICY_WITH_COOKIE: &str = r#"{
    "labels": {"virtualService": "colour.local", "route": "r2"},
    "targets": ["blue", "green"],
    "canary": {"weights": [1, 1], "sticky": {"cookie": "sid"}}
}"#;

const POLICY_PATH: [&str; 5] = ["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"];

fn start(module: &Module, clock: &Clock) -> Vm {
    let plugin =
        format!(r#"{{"mesh": "m", "node": "n", "reporter": "source", "flushMillis": 1000, "default": {POLICY}}}"#);
    let config = Config {
        clock: clock.clone(),
        ..Config::with_plugin(plugin)
    };
    Vm::start(module, config).unwrap_or_else(|error| panic!("{error}"))
}

/// SplitMix64: the same choices in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.of(&[0, 1, 2, 7, 31, 55, 300]);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// A value that is wrong in one of many ways, or right.
    fn value(&mut self) -> Vec<u8> {
        let known: [&[u8]; 12] = [
            b"",
            b"GET",
            b"POST",
            b"200",
            b"503",
            b"99999999999999999999",
            b"-1",
            b"blue",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-00000000000000000000000000000000-0000000000000000-00",
            b"sid=; sid=\"\xff\"; =;;; sid",
            b"\xff\xfe\0\x80",
        ];
        if self.below(3) == 0 {
            self.bytes()
        } else {
            self.of(&known).to_vec()
        }
    }

    fn headers(&mut self) -> Headers {
        const NAMES: [&str; 17] = [
            ":method",
            ":path",
            ":authority",
            ":status",
            "cookie",
            "x-user",
            "x-canary",
            "traceparent",
            "tracestate",
            "x-request-id",
            "grpc-status",
            "x-ferromesh-pick",
            "x-envoy-attempt-count",
            "x-envoy-max-retries",
            "x-envoy-retry-on",
            "content-type",
            "",
        ];
        (0..self.below(20))
            .map(|_| {
                let name = if self.below(5) == 0 {
                    self.bytes()
                } else {
                    self.of(&NAMES).as_bytes().to_vec()
                };
                (name, self.value())
            })
            .collect()
    }

    /// Sets or forgets one of the properties that filters read, also to what Envoy would never give.
    fn property(&mut self, vm: &mut Vm, stream: Stream) {
        let paths: [&[&str]; 5] = [
            &["xds", "route_name"],
            &POLICY_PATH,
            &["source", "address"],
            &["upstream", "request_attempt_count"],
            &["xds", "cluster_name"],
        ];
        let path = self.of(&paths);
        match self.below(5) {
            0 => stream.remove_property(vm, path),
            1 => stream.set_property(vm, path, self.bytes()),
            2 => stream.set_number(vm, path, self.of(&[0, 1, 3, u64::MAX])),
            _ if path == POLICY_PATH => {
                stream.set_property(vm, path, self.of(&[POLICY, POLICY_WITH_COOKIE, "{}", "null"]))
            }
            _ => stream.set_property(vm, path, self.of(&["r1#1", "r2#2", "r3#3", "10.0.0.1:80"])),
        }
    }
}

/// One callback, or a change of what the host would answer; chosen without regard to any order.
fn act(vm: &mut Vm, clock: &Clock, streams: &mut Vec<Stream>, choices: &mut Choices) -> Result<(), Trap> {
    if streams.is_empty() || choices.below(8) == 0 {
        streams.push(vm.open_stream()?);
    }
    let index = choices.below(streams.len());
    let stream = streams[index];
    let end = choices.of(&[EndOfStream::Yes, EndOfStream::No]);
    match choices.below(16) {
        0..=2 => choices.property(vm, stream),
        3..=5 => drop(stream.on_request_headers(vm, choices.headers(), end)?),
        6..=8 => drop(stream.on_response_headers(vm, choices.headers(), end)?),
        9 => drop(stream.on_request_body(vm, choices.bytes(), end)?),
        10 => drop(stream.on_response_body(vm, choices.bytes(), end)?),
        11 => drop(stream.on_response_trailers(vm, choices.headers())?),
        12 => stream.on_log(vm)?,
        13 => {
            stream.on_done(vm)?;
            // Half of the time the test goes on naming what is gone.
            if choices.below(2) == 0 {
                streams.remove(index);
            }
        }
        14 => clock.advance(Duration::from_millis(choices.of(&[0, 1, 999, 60_000, 10_000_000]))),
        _ => vm.tick()?,
    }
    Ok(())
}

#[test]
fn no_order_of_callbacks_and_no_bytes_trap_a_module() {
    let engine = Engine::new().unwrap();
    for filter in FILTERS {
        let module = load::module(&engine, filter);
        for seed in 0..20 {
            let clock = Clock::new();
            let mut vm = start(&module, &clock);
            let (mut streams, mut choices) = (Vec::new(), Choices(seed));
            for step in 0..500 {
                act(&mut vm, &clock, &mut streams, &mut choices)
                    .unwrap_or_else(|trap| panic!("{filter}.wasm, seed {seed}, step {step}: {trap}\n{:?}", vm.logs()));
            }
        }
    }
}

#[test]
fn huge_header_sets_pass_unharmed() {
    let engine = Engine::new().unwrap();
    for filter in FILTERS {
        let module = load::module(&engine, filter);
        let mut vm = start(&module, &Clock::new());
        // Ten times what Envoy accepts by default, in number and in size.
        let mut many: Headers = (0..1000).map(|index| (format!("h{index}"), "v")).collect();
        let long = vec![0xff; 600 << 10];
        for name in [
            ":method",
            ":path",
            "cookie",
            "x-user",
            "x-canary",
            "traceparent",
            "x-request-id",
        ] {
            many.add(name, &long);
        }
        for _ in 0..20 {
            let stream = vm.open_stream().unwrap();
            stream.set_property(&mut vm, &["source", "address"], &long);
            stream
                .on_request_headers(&mut vm, many.clone(), EndOfStream::Yes)
                .unwrap_or_else(|trap| panic!("{filter}.wasm: {trap}"));
            let after = stream.request_headers(&vm).unwrap();
            assert_eq!(after.get("cookie"), Some(&long[..]), "{filter}.wasm changed a header");
            stream
                .on_response_headers(&mut vm, many.clone(), EndOfStream::No)
                .unwrap_or_else(|trap| panic!("{filter}.wasm: {trap}"));
            stream.finish(&mut vm).unwrap();
        }
        vm.tick().unwrap();
        assert!(
            vm.memory_size() <= 16 << 20,
            "{filter}.wasm keeps {} bytes after huge headers",
            vm.memory_size()
        );
    }
}

#[test]
fn streams_that_come_and_go_leave_no_memory_behind() {
    let engine = Engine::new().unwrap();
    for filter in FILTERS {
        let module = load::module(&engine, filter);
        let clock = Clock::new();
        let mut vm = start(&module, &clock);
        // Measured: all caches are full after 6000 streams; fragments may still take one page more, and then
        // memory stands still for at least 100 000 streams.
        let mut size_after_warming = 0;
        for round in 0..14_000u32 {
            let stream = vm.open_stream().unwrap();
            // Another route, and so a policy to compile and labels to count under, with every request.
            stream.set_property(&mut vm, &["xds", "route_name"], format!("r#{round}"));
            let policy = POLICY
                .replace("r1", &format!("r{round}"))
                .replace("colour", &format!("colour-{round}"));
            stream.set_property(&mut vm, &POLICY_PATH, policy);
            let request = Headers::from([(":method", "GET"), ("x-user", "me")]);
            stream.on_request_headers(&mut vm, request, EndOfStream::Yes).unwrap();
            let response = Headers::from([(":status", "200")]);
            stream.on_response_headers(&mut vm, response, EndOfStream::No).unwrap();
            stream.finish(&mut vm).unwrap();
            clock.advance(Duration::from_millis(10));
            if round % 100 == 99 {
                vm.tick().unwrap();
            }
            if round == 8_000 {
                size_after_warming = vm.memory_size();
            }
        }
        // The smallest thing that each of 6000 streams could leave behind takes 16 bytes: more than a page.
        let grown = vm.memory_size() - size_after_warming;
        assert!(grown <= PAGE, "{filter}.wasm grows by {grown} bytes");
        // 1000 sets of labels and one for all others, each with at most four metrics.
        let metrics = vm.metrics().len();
        assert!(metrics <= 4 * 1001, "{filter}.wasm defines {metrics} metrics");
    }
}

#[test]
fn a_configuration_that_is_wrong_is_refused_and_not_a_trap() {
    let engine = Engine::new().unwrap();
    for filter in FILTERS {
        let module = load::module(&engine, filter);
        for plugin in [
            &b""[..],
            b"{",
            b"null",
            b"[]",
            b"\xff\xfe",
            br#"{"mesh": 1}"#,
            br#"{"mesh": "m", "node": "n", "reporter": "nobody"}"#,
            br#"{"mesh": "m", "node": "n", "reporter": "source", "unknown": true}"#,
            "[".repeat(10_000).as_bytes(),
        ] {
            let error = Vm::start(&module, Config::with_plugin(plugin)).err();
            assert_eq!(
                error,
                Some(ferromesh_wasm_host::StartError::ConfigurationRefused),
                "{filter}.wasm with {}",
                plugin[..plugin.len().min(80)].escape_ascii()
            );
        }
    }
}
