//! One connection to one member of an etcd cluster: TLS, credentials, calls with a time limit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::Uri;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint as Target};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::target::{EtcdOptions, Member};
use super::wire;

/// Least and most that a member may take to accept a connection. Members are a network round trip away.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// A member that does not answer a call for this long has lost its leader or is gone. etcd's own limit for a proposal is 7 s.
pub const CALL_LIMIT: Duration = Duration::from_secs(3);
/// How often a silent connection is asked for a sign of life, and how long that may take.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Largest answer that is read: a page of values, or the events of one transaction.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// TLS settings and credentials, read from their files.
pub struct Credentials {
    tls: Option<TlsConnector>,
    user: Option<(String, PathBuf)>,
}

impl Credentials {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// A file cannot be read, or holds not what it should.
    pub fn read(options: &EtcdOptions) -> Result<Self, String> {
        let tls = options.members.iter().any(|member| member.tls);
        let tls = tls.then(|| connector(options)).transpose()?;
        let user = options.user.clone().map(|user| (user.name, user.password_file));
        let credentials = Self { tls, user };
        credentials.password()?;
        Ok(credentials)
    }

    /// Read for each connection, so that a rotated password needs no restart.
    fn password(&self) -> Result<Option<wire::AuthenticateRequest>, String> {
        let Some((name, path)) = &self.user else {
            return Ok(None);
        };
        let password = std::fs::read_to_string(path)
            .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
        Ok(Some(wire::AuthenticateRequest {
            name: name.clone(),
            password: password.trim_end_matches(['\r', '\n']).to_owned(),
        }))
    }
}

fn connector(options: &EtcdOptions) -> Result<TlsConnector, String> {
    let named = |path: &PathBuf, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let certificates = |path: &PathBuf| {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match read {
            Ok(found) if found.is_empty() => Err(named(path, &"has no certificate")),
            Ok(found) => Ok(found),
            Err(error) => Err(named(path, &error)),
        }
    };
    let Some(ca) = &options.ca else {
        return Err("an https:// member needs the authority that signed its certificate".to_owned());
    };
    let mut roots = RootCertStore::empty();
    for root in certificates(ca)? {
        roots.add(root).map_err(|error| named(ca, &error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| named(key, &error))?;
            builder
                .with_client_auth_cert(certificates(chain)?, secret)
                .map_err(|error| named(chain, &error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Why a call did not succeed.
#[derive(Debug)]
pub enum CallError {
    /// The request never left, or the member said that it did nothing.
    NotDone(String),
    /// The request may have been carried out.
    Unknown(String),
    /// etcd refuses the request itself: too large, no permission.
    Refused(String),
}

impl CallError {
    pub fn text(&self) -> &str {
        match self {
            Self::NotDone(text) | Self::Unknown(text) | Self::Refused(text) => text,
        }
    }
}

/// An open connection. Clones share it.
#[derive(Clone)]
pub struct Connection {
    grpc: tonic::client::Grpc<Channel>,
    token: Option<AsciiMetadataValue>,
}

impl Connection {
    /// Connects to a member and shows the credentials.
    pub async fn open(member: &Member, credentials: &Credentials) -> Result<Self, String> {
        let said = |error: &dyn std::error::Error| {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            format!("{member}: {text}")
        };
        // The scheme is always http here: TLS is the connector's.
        let target = Target::from_shared(format!("http://{}:{}", member.host, member.port))
            .map_err(|error| said(&error))?
            .connect_timeout(CONNECT_LIMIT)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_EVERY)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        let tls = credentials.tls.clone().filter(|_| member.tls);
        let host = member.host.trim_matches(['[', ']']).to_owned();
        let port = member.port;
        let dial = tower::service_fn(move |_: Uri| dial(host.clone(), port, tls.clone()));
        let opened = tokio::time::timeout(CONNECT_LIMIT * 2, target.connect_with_connector(dial)).await;
        let channel = opened
            .map_err(|_| format!("{member}: no connection within {} s", 2 * CONNECT_LIMIT.as_secs()))?
            .map_err(|error| said(&error))?;
        let grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        let mut connection = Self { grpc, token: None };
        if let Some(request) = credentials.password()? {
            let path = PathAndQuery::from_static("/etcdserverpb.Auth/Authenticate");
            let answer: wire::AuthenticateResponse = connection
                .call(path, request)
                .await
                .map_err(|error| format!("{member}: {}", error.text()))?;
            connection.token = answer.token.parse().ok();
        }
        Ok(connection)
    }

    pub async fn range(&self, request: wire::RangeRequest) -> Result<wire::RangeResponse, CallError> {
        self.call(PathAndQuery::from_static("/etcdserverpb.KV/Range"), request)
            .await
    }

    pub async fn txn(&self, request: wire::TxnRequest) -> Result<wire::TxnResponse, CallError> {
        self.call(PathAndQuery::from_static("/etcdserverpb.KV/Txn"), request)
            .await
    }

    async fn call<Q, A>(&self, path: PathAndQuery, request: Q) -> Result<A, CallError>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut grpc = self.grpc.clone();
        grpc.ready()
            .await
            .map_err(|error| CallError::NotDone(error.to_string()))?;
        let answer = grpc.unary(self.with_token(request), path, ProstCodec::<Q, A>::default());
        match tokio::time::timeout(CALL_LIMIT, answer).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(judged(&status)),
            Err(_) => Err(CallError::Unknown(format!(
                "etcd did not answer within {} s",
                CALL_LIMIT.as_secs()
            ))),
        }
    }

    /// Follows a range of keys. The stream ends with an error when the member loses its leader.
    pub async fn watch(&self, create: wire::WatchCreate) -> Result<Streaming<wire::WatchResponse>, String> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| error.to_string())?;
        // The request stream stays open: etcd ends the watch with it.
        let (sender, requests) = tokio::sync::mpsc::channel::<wire::WatchRequest>(1);
        let first = wire::WatchRequest { create: Some(create) };
        sender.try_send(first).map_err(|error| error.to_string())?;
        let requests = Held {
            receiver: requests,
            _sender: sender,
        };
        let mut request = self.with_token(requests);
        request
            .metadata_mut()
            .insert("hasleader", AsciiMetadataValue::from_static("true"));
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        let codec = ProstCodec::<wire::WatchRequest, wire::WatchResponse>::default();
        let answer = tokio::time::timeout(CALL_LIMIT, grpc.streaming(request, path, codec)).await;
        let answer = answer.map_err(|_| "etcd did not begin the watch in time".to_owned())?;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| status.message().to_owned())
    }

    fn with_token<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }
}

/// The requests of a watch: one, and then none for as long as the watch lives.
struct Held {
    receiver: tokio::sync::mpsc::Receiver<wire::WatchRequest>,
    _sender: tokio::sync::mpsc::Sender<wire::WatchRequest>,
}

impl tokio_stream::Stream for Held {
    type Item = wire::WatchRequest;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

async fn dial(host: String, port: u16, tls: Option<TlsConnector>) -> Result<TokioIo<Box<dyn Duplex>>, std::io::Error> {
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let stream: Box<dyn Duplex> = match tls {
        None => Box::new(stream),
        Some(connector) => {
            let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
            Box::new(connector.connect(name, stream).await?)
        }
    };
    Ok(TokioIo::new(stream))
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Duplex for T {}

/// What an error says about the request.
fn judged(status: &Status) -> CallError {
    use tonic::Code;
    let text = format!("{} ({:?})", status.message(), status.code());
    match status.code() {
        Code::InvalidArgument | Code::PermissionDenied | Code::OutOfRange => CallError::Refused(text),
        // "no space": etcd's own quota is used up; nothing was written.
        Code::ResourceExhausted if status.message().contains("etcdserver:") => CallError::Refused(text),
        Code::Unauthenticated | Code::FailedPrecondition => CallError::NotDone(text),
        _ => CallError::Unknown(text),
    }
}
