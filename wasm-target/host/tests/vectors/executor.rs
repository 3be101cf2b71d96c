//! The corpus' executor in wasmtime: what the vector says becomes callbacks of the compiled module.

use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_policy::vectors::{
    self, Action, Configured, Executor, HeaderValue, LocalReply, Metric, Request, RequestOutcome, Response, Vector,
};
use ferromesh_wasm_host::{Clock, Config, EndOfStream, Headers, MetricValue, Module, Plugin, StartError, Stream, Vm};

/// The way to a route's policy, as Envoy gives it.
const POLICY: [&str; 5] = ["xds", "route_metadata", "filter_metadata", "ferromesh", "policy"];

/// The corpus' executor in wasmtime. A trap is a failure of the vector, with the guest's last words.
pub struct Wasm<'m> {
    module: &'m Module,
    seed: u64,
    clock: Clock,
    vm: Option<Vm>,
    streams: BTreeMap<usize, (Stream, Plugin)>,
    /// Plugins that were replaced and still have streams.
    leaving: Vec<Plugin>,
}

impl<'m> Wasm<'m> {
    pub fn new(module: &'m Module, vector: &Vector) -> Self {
        Self {
            module,
            seed: vector.seed,
            clock: Clock::starting_at(Duration::from_millis(vector.unix_ms)),
            vm: None,
            streams: BTreeMap::new(),
            leaving: Vec::new(),
        }
    }

    /// The running VM at this time.
    fn at(&mut self, at_ms: u64) -> &mut Vm {
        self.clock.set(Duration::from_millis(at_ms));
        self.vm
            .as_mut()
            .expect("the plugin was configured before anything else happens")
    }

    /// The stream, opened if the filter has not seen it yet.
    fn stream(&mut self, number: usize) -> Stream {
        if let Some((stream, _)) = self.streams.get(&number) {
            return *stream;
        }
        let vm = self.vm.as_mut().expect("the plugin was configured");
        let stream = vm.open_stream();
        let stream = survived(vm, stream);
        self.streams.insert(number, (stream, vm.plugin()));
        stream
    }

    /// Ends plugins that were replaced and have no stream left, as Envoy does.
    fn retire_idle(&mut self) {
        let Some(vm) = &mut self.vm else { return };
        let streams = &self.streams;
        self.leaving.retain(|plugin| {
            let busy = streams.values().any(|(_, owner)| owner == plugin);
            if !busy {
                let retired = vm.retire(*plugin);
                survived(vm, retired);
            }
            busy
        });
    }
}

/// What a callback gave, or a panic with the guest's log.
fn survived<T, E: std::fmt::Display>(vm: &Vm, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        let log: Vec<String> = vm
            .logs()
            .iter()
            .map(|line| line.message.escape_ascii().to_string())
            .collect();
        panic!("{error}; the guest's log:\n  {}", log.join("\n  "))
    })
}

fn to_host(headers: &vectors::Headers) -> Headers {
    headers.iter().map(|(name, value)| (name, &value.0)).collect()
}

fn from_host(headers: Option<&Headers>) -> vectors::Headers {
    headers
        .into_iter()
        .flat_map(Headers::iter)
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), HeaderValue(value.to_vec())))
        .collect()
}

impl Executor for Wasm<'_> {
    fn configure(&mut self, at_ms: u64, plugin: &[u8]) -> Configured {
        self.clock.set(Duration::from_millis(at_ms));
        let result = match &mut self.vm {
            Some(vm) => {
                let before = vm.plugin();
                vm.add_plugin(plugin).map(|_| self.leaving.push(before))
            }
            None => {
                let config = Config {
                    clock: self.clock.clone(),
                    seed: self.seed,
                    ..Config::with_plugin(plugin)
                };
                Vm::start(self.module, config).map(|vm| self.vm = Some(vm))
            }
        };
        self.retire_idle();
        match result {
            Ok(()) => Configured::Accepted,
            Err(StartError::ConfigurationRefused) => Configured::Rejected,
            Err(error) => panic!("{error}"),
        }
    }

    fn request(&mut self, at_ms: u64, number: usize, request: &Request) -> RequestOutcome {
        self.at(at_ms);
        let stream = self.stream(number);
        let vm = self.at(at_ms);
        if let Some(route) = &request.route {
            stream.set_property(vm, &["xds", "route_name"], route);
        }
        if let Some(policy) = &request.policy {
            stream.set_property(vm, &POLICY, &policy.0);
        }
        if let Some(source) = &request.source {
            stream.set_property(vm, &["source", "address"], source);
        }
        if let Some(identity) = &request.identity {
            stream.set_property(vm, &["connection", "uri_san_peer_certificate"], identity);
        }
        if let Some(identity) = &request.identity {
            stream.set_property(vm, &["connection", "uri_san_peer_certificate"], identity);
        }
        let outcome = stream.on_request_headers(vm, to_host(&request.headers), EndOfStream::Yes);
        let outcome = survived(vm, outcome);
        let action = match outcome.local_reply {
            Some(reply) => Action::LocalReply(LocalReply {
                status: u16::try_from(reply.status).expect("a status that HTTP has"),
                headers: from_host(Some(&reply.headers))
                    .into_iter()
                    .map(|(name, value)| (name, String::from_utf8_lossy(&value.0).into_owned()))
                    .collect(),
            }),
            None if outcome.action == ferromesh_wasm_host::Action::Continue => Action::Continue,
            None => Action::Paused,
        };
        RequestOutcome {
            headers: from_host(stream.request_headers(vm)),
            action,
        }
    }

    fn response(&mut self, at_ms: u64, number: usize, response: &Response) -> vectors::Headers {
        self.at(at_ms);
        let stream = self.stream(number);
        let vm = self.at(at_ms);
        let numbers: [(&[&str], _); 4] = [
            (&["upstream", "request_attempt_count"], response.attempts),
            (&["response", "grpc_status"], response.grpc_status),
            (&["request", "total_size"], response.request_bytes),
            (&["response", "total_size"], response.response_bytes),
        ];
        for (path, number) in numbers {
            if let Some(number) = number {
                stream.set_number(vm, path, number);
            }
        }
        if let Some(cluster) = &response.cluster {
            stream.set_property(vm, &["xds", "cluster_name"], cluster);
        }
        for (path, number) in [
            (["response", "grpc_status"], response.grpc_status),
            (["request", "total_size"], response.request_bytes),
            (["response", "total_size"], response.response_bytes),
        ] {
            if let Some(number) = number {
                stream.set_number(vm, &path, number);
            }
        }
        let outcome = stream.on_response_headers(vm, to_host(&response.headers), EndOfStream::No);
        survived(vm, outcome);
        from_host(stream.response_headers(vm))
    }

    fn end(&mut self, at_ms: u64, number: usize) {
        let ended = self.streams.remove(&number);
        let vm = self.at(at_ms);
        if let Some((stream, _)) = ended {
            let finished = stream.finish(vm);
            survived(vm, finished);
        }
        self.retire_idle();
    }

    fn tick(&mut self, at_ms: u64) {
        let leaving = self.leaving.clone();
        let vm = self.at(at_ms);
        for plugin in leaving.into_iter().chain([vm.plugin()]) {
            let ticked = vm.tick_plugin(plugin);
            survived(vm, ticked);
        }
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        let vm = self.vm.as_ref().expect("the plugin was configured");
        vm.metrics()
            .iter()
            .map(|(name, value)| {
                let name = String::from_utf8(name.to_vec()).expect("stat names are UTF-8");
                let value = match value {
                    MetricValue::Counter(total) | MetricValue::Gauge(total) => Metric::Counter(*total),
                    MetricValue::Histogram(samples) => Metric::Histogram(samples.clone()),
                };
                (name, value)
            })
            .collect()
    }
}
