//! What the host knows while the guest runs: the contexts, and everything that hostcalls read and write.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use crate::abi::{BufferType, MapType, Status};
use crate::config::Config;
use crate::headers::Headers;
use crate::log::{Level, Log, Origin};
use crate::metrics::Metrics;
use crate::properties::Properties;
use crate::random::Random;
use crate::report::CallReport;
use crate::vm::HttpAnswer;

/// An answer that a filter gave instead of the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status as the filter gave it, not checked.
    pub status: u32,
    /// For access logs.
    pub details: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
    /// Headers besides those that Envoy makes.
    pub headers: Headers,
    /// The gRPC status; -1: none.
    pub grpc_status: i32,
}

/// A call that a filter sent to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// What the answer refers to.
    pub token: u32,
    /// The cluster.
    pub upstream: Vec<u8>,
    /// Headers, with `:method`, `:path` and `:authority`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Headers,
    /// After which the filter wants an answer in any case.
    pub timeout: Duration,
    /// The context that gets the answer.
    pub(crate) context: u32,
}

/// A root context (a plugin) or a stream's context.
#[derive(Debug)]
pub(crate) struct Context {
    /// The root context: its own id in a root context.
    pub(crate) plugin: u32,
    /// `None` in a root context.
    pub(crate) stream: Option<Box<StreamState>>,
    pub(crate) tick_period: Option<Duration>,
    /// It answered false to `proxy_on_done` and has not called `proxy_done` yet.
    pub(crate) pending_done: bool,
}

/// What a stream's context has besides.
#[derive(Debug, Default)]
pub(crate) struct StreamState {
    pub(crate) request_headers: Option<Headers>,
    pub(crate) request_trailers: Option<Headers>,
    pub(crate) response_headers: Option<Headers>,
    pub(crate) response_trailers: Option<Headers>,
    pub(crate) request_body: Option<Vec<u8>>,
    pub(crate) response_body: Option<Vec<u8>>,
    pub(crate) properties: Properties,
    pub(crate) local_reply: Option<LocalReply>,
    /// `proxy_continue_stream` for requests and for responses.
    pub(crate) resumed: [bool; 2],
    /// `proxy_close_stream`.
    pub(crate) closed: bool,
}

/// The data in wasmtime's store.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) random: Random,
    pub(crate) metrics: Metrics,
    pub(crate) logs: Vec<Log>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// Plugin configurations by root context.
    pub(crate) plugins: BTreeMap<u32, Vec<u8>>,
    /// The context that hostcalls act on.
    pub(crate) effective: u32,
    pub(crate) http_calls: Vec<HttpCall>,
    pub(crate) last_token: u32,
    /// The answer that `proxy_on_http_call_response` is about.
    pub(crate) answer: Option<HttpAnswer>,
    /// The argument of a foreign call, while it lasts.
    pub(crate) call_data: Option<Vec<u8>>,
    pub(crate) limits: StoreLimits,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// The callback that is running.
    pub(crate) call: CallReport,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            random: Random::new(config.seed),
            limits: StoreLimitsBuilder::new().memory_size(config.memory).build(),
            config,
            metrics: Metrics::default(),
            logs: Vec::new(),
            contexts: BTreeMap::new(),
            plugins: BTreeMap::new(),
            effective: 0,
            http_calls: Vec::new(),
            last_token: 0,
            answer: None,
            call_data: None,
            memory: None,
            allocate: None,
            call: CallReport::default(),
        }
    }

    pub(crate) fn log(&mut self, level: Level, origin: Origin, message: Vec<u8>) {
        if level >= self.config.log_level {
            self.logs.push(Log { level, origin, message });
        }
    }

    /// The stream that hostcalls act on.
    pub(crate) fn stream(&mut self) -> Option<&mut StreamState> {
        self.contexts.get_mut(&self.effective)?.stream.as_deref_mut()
    }

    /// A map of the effective context; `BadArgument` when it has none, as Envoy answers.
    pub(crate) fn map(&mut self, map: MapType) -> Result<&mut Headers, Status> {
        if let MapType::HttpCallResponseHeaders | MapType::HttpCallResponseTrailers = map {
            let answer = self.answer.as_mut().ok_or(Status::BadArgument)?;
            return Ok(match map {
                MapType::HttpCallResponseHeaders => &mut answer.headers,
                _ => &mut answer.trailers,
            });
        }
        let stream = self.stream().ok_or(Status::BadArgument)?;
        match map {
            MapType::RequestHeaders => stream.request_headers.as_mut(),
            MapType::RequestTrailers => stream.request_trailers.as_mut(),
            MapType::ResponseHeaders => stream.response_headers.as_mut(),
            MapType::ResponseTrailers => stream.response_trailers.as_mut(),
            MapType::HttpCallResponseHeaders | MapType::HttpCallResponseTrailers => None,
        }
        .ok_or(Status::BadArgument)
    }

    /// A buffer of the effective context; `NotFound` when it has none.
    pub(crate) fn buffer(&mut self, buffer: BufferType) -> Result<&mut Vec<u8>, Status> {
        let plugin = self.contexts.get(&self.effective).map(|context| context.plugin);
        match buffer {
            BufferType::VmConfiguration => Some(&mut self.config.vm),
            BufferType::PluginConfiguration => plugin.and_then(|plugin| self.plugins.get_mut(&plugin)),
            BufferType::CallData => self.call_data.as_mut(),
            BufferType::HttpCallResponseBody => self.answer.as_mut().map(|answer| &mut answer.body),
            BufferType::RequestBody => self.stream().and_then(|stream| stream.request_body.as_mut()),
            BufferType::ResponseBody => self.stream().and_then(|stream| stream.response_body.as_mut()),
        }
        .ok_or(Status::NotFound)
    }
}
