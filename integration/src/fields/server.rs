//! The servers of a case: applications of the mesh that answer as they are told and remember what reached them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::{combinators::BoxBody, BodyExt, Full};
use hyper::{body::Incoming, service::service_fn, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{
    case::{self, Answers, Health, Speaks},
    certificates::Certificates,
};

/// How long a [`Health::Slow`] server takes: longer than App Mesh's shortest health check timeout, 2 s.
const SLOW: Duration = Duration::from_secs(3);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
    serving: JoinHandle<()>,
}

/// What has reached a server.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    /// Requests, or connections of a TCP server; health checks are not counted.
    pub requests: u64,
    /// Health checks.
    pub checks: u64,
    /// The latest request.
    pub last: Option<Seen>,
}

/// A request as it reached a server.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub host: String,
    pub headers: HeaderMap,
    /// 1 or 2.
    pub http: u8,
    /// The client's certificate.
    pub client: Option<Vec<u8>>,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

#[derive(Debug)]
struct State {
    name: String,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    answers: Answers,
    failed: u64,
    arrived: Arrived,
}

type Body = BoxBody<Bytes, Infallible>;

impl Server {
    /// Starts a server in the namespace of the runtime that calls this.
    ///
    /// # Errors
    /// Its address is not free, or its certificate cannot be read.
    pub async fn start(name: String, spec: case::Server, certificates: Certificates) -> Result<Self> {
        let acceptor = match &spec.tls {
            None => None,
            Some(certificate) => Some(TlsAcceptor::from(certificates.server(certificate)?)),
        };
        let listener = TcpListener::bind(spec.at).await?;
        let state = Arc::new(State {
            name,
            now: Mutex::new(Now {
                answers: spec.answers,
                failed: 0,
                arrived: Arrived::default(),
            }),
        });
        let serving = tokio::spawn(accept(listener, acceptor, spec.speaks, state.clone()));
        Ok(Self { state, serving })
    }

    /// Changes how it answers; a `first` count starts anew.
    pub fn answer(&self, answers: Answers) {
        let mut now = self.state.now();
        now.answers = answers;
        now.failed = 0;
    }

    pub fn arrived(&self) -> Arrived {
        self.state.now().arrived.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request; gives how it is answered, and whether it fails.
    fn arrive(&self, seen: Option<Seen>) -> (Answers, bool) {
        let mut now = self.now();
        now.arrived.requests += 1;
        now.arrived.last = seen.or(now.arrived.last.take());
        let fails = now.answers.always || now.failed < now.answers.first;
        now.failed += u64::from(fails);
        (now.answers.clone(), fails)
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, speaks: Speaks, state: Arc<State>) {
    // Aborting this task drops the set, which ends every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(serve(stream, acceptor.clone(), speaks, state.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, speaks: Speaks, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return speak(stream, speaks, None, false, state).await;
    };
    // A client that did not agree is for the client's side to tell.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let (_, session) = stream.get_ref();
    let certificates = session.peer_certificates().unwrap_or_default();
    let client = certificates.first().map(|certificate| certificate.to_vec());
    speak(stream, speaks, client, true, state).await;
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    speaks: Speaks,
    client: Option<Vec<u8>>,
    encrypted: bool,
    state: Arc<State>,
) {
    match speaks {
        Speaks::Tcp => speak_bytes(stream, &state).await,
        Speaks::Http => {
            let service = service_fn(move |request| answer(state.clone(), request, client.clone(), encrypted));
            // An error here is a client that went away, or a connection closed on purpose.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        }
    }
}

/// The server's name for the first bytes, then nothing until the client closes.
async fn speak_bytes(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    let mut bytes = [0; 1024];
    // A health check connects and says nothing.
    if !matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {
        return;
    }
    let (answers, fails) = state.arrive(None);
    tokio::time::sleep(Duration::from_millis(answers.delay)).await;
    if fails || stream.write_all(format!("{}\n", state.name).as_bytes()).await.is_err() {
        return;
    }
    while matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {}
}

/// The error that makes hyper close the connection without an answer.
type Close = std::io::Error;

async fn answer(
    state: Arc<State>,
    mut request: Request<Incoming>,
    client: Option<Vec<u8>>,
    encrypted: bool,
) -> Result<Response<Body>, Close> {
    let path = request.uri().path();
    if path == "/ping" || path == "/grpc.health.v1.Health/Check" {
        return check(&state, path == "/ping").await;
    }
    let grpc = request
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let upgrade = request.headers().contains_key("upgrade");
    let (answers, fails) = state.arrive(Some(see(&request, client, encrypted)));
    let delay = if fails {
        answers.delay.max(answers.fail_delay)
    } else {
        answers.delay
    };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if fails && answers.close {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if upgrade && !fails {
        return Ok(switch(&state, &mut request));
    }
    let status = if fails && !grpc { answers.status } else { 200 };
    let body = match (grpc, request.method() == http::Method::HEAD) {
        // An empty message: not compressed, no bytes.
        (true, _) => Bytes::from_static(&[0; 5]),
        (false, true) => Bytes::new(),
        (false, false) => Bytes::from(format!("{}\n", state.name)),
    };
    let body = Full::new(body);
    let body = if grpc {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(if fails { answers.grpc } else { 0 }));
        body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed()
    } else {
        body.boxed()
    };
    let mut response = reply(&state, status, body);
    if grpc {
        let kind = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert("content-type", kind);
        if fails && answers.grpc != 0 {
            // A failure without a message is told in the headers alone, which is what a proxy can retry on.
            response
                .headers_mut()
                .insert("grpc-status", HeaderValue::from(answers.grpc));
            *response.body_mut() = Full::default().boxed();
        }
    }
    Ok(response)
}

async fn check(state: &State, http: bool) -> Result<Response<Body>, Close> {
    let health = {
        let mut now = state.now();
        now.arrived.checks += 1;
        now.answers.health
    };
    let well = match health {
        Health::Good => true,
        Health::Bad => false,
        Health::Closed => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Health::Slow => {
            tokio::time::sleep(SLOW).await;
            true
        }
    };
    if http {
        let status = if well { 200 } else { 503 };
        return Ok(reply(state, status, Full::default().boxed()));
    }
    // `grpc.health.v1.HealthCheckResponse`: field 1 is 1 for serving and 2 for not serving.
    let message = Bytes::from(vec![0, 0, 0, 0, 2, 8, if well { 1 } else { 2 }]);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(0));
    let body = Full::new(message).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = reply(state, 200, body.boxed());
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}

/// Agrees to another protocol, in which the server's name comes back for whatever is sent.
fn switch(state: &Arc<State>, request: &mut Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(request);
    let name = state.name.clone();
    tokio::spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let mut stream = TokioIo::new(stream);
        let mut bytes = [0; 64];
        while matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {
            let _ = stream.write_all(format!("{name}\n").as_bytes()).await;
        }
    });
    let mut response = reply(state, 101, Full::default().boxed());
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn reply(state: &State, status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(name) = state.name.parse() {
        response.headers_mut().insert("x-server", name);
    }
    response
}

fn see(request: &Request<Incoming>, client: Option<Vec<u8>>, encrypted: bool) -> Seen {
    let uri = request.uri();
    let host = || Some(request.headers().get("host")?.to_str().ok()?.to_owned());
    Seen {
        method: request.method().to_string(),
        path: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        host: uri
            .authority()
            .map(ToString::to_string)
            .or_else(host)
            .unwrap_or_default(),
        headers: request.headers().clone(),
        http: if request.version() == http::Version::HTTP_2 {
            2
        } else {
            1
        },
        client,
        encrypted,
    }
}
