//! An SDS server on a Unix socket, as SPIRE's agent is one: secrets by name, which can be replaced.
//!
//! Speaks as much of the protocol as Envoy needs to be given secrets, and of protobuf as much as that takes.

use std::{convert::Infallible, path::Path, sync::Arc};

use anyhow::Result;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{stream, Stream};
use http::HeaderValue;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
    Request, Response,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::UnixListener, sync::watch, task::JoinHandle};

use super::certificates::Certificates;

const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Sds {
    serving: JoinHandle<()>,
    /// How often all secrets were sent again.
    version: watch::Sender<u64>,
}

/// The PEM text of a secret by its name and the part: `pem`, certificates, or `key`.
type Secrets = Arc<dyn Fn(&str, &str) -> Option<Vec<u8>> + Send + Sync>;

impl Sds {
    /// Starts it. A secret with the name of a certificate is that and its key, one with an authority's name is that.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(socket: &Path, certificates: Certificates) -> Result<Self> {
        Self::of(socket, move |name, part| certificates.pem(name, part).ok())
    }

    /// Starts it with secrets from anywhere: `pem` and `key` of a certificate, `pem` alone of an authority.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn of(socket: &Path, secrets: impl Fn(&str, &str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let secrets: Secrets = Arc::new(secrets);
        let version = watch::Sender::new(1);
        let versions = version.subscribe();
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let (secrets, versions) = (secrets.clone(), versions.clone());
                        let service = service_fn(move |request| serve(secrets.clone(), versions.clone(), request));
                        connections.spawn(
                            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service),
                        );
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { serving, version })
    }

    /// Sends everybody the secrets that they asked for as these are now.
    pub fn push(&self) {
        self.version.send_modify(|version| *version += 1);
    }
}

impl Drop for Sds {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    secrets: Secrets,
    versions: watch::Receiver<u64>,
    request: Request<Incoming>,
) -> Result<Response<StreamBody<impl Stream<Item = Result<Frame<Bytes>, Infallible>>>>, Infallible> {
    let mut response = Response::new(StreamBody::new(answers(secrets, versions, request.into_body())));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}

/// What a stream knows.
struct Asked {
    body: Incoming,
    read: BytesMut,
    versions: watch::Receiver<u64>,
    names: Vec<String>,
}

/// An answer for each request of the stream that asks for something, and one whenever secrets are others.
fn answers(
    secrets: Secrets,
    mut versions: watch::Receiver<u64>,
    body: Incoming,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    versions.mark_unchanged();
    let asked = Asked {
        body,
        read: BytesMut::new(),
        versions,
        names: Vec::new(),
    };
    stream::unfold(asked, move |mut asked| {
        let secrets = secrets.clone();
        async move {
            loop {
                while let Some(request) = message(&mut asked.read) {
                    if let Some(names) = names(&request) {
                        asked.names = names;
                        let version = *asked.versions.borrow_and_update();
                        let answer = answer(&secrets, &asked.names, version)?;
                        return Some((Ok(Frame::data(answer)), asked));
                    }
                }
                tokio::select! {
                    frame = asked.body.frame() => {
                        if let Some(data) = frame?.ok()?.data_ref() {
                            asked.read.extend_from_slice(data);
                        }
                    }
                    Ok(()) = asked.versions.changed(), if !asked.names.is_empty() => {
                        let version = *asked.versions.borrow_and_update();
                        let answer = answer(&secrets, &asked.names, version)?;
                        return Some((Ok(Frame::data(answer)), asked));
                    }
                }
            }
        }
    })
}

/// Takes a whole gRPC message: a byte for compression, four for the length, then that many.
fn message(read: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(read.get(1..5)?.try_into().ok()?) as usize;
    if read.len() < 5 + length {
        return None;
    }
    read.advance(5);
    Some(read.split_to(length).freeze())
}

/// The names that a `DiscoveryRequest` asks for; none of one that acknowledges an answer.
fn names(request: &[u8]) -> Option<Vec<String>> {
    const RESOURCE_NAMES: u64 = 3;
    const RESPONSE_NONCE: u64 = 5;
    let fields = fields(request);
    if fields
        .iter()
        .any(|(number, nonce)| *number == RESPONSE_NONCE && !nonce.is_empty())
    {
        return None;
    }
    let names = fields.iter().filter(|(number, _)| *number == RESOURCE_NAMES);
    names.map(|(_, name)| String::from_utf8(name.to_vec()).ok()).collect()
}

/// A `DiscoveryResponse` with secrets, as a gRPC message.
fn answer(secrets: &Secrets, names: &[String], version: u64) -> Option<Bytes> {
    let version = version.to_string();
    let mut response = field(1, version.as_bytes());
    for name in names {
        let secret = secret(secrets, name)?;
        response.extend(field(2, &[field(1, SECRET.as_bytes()), field(2, &secret)].concat()));
    }
    response.extend(field(4, SECRET.as_bytes()));
    response.extend(field(5, version.as_bytes()));
    let mut framed = vec![0];
    framed.extend(u32::try_from(response.len()).ok()?.to_be_bytes());
    framed.extend(response);
    Some(framed.into())
}

/// A `Secret`.
fn secret(secrets: &Secrets, name: &str) -> Option<Vec<u8>> {
    // A `DataSource` with the bytes in it.
    let inline = |bytes: Vec<u8>| field(2, &bytes);
    let chain = inline(secrets(name, "pem")?);
    let content = match secrets(name, "key") {
        Some(key) => field(2, &[field(1, &chain), field(2, &inline(key))].concat()),
        None => field(4, &field(1, &chain)),
    };
    Some([field(1, name.as_bytes()), content].concat())
}

/// A field of a message that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(number << 3) | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push((length as u8) | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// The fields of a message that have a length, as far as it can be read.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while let Some(tag) = number(&mut message) {
        match tag & 7 {
            0 => drop(number(&mut message)),
            2 => {
                let length = number(&mut message).unwrap_or_default() as usize;
                let Some((content, rest)) = message.split_at_checked(length) else {
                    break;
                };
                found.push((tag >> 3, content));
                message = rest;
            }
            _ => break,
        }
    }
    found
}

fn number(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
