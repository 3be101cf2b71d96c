//! One attempt: a socket, TLS, HTTP/2, and an answer that shows that somebody is there.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{pki_types::ServerName, ClientConfig};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::oneshot,
};
use tokio_rustls::TlsConnector;

use crate::{proxy::settings::XdsEndpoint, server::Body};

/// From the look-up of the name to the end of the handshakes.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For the first answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// HTTP/2 pings: a half-open connection ends within 40 s.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What the control plane may send before it is passed on.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// A connection on which the control plane has answered.
pub(super) struct Opened {
    /// `http` or `https`.
    pub scheme: &'static str,
    pub sender: http2::SendRequest<Body>,
    /// Comes when it is closed, with the reason.
    pub closed: oneshot::Receiver<String>,
}

/// Connects and asks whether the control plane is ready.
pub(super) async fn connect(endpoint: &XdsEndpoint, tls: Option<Arc<ClientConfig>>) -> anyhow::Result<Opened> {
    let opened = within(CONNECT_LIMIT, "no connection", open(endpoint, tls)).await?;
    within(ANSWER_LIMIT, "no answer", is_ready(endpoint, opened)).await
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => anyhow::bail!("{what} within {} s", limit.as_secs()),
    }
}

async fn open(endpoint: &XdsEndpoint, tls: Option<Arc<ClientConfig>>) -> anyhow::Result<Opened> {
    match endpoint {
        XdsEndpoint::Unix(path) => shake_hands("http", UnixStream::connect(path).await?).await,
        XdsEndpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Acknowledgements are small and must not wait for one another.
            stream.set_nodelay(true)?;
            let Some(config) = tls else {
                return shake_hands("http", stream).await;
            };
            let name = ServerName::try_from(host.clone()).context("the host is no name of a certificate")?;
            let stream = TlsConnector::from(config).connect(name, stream).await;
            shake_hands("https", stream.context("TLS")?).await
        }
    }
}

async fn shake_hands<S>(scheme: &'static str, stream: S) -> anyhow::Result<Opened>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await?;
    let (closing, closed) = oneshot::channel();
    tokio::spawn(async move {
        let reason = match connection.await {
            Ok(()) => "by the control plane".to_owned(),
            Err(error) => told(&error),
        };
        // Nobody may be interested any more.
        let _ = closing.send(reason);
    });
    Ok(Opened { scheme, sender, closed })
}

/// hyper's own words are few; what it was caused by says more.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

async fn is_ready(endpoint: &XdsEndpoint, mut opened: Opened) -> anyhow::Result<Opened> {
    let request = Request::builder()
        .method(Method::GET)
        .uri(uri(endpoint, opened.scheme, "/readyz")?)
        .body(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync())?;
    opened.sender.ready().await?;
    let answer = opened.sender.send_request(request).await;
    let status = answer.map_err(|error| anyhow::anyhow!(told(&error)))?.status();
    // Whoever answers is there, whatever they think of the path; only "not now" is taken at its word.
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            anyhow::bail!("it is not ready: {status}")
        }
        _ => Ok(opened),
    }
}

/// A path at a control plane.
pub(super) fn uri(endpoint: &XdsEndpoint, scheme: &str, path: &str) -> Result<Uri, http::Error> {
    let authority = match endpoint {
        XdsEndpoint::Unix(_) => "localhost".to_owned(),
        XdsEndpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        XdsEndpoint::Tcp { host, port } => format!("{host}:{port}"),
    };
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path)
        .build()
}
