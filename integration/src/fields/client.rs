//! One request of a case, on a connection of its own.

use std::{collections::BTreeMap, io::ErrorKind, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{certificates::Certificates, reply::Reply};

/// How long an answer is waited for: longer than Envoy's longest time-out in any case.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a connection may stay open that is expected to be closed.
const UNTIL_CLOSED: Duration = Duration::from_secs(10);

/// What is sent, and where to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ask {
    pub to: SocketAddr,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default = "root")]
    pub path: String,
    pub host: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// HTTP/2 without being asked for it by TLS.
    #[serde(default)]
    pub http2: bool,
    /// What a request of HTTP/2 says its scheme is; as the connection is, otherwise.
    pub scheme: Option<String>,
    /// A gRPC call: HTTP/2, POST, an empty message.
    #[serde(default)]
    pub grpc: bool,
    pub tls: Option<Tls>,
    /// Bytes instead of a request; what is answered until a line ends is the reply.
    pub bytes: Option<String>,
    /// With `bytes`: the other side must close the connection by itself after its answer.
    #[serde(default)]
    pub closed: bool,
}

/// The client's side of TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The name that the server's certificate must be good for.
    pub name: String,
    /// The authority that the client trusts, by the name of its file.
    #[serde(default = "ca")]
    pub trusts: String,
    /// The certificate that the client shows.
    pub shows: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

fn ca() -> String {
    "ca".to_owned()
}

/// Envoy is live a moment before its workers listen.
async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    for _ in 0..100 {
        match TcpStream::connect(to).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
    TcpStream::connect(to).await
}

impl Ask {
    /// Sends it and waits for the whole answer. What goes wrong is in the reply.
    pub async fn send(self, certificates: Certificates) -> Reply {
        match timeout(PATIENCE, self.exchange(&certificates)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => Reply::failed(format!("{error:#}")),
            Err(_) => Reply::failed(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn exchange(&self, certificates: &Certificates) -> Result<Reply> {
        let stream = connect(self.to).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return self.speak(stream).await;
        };
        let alpn = if self.is_http2() { "h2" } else { "http/1.1" };
        let config = certificates.client(&tls.trusts, tls.shows.as_deref(), alpn)?;
        let name = ServerName::try_from(tls.name.clone())?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().unwrap_or_default().first().cloned();
        let reply = self.speak(stream).await?;
        Ok(Reply {
            certificate: shown.map(|certificate| certificate.to_vec()),
            ..reply
        })
    }

    fn is_http2(&self) -> bool {
        self.http2 || self.grpc
    }

    async fn speak(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Reply> {
        if let Some(bytes) = &self.bytes {
            return self.speak_bytes(stream, bytes).await;
        }
        let request = self.request()?;
        let response = if self.is_http2() {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let header = |name: &str| parts.headers.get(name).map(text);
        let trailer = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
        let grpc = header("grpc-status").or_else(|| trailer.map(text));
        Ok(Reply {
            status: Some(parts.status.as_u16()),
            grpc: grpc.filter(|_| self.grpc).and_then(|status| status.parse().ok()),
            by: header("x-server"),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: String::from_utf8_lossy(&body.to_bytes()).trim_end().to_owned(),
            ..Reply::default()
        })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::default());
        let authority = self.host.clone().unwrap_or_else(|| self.to.to_string());
        let uri = if self.is_http2() {
            let usual = if self.tls.is_some() { "https" } else { "http" };
            let scheme = self.scheme.as_deref().unwrap_or(usual);
            format!("{scheme}://{authority}{}", self.path)
        } else {
            self.path.clone()
        };
        *request.uri_mut() = uri.parse().context(uri)?;
        *request.method_mut() = Method::from_bytes(self.method.as_bytes())?;
        if self.is_http2() {
            *request.version_mut() = http::Version::HTTP_2;
        } else {
            request.headers_mut().insert("host", HeaderValue::from_str(&authority)?);
        }
        if self.grpc {
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::from(&[0; 5][..]);
            for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
                request.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            request.headers_mut().append(name, HeaderValue::from_str(value)?);
        }
        Ok(request)
    }

    async fn speak_bytes(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &str) -> Result<Reply> {
        let mut read = Vec::new();
        // One at a time: what follows an upgrade must not be sent before the other side has agreed.
        for part in bytes.split("<answer>") {
            stream.write_all(part.as_bytes()).await?;
            let before = read.len();
            while !is_whole(&read[before..]) {
                let more = stream.read_buf(&mut read).await?;
                anyhow::ensure!(more > 0, "closed after {:?}", String::from_utf8_lossy(&read));
            }
        }
        if self.closed {
            let closed = timeout(UNTIL_CLOSED, stream.read_buf(&mut read)).await;
            let closed = closed.with_context(|| format!("still open after {UNTIL_CLOSED:?}"))?;
            anyhow::ensure!(matches!(closed, Ok(0) | Err(_)), "more bytes came");
        }
        let body = String::from_utf8_lossy(&read).trim_end().to_owned();
        Ok(Reply {
            by: body.lines().last().map(str::to_owned),
            body,
            ..Reply::default()
        })
    }
}

/// A line, or the head of an HTTP answer.
fn is_whole(answer: &[u8]) -> bool {
    let end: &[u8] = if answer.starts_with(b"HTTP/") {
        b"\r\n\r\n"
    } else {
        b"\n"
    };
    answer.windows(end.len()).any(|part| part == end)
}
