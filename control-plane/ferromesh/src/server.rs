//! The accept loop of every HTTP server in this program: HTTP/1 and HTTP/2 on one port, with a time limit on
//! everything a client may be slow with.
//!
//! warp and tonic bring servers of their own, without such limits and without a way to share a port. Measured
//! there: half-sent headers, silent connections and half-sent bodies stay for ever, until descriptors run out.

mod deadline;
pub mod descriptors;
pub mod streams;
pub mod tls;

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use ferromesh_xds::Peer;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::address::Listener;
use tls::Tls;

/// Any body.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Bytes of one HTTP/2 stream that wait to be sent, beyond what the system's socket holds: when a change goes to a thousand
/// proxies at a time, or to some that read slowly, this is what each of them costs.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// Bounds on what clients may use and how slow they may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// From the opening of a connection, with its TLS handshake apart, to the end of its first request's headers; and from
    /// the first byte of each further HTTP/1 request to the end of its headers.
    pub first_request: Duration,
    /// Between two HTTP/1 requests.
    pub header_read: Duration,
    /// HTTP/2 streams at the same time on one connection.
    pub streams: u32,
    /// Pause between HTTP/2 pings, and how long their answer may take.
    pub ping: (Duration, Duration),
    /// How long running requests may go on after the shutdown began.
    pub drain: Duration,
    /// What discovery streams share, over all listeners that have the same; `None`: there are none here.
    pub discovery: Option<streams::Budget>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            // With half of it for the handshake, all that is slow is gone within 10 s.
            first_request: Duration::from_secs(5),
            header_read: Duration::from_secs(60),
            streams: 256,
            ping: (Duration::from_secs(30), Duration::from_secs(10)),
            drain: Duration::from_secs(10),
            discovery: None,
        }
    }
}

/// Accepts and serves connections until `shutdown`, then lets running requests end within [`Limits::drain`].
///
/// `answer` is called for each request.
pub async fn run<F, A>(listener: Listener, answer: F, limits: Limits, shutdown: CancellationToken)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    run_with(listener, None::<Tls>, answer, limits, shutdown).await;
}

/// As [`run`], with TLS on every connection where it is given. Requests have a [`Peer`] in their extensions, unless they come
/// unencrypted from another machine.
pub async fn run_with<F, A>(
    listener: Listener,
    tls: Option<impl Into<Tls>>,
    answer: F,
    limits: Limits,
    shutdown: CancellationToken,
) where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let tls = tls.map(Into::into);
    let is_local = listener.address().is_ok_and(|address| address.is_local());
    let places = Arc::new(Semaphore::new(limits.connections));
    let limits = Arc::new(limits);
    let mut connections = JoinSet::new();
    loop {
        // Ended ones are taken out as the loop goes round, so the set holds the open ones.
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok(stream) => {
                let (answer, limits) = (answer.clone(), Arc::clone(&limits));
                let (tls, shutdown) = (tls.clone(), shutdown.clone());
                connections.spawn(async move {
                    let _place = place;
                    let ended = match tls {
                        None => serve(stream, is_local.then_some(Peer::Local), answer, &limits, shutdown).await,
                        Some(tls) => match timely(limits.first_request, tls.accept(stream)).await {
                            Ok((stream, peer)) => serve(stream, Some(peer), answer, &limits, shutdown).await,
                            Err(error) => Err(error.into()),
                        },
                    };
                    if let Err(error) = ended {
                        tracing::debug!(error = %error, "connection ended");
                    }
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Descriptors are used up: without a pause this loop would burn a core until some are free.
                tracing::warn!(error = %error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, ended).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut after the drain time");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn timely<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn serve<S, F, A>(
    stream: S,
    peer: Option<Peer>,
    answer: F,
    limits: &Limits,
    shutdown: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let (stream, requests) = deadline::for_headers(stream, limits.first_request);
    let share = limits.discovery.as_ref().map(streams::Share::of);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let running = requests.arrived(request.version());
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        if let Some(share) = &share {
            request.extensions_mut().insert(share.clone());
        }
        let answer = answer(request);
        async move {
            let response = answer.await;
            drop(running);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(limits.ping.0)
        .keep_alive_timeout(limits.ping.1);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::address::{Address, Stream};

    async fn hello(_: Request<Incoming>) -> Response<Body> {
        let body = Full::from("hello").map_err(|never| match never {});
        Response::new(body.boxed_unsync())
    }

    async fn start(limits: Limits) -> (Address, CancellationToken, tokio::task::JoinHandle<()>) {
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&address).await.unwrap();
        let address = listener.address().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(listener, hello, limits, shutdown.clone()));
        (address, shutdown, running)
    }

    fn short() -> Limits {
        Limits {
            first_request: Duration::from_millis(200),
            header_read: Duration::from_millis(200),
            drain: Duration::from_millis(200),
            ..Limits::default()
        }
    }

    /// What the server sends until it closes, or nothing if it does not close within two seconds.
    async fn until_closed(address: &Address, sent: &[u8]) -> Option<String> {
        let mut stream = Stream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        match tokio::time::timeout(Duration::from_secs(2), read).await {
            // A reset is a close too.
            Ok(_) => Some(text),
            Err(_) => None,
        }
    }

    #[tokio::test]
    async fn slow_clients_are_cut_at_every_stage() {
        let (address, shutdown, running) = start(short()).await;
        for sent in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/1.1\r\nhost",
        ] {
            let answer = until_closed(&address, sent.as_bytes()).await;
            assert!(answer.is_some(), "{sent:?} was left open");
        }
        let after_one = until_closed(&address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(after_one.unwrap().ends_with("hello"));
        shutdown.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_shutdown_ends_idle_connections_and_the_loop() {
        let (address, shutdown, running) = start(Limits::default()).await;
        let mut stream = Stream::connect(&address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut buffer = [0; 512];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(2), running)
            .await
            .unwrap()
            .unwrap();
        assert!(Stream::connect(&address).await.is_err());
    }
}
