//! Steady HTTP/1.1 load over kept-alive connections, with a record of every request.
//!
//! [`Load::start`] runs until it is stopped, [`Load::send`] sends a number of requests and returns. Either
//! way nothing is averaged away: the [`Report`] holds each request's moment, latency, status and the response
//! headers that were asked for, so that a test can look at any slice of time.

mod connection;
mod record;

pub use record::{Outcome, Record, Report};

use std::{
    net::SocketAddr,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use anyhow::{anyhow, Context, Result};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::task::JoinSet;

/// What to send, and how fast.
#[derive(Clone, Debug)]
pub struct Load {
    url: String,
    method: Method,
    host: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    connections: usize,
    per_second: Option<f64>,
    noting: Vec<String>,
    timeout: Duration,
}

impl Load {
    /// Load on a plain-text URL: GET, 8 connections, each sending its next request when the last is answered.
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: Method::GET,
            host: None,
            headers: Vec::new(),
            body: Bytes::new(),
            connections: 8,
            per_second: None,
            noting: Vec::new(),
            timeout: Duration::from_secs(20),
        }
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The `host` header; the URL's own when not said.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// A fixed rate over all connections together. A connection that is behind its schedule catches up as
    /// fast as it is answered, so the rate holds on average while the target can take it.
    pub fn per_second(mut self, rate: impl Into<f64>) -> Self {
        self.per_second = Some(rate.into());
        self
    }

    /// Notes the value of a response header in every record.
    pub fn noting(mut self, header: &str) -> Self {
        self.noting.push(header.to_owned());
        self
    }

    /// A request that takes longer has failed. 20 s unless said: longer than any default timeout of a mesh.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts sending and returns at once.
    pub async fn start(self) -> Result<Running> {
        self.run(u64::MAX).await
    }

    /// Sends so many requests and returns when all are answered or failed.
    pub async fn send(self, requests: usize) -> Result<Report> {
        let mut running = self.run(requests as u64).await?;
        while running.workers.join_next().await.is_some() {}
        Ok(running.report())
    }

    async fn run(self, requests: u64) -> Result<Running> {
        let plan = Arc::new(self.plan(requests).await?);
        let mut workers = JoinSet::new();
        for index in 0..plan.connections {
            workers.spawn(connection::run(plan.clone(), index));
        }
        Ok(Running { plan, workers })
    }

    async fn plan(self, requests: u64) -> Result<Plan> {
        let uri: Uri = self.url.parse().with_context(|| format!("url {:?}", self.url))?;
        let authority = uri
            .authority()
            .ok_or_else(|| anyhow!("url {:?} names no host", self.url))?
            .clone();
        let port = authority.port_u16().unwrap_or(80);
        let addr = tokio::net::lookup_host((authority.host(), port))
            .await?
            .next()
            .ok_or_else(|| anyhow!("{authority} has no address"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(path)
            .header("host", self.host.as_deref().unwrap_or(authority.as_str()));
        for (name, value) in &self.headers {
            request = request.header(
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_bytes(value)?,
            );
        }
        Ok(Plan {
            addr,
            request: request.body(())?,
            body: self.body,
            connections: self.connections,
            every: self
                .per_second
                .map(|rate| Duration::from_secs_f64(self.connections as f64 / rate)),
            noting: self
                .noting
                .iter()
                .map(|name| HeaderName::from_bytes(name.as_bytes()))
                .collect::<Result<_, _>>()?,
            timeout: self.timeout,
            left: AtomicU64::new(requests),
            stopped: AtomicBool::new(false),
            started: Instant::now(),
            journal: record::Journal::default(),
        })
    }
}

/// What the connections of one load share.
#[derive(Debug)]
struct Plan {
    addr: SocketAddr,
    request: http::Request<()>,
    body: Bytes,
    connections: usize,
    /// The time between two requests of one connection, under a fixed rate.
    every: Option<Duration>,
    noting: Vec<HeaderName>,
    timeout: Duration,
    left: AtomicU64,
    stopped: AtomicBool,
    started: Instant,
    journal: record::Journal,
}

impl Plan {
    /// Takes one request from those left to send; false when there is none or the load was stopped.
    fn take(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }
}

/// A load under way. Dropping it ends it at once, unanswered requests and all.
#[derive(Debug)]
pub struct Running {
    plan: Arc<Plan>,
    workers: JoinSet<()>,
}

impl Running {
    /// The time since the load began: the clock of [`Record::at`].
    pub fn now(&self) -> Duration {
        self.plan.started.elapsed()
    }

    /// Everything recorded so far.
    pub fn report(&self) -> Report {
        self.since(Duration::ZERO)
    }

    /// What has been sent since a moment on the load's clock.
    pub fn since(&self, from: Duration) -> Report {
        self.plan.journal.since(from)
    }

    /// Forgets what was sent before a moment: for a load that goes on without end.
    pub fn forget_before(&self, moment: Duration) {
        self.plan.journal.forget_before(moment);
    }

    /// Sends no more, waits for the answers that are due and returns everything recorded.
    pub async fn stop(mut self) -> Report {
        self.plan.stopped.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        self.report()
    }
}
