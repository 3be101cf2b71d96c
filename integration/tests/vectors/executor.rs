//! Stock Envoy as an executor of vectors: a client, an Envoy and an upstream, each step by step.

use std::{
    collections::HashMap,
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use ferromesh_integration::rig::Envoy;
use ferromesh_policy::{
    observability::STATS_PREFIX,
    vectors::{Action, Configured, Executor, Headers, LocalReply, Metric, Request, RequestOutcome, Response, Vector},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    configuration::{self, RETRY},
    wire::{self, Head},
};

/// How long Envoy may take over one thing.
const PATIENCE: Duration = Duration::from_secs(20);

/// An attempt that has reached the upstream and waits for its answer.
struct Attempt {
    head: Head,
    connection: TcpStream,
}

pub struct StockEnvoy<'v> {
    vector: &'v Vector,
    module: PathBuf,
    runtime: Runtime,
    envoy: Option<(Envoy, String)>,
    upstream: u16,
    arrivals: Receiver<Attempt>,
    clients: HashMap<usize, TcpStream>,
    waiting: HashMap<usize, Attempt>,
    started: Instant,
    flush: Duration,
}

impl<'v> StockEnvoy<'v> {
    pub fn new(vector: &'v Vector, module: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let upstream = listener.local_addr().expect("an address").port();
        let (arrived, arrivals) = mpsc::channel();
        std::thread::spawn(move || accept(&listener, &arrived));
        Self {
            vector,
            module: module.to_owned(),
            runtime: Runtime::new().expect("a runtime"),
            envoy: None,
            upstream,
            arrivals,
            clients: HashMap::new(),
            waiting: HashMap::new(),
            started: Instant::now(),
            flush: Duration::from_secs(1),
        }
    }

    /// Envoy's clock is the real one: nothing happens before its time.
    fn wait_until(&self, at_ms: u64) {
        let due = self.started + Duration::from_millis(at_ms);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }

    /// The next attempt of a stream, or `None` when Envoy has answered the client instead.
    fn arrival(&mut self, stream: usize) -> Option<Attempt> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(attempt) = self.waiting.remove(&stream) {
                return Some(attempt);
            }
            if let Ok(attempt) = self.arrivals.recv_timeout(Duration::from_millis(5)) {
                let stream = attempt.head.stream().expect("a stream's request");
                self.waiting.insert(stream, attempt);
            } else if has_answer(&self.clients[&stream]) {
                return None;
            }
        }
        panic!("stream {stream}: neither a request upstream nor an answer to the client")
    }

    fn answer(&mut self, stream: usize) -> Head {
        let client = self.clients.get_mut(&stream).expect("a client");
        Head::read(client).expect("an answer to the client")
    }
}

impl Executor for StockEnvoy<'_> {
    fn configure(&mut self, _at_ms: u64, plugin: &[u8]) -> Configured {
        assert!(
            self.envoy.is_none(),
            "a static Envoy cannot be configured anew: the vector must not be marked `envoy`"
        );
        let parsed: Value = serde_json::from_slice(plugin).unwrap_or_default();
        if let Some(millis) = parsed["flushMillis"].as_u64() {
            self.flush = Duration::from_millis(millis);
        }
        let configuration = configuration::of(self.vector, plugin, &self.module, self.upstream);
        let started = self.runtime.block_on(async {
            let envoy = Envoy::start(&configuration).await?;
            let address = envoy.admin().listener("vector").await?;
            anyhow::Ok((envoy, address))
        });
        self.started = Instant::now();
        match started {
            Ok(started) => {
                self.envoy = Some(started);
                Configured::Accepted
            }
            Err(error) => {
                let text = format!("{error:?}");
                assert!(text.contains("Unable to create Wasm"), "{text}");
                Configured::Rejected
            }
        }
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        self.wait_until(at_ms);
        let (_, address) = self.envoy.as_ref().expect("a running Envoy");
        let mut client = TcpStream::connect(address).expect("a connection");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        client.write_all(&wire::request(stream, request)).expect("a request");
        self.clients.insert(stream, client);
        match self.arrival(stream) {
            Some(attempt) => {
                let headers = attempt.head.seen();
                self.waiting.insert(stream, attempt);
                RequestOutcome {
                    headers,
                    action: Action::Continue,
                }
            }
            None => {
                let answer = self.answer(stream);
                let headers = answer.headers.iter().map(|(name, value)| {
                    let value = String::from_utf8_lossy(&value.0).into_owned();
                    (name.clone(), value)
                });
                RequestOutcome {
                    headers: Headers::new(),
                    action: Action::LocalReply(LocalReply {
                        status: answer.status(),
                        headers: headers.collect(),
                    }),
                }
            }
        }
    }

    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers {
        self.wait_until(at_ms);
        for _ in 1..response.attempts.unwrap_or(1) {
            let Some(mut attempt) = self.arrival(stream) else {
                break;
            };
            let failure = format!("HTTP/1.1 503 x\r\n{RETRY}: 1\r\ncontent-length: 0\r\n\r\n");
            attempt
                .connection
                .write_all(failure.as_bytes())
                .expect("a failed attempt");
        }
        if let Some(mut attempt) = self.arrival(stream) {
            attempt
                .connection
                .write_all(&wire::response(response))
                .expect("a response");
        }
        self.answer(stream).headers
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        self.wait_until(at_ms);
        self.clients.remove(&stream);
        self.waiting.remove(&stream);
    }

    fn tick(&mut self, at_ms: u64) {
        self.wait_until(at_ms);
        // Envoy ticks by itself: one period and a half after what was counted, it has.
        std::thread::sleep(self.flush.mul_f64(1.5) + Duration::from_millis(400));
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        let (envoy, _) = self.envoy.as_ref().expect("a running Envoy");
        let admin = envoy.admin();
        let (counters, histograms) = self.runtime.block_on(async {
            let counters = admin.stats(&format!("^{STATS_PREFIX}")).await;
            let histograms = "/stats?format=json&type=Histograms&histogram_buckets=cumulative";
            let histograms = admin.get(histograms).await.expect("histograms");
            (counters.expect("counters"), histograms)
        });
        let raw = |name: &str| name.strip_prefix(STATS_PREFIX).map(str::to_owned);
        let mut metrics: Vec<_> = counters
            .iter()
            .filter_map(|(name, value)| Some((raw(name)?, Metric::Counter(*value))))
            .collect();
        let histograms: Value = serde_json::from_str(&histograms).expect("JSON");
        for histogram in histograms["stats"].as_array().into_iter().flatten() {
            for histogram in histogram["histograms"].as_array().into_iter().flatten() {
                let Some(name) = histogram["name"].as_str().and_then(raw) else {
                    continue;
                };
                let buckets = histogram["totals"].as_array().or(histogram["buckets"].as_array());
                let last = buckets.and_then(|buckets| buckets.last());
                let count = last.map_or(0, |last| last["cumulative"].as_u64().unwrap_or(0));
                metrics.push((name, Metric::Histogram(vec![0; count as usize])));
            }
        }
        metrics
    }
}

fn has_answer(client: &TcpStream) -> bool {
    client.set_nonblocking(true).expect("a socket");
    let answered = client.peek(&mut [0]).is_ok();
    client.set_nonblocking(false).expect("a socket");
    answered
}

/// The upstream: a thread for each connection, because streams of a vector may overlap.
fn accept(listener: &TcpListener, arrived: &Sender<Attempt>) {
    for connection in listener.incoming().flatten() {
        let arrived = arrived.clone();
        std::thread::spawn(move || {
            let mut reading = connection;
            while let Some(head) = Head::read(&mut reading) {
                let Ok(connection) = reading.try_clone() else {
                    return;
                };
                if arrived.send(Attempt { head, connection }).is_err() {
                    return;
                }
            }
        });
    }
}
