//! Small upstream servers whose faults are on request: the applications behind the mesh.
//!
//! Each answers every path with its name (body and header `x-colour`), so that a 404 can only come from
//! Envoy. `/ping` is for health checks and is not counted. `GET /_colour` gives the counters and
//! `PUT /_colour` with a [`Faults`] object changes the behaviour, for servers in another process.

mod echo;
mod faults;

pub use echo::Echo;
pub use faults::{Fault, Faults};

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use faults::Injector;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, JoinSet},
};

/// How many requests [`Upstream::seen`] remembers: the latest, so that a load of any length is bounded.
const REMEMBERED: usize = 512;

/// One request as it reached the application.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The `host` header (HTTP/1.1) or `:authority` (HTTP/2).
    pub host: String,
    /// Every header in order, values as raw bytes.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// The first value of a header, as text; `None` when absent or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// What a server has answered since its start or the last [`Upstream::forget`].
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Requests that arrived; one request retried twice by Envoy arrives three times.
    pub requests: u64,
    /// Those answered by an injected fault.
    pub faults: u64,
}

/// A running server. Dropping it closes its port and every connection.
#[derive(Debug)]
pub struct Upstream {
    addr: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    name: String,
    moving: Mutex<Moving>,
}

#[derive(Debug)]
struct Moving {
    counts: Counts,
    injector: Injector,
    seen: VecDeque<Seen>,
}

impl Upstream {
    /// Starts a server on a free port of 127.0.0.1.
    pub async fn start(name: &str) -> Result<Self> {
        Self::start_at(name, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts a server on a given address. It shares its port (`SO_REUSEPORT`), so that 127.0.0.2:9080 can be
    /// served beside an Envoy that listens on 0.0.0.0:9080: the kernel prefers the more specific address.
    pub async fn start_at(name: &str, addr: SocketAddr) -> Result<Self> {
        let listener = listen(addr).with_context(|| format!("upstream {name} on {addr}"))?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State {
            name: name.to_owned(),
            moving: Mutex::new(Moving {
                counts: Counts::default(),
                injector: Injector::new(Faults::default()),
                seen: VecDeque::with_capacity(REMEMBERED),
            }),
        });
        let serving = tokio::spawn(accept(listener, state.clone()));
        Ok(Self { addr, state, serving })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Replaces the faults; a `first` count starts anew.
    pub fn inject(&self, faults: Faults) {
        self.state.moving().injector = Injector::new(faults);
    }

    pub fn counts(&self) -> Counts {
        self.state.moving().counts
    }

    /// The latest requests, oldest first (at most 512).
    pub fn seen(&self) -> Vec<Seen> {
        self.state.moving().seen.iter().cloned().collect()
    }

    /// Sets the counters to zero and forgets the requests seen; faults stay.
    pub fn forget(&self) {
        let mut moving = self.state.moving();
        moving.counts = Counts::default();
        moving.seen.clear();
    }

    /// Serves until the process ends.
    pub async fn serve(mut self) -> Result<()> {
        Ok((&mut self.serving).await?)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    /// A thread that panicked while it held the lock is a test that has failed already: go on.
    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(addr: SocketAddr) -> Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    if addr.port() != 0 {
        socket.set_reuseport(true)?;
    }
    socket.bind(addr)?;
    Ok(socket.listen(1024)?)
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Aborting this task drops the set, which ends every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors or an aborted handshake: the next accept may succeed.
                    tokio::task::yield_now().await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let state = state.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(state.clone(), request));
                    // An error here is a client that went away or a reset that was asked for.
                    let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The error that makes hyper close the connection without an answer: an injected reset.
type Reset = std::io::Error;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Reset> {
    match request.uri().path() {
        "/ping" => return Ok(reply(&state, StatusCode::OK)),
        "/_colour" => return Ok(control(&state, request).await),
        _ => {}
    }
    let (fault, retry_after, delay) = {
        let mut moving = state.moving();
        let fault = moving.injector.next();
        moving.counts.requests += 1;
        moving.counts.faults += u64::from(fault.is_some());
        if moving.seen.len() == REMEMBERED {
            moving.seen.pop_front();
        }
        moving.seen.push_back(remember(&request));
        (fault, moving.injector.retry_after(), moving.injector.delay())
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match fault {
        None => Ok(reply(&state, StatusCode::OK)),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            let mut response = reply(&state, status);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            Ok(response)
        }
        Some(Fault::Reset) => Err(std::io::ErrorKind::ConnectionReset.into()),
    }
}

fn remember(request: &Request<Incoming>) -> Seen {
    let host = match request.uri().authority() {
        Some(authority) => authority.to_string(),
        None => request
            .headers()
            .get("host")
            .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned())
            .unwrap_or_default(),
    };
    Seen {
        method: request.method().to_string(),
        path: request
            .uri()
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        host,
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
    }
}

fn reply(state: &State, status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{}\n", state.name)));
    *response.status_mut() = status;
    if let Ok(name) = state.name.parse() {
        response.headers_mut().insert("x-colour", name);
    }
    response
}

async fn control(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let plain = |status, text: String| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    };
    match *request.method() {
        Method::GET => plain(
            StatusCode::OK,
            serde_json::to_string(&state.moving().counts).unwrap_or_default(),
        ),
        Method::PUT => match request.into_body().collect().await {
            Err(error) => plain(StatusCode::BAD_REQUEST, error.to_string()),
            Ok(body) => match serde_json::from_slice(&body.to_bytes()) {
                Err(error) => plain(StatusCode::BAD_REQUEST, format!("faults: {error}\n")),
                Ok(faults) => {
                    state.moving().injector = Injector::new(faults);
                    plain(StatusCode::OK, format!("{faults:?}\n"))
                }
            },
        },
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and PUT\n".to_owned()),
    }
}
