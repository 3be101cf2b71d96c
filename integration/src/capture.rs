//! Receivers of telemetry: what Envoy sends to an HTTP server or over UDP is kept for a test to decode.

use std::{
    net::{TcpListener, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

/// One HTTP request with its body.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

/// HTTP servers, on any number of sockets, that answer everything with the same status and body.
#[derive(Debug)]
pub struct HttpCapture {
    received: Arc<Mutex<Vec<Received>>>,
    _servers: JoinSet<()>,
}

impl HttpCapture {
    /// Serves on bound sockets, which may belong to other network namespaces.
    ///
    /// # Errors
    /// A socket cannot be used.
    pub fn serve(sockets: Vec<TcpListener>, status: u16, answer: &'static str) -> Result<Self> {
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut servers = JoinSet::new();
        for socket in sockets {
            socket.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(socket)?;
            let received = received.clone();
            servers.spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let received = received.clone();
                    connections.spawn(async move {
                        let service = service_fn(move |request| keep(received.clone(), request, status, answer));
                        // An error is a client that went away.
                        let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        }
        Ok(Self {
            received,
            _servers: servers,
        })
    }

    /// Everything so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn keep(
    received: Arc<Mutex<Vec<Received>>>,
    request: Request<Incoming>,
    status: u16,
    answer: &'static str,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    received.lock().unwrap_or_else(PoisonError::into_inner).push(Received {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body,
    });
    let mut response = Response::new(Full::from(answer));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(response)
}

/// UDP sockets whose datagrams are kept.
#[derive(Debug)]
pub struct UdpCapture {
    received: Arc<Mutex<Vec<Bytes>>>,
    _readers: JoinSet<()>,
}

impl UdpCapture {
    /// Reads from bound sockets, which may belong to other network namespaces.
    ///
    /// # Errors
    /// A socket cannot be used.
    pub fn read(sockets: Vec<UdpSocket>) -> Result<Self> {
        let received = Arc::new(Mutex::new(Vec::new()));
        let mut readers = JoinSet::new();
        for socket in sockets {
            socket.set_nonblocking(true)?;
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            let received = received.clone();
            readers.spawn(async move {
                let mut buffer = vec![0; 65_536];
                while let Ok(length) = socket.recv(&mut buffer).await {
                    let datagram = Bytes::copy_from_slice(&buffer[..length]);
                    received.lock().unwrap_or_else(PoisonError::into_inner).push(datagram);
                }
            });
        }
        Ok(Self {
            received,
            _readers: readers,
        })
    }

    /// Every datagram so far, as text.
    pub fn texts(&self) -> Vec<String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}
