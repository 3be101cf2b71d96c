//! A client for Envoy's admin interface: a few calls a minute, over TCP or a Unix socket.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{header, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;

use crate::address::{Address, Stream};

/// Envoy answers from its main thread: an answer that takes longer means that the thread is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Statistics of a large mesh are a few MiB.
const SIZE_LIMIT: usize = 256 << 20;

/// What went wrong with an admin call.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Envoy has not opened its admin interface yet.
    #[error("envoy's admin interface is not open yet")]
    NotOpen,
    /// The connection failed.
    #[error("envoy's admin interface: {0}")]
    Connection(#[from] std::io::Error),
    /// The exchange failed.
    #[error("envoy's admin interface: {0}")]
    Http(#[from] hyper::Error),
    /// The answer was cut or too long.
    #[error("envoy's admin interface: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The path is not one.
    #[error("envoy's admin interface: {0}")]
    Path(#[from] http::Error),
    /// No answer in time.
    #[error("envoy's admin interface did not answer within {} s", TIME_LIMIT.as_secs())]
    Slow,
}

/// The admin interface of one Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The file that Envoy writes the address into, with the port that it got.
    pub address_file: PathBuf,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Admin {
    /// The address, once Envoy has opened it.
    ///
    /// # Errors
    /// [`AdminError::NotOpen`].
    pub fn address(&self) -> Result<Address, AdminError> {
        let text = std::fs::read_to_string(&self.address_file).unwrap_or_default();
        match text.trim() {
            path if path.starts_with('/') => Ok(Address::Unix(path.into())),
            address => address.parse().map_err(|_| AdminError::NotOpen),
        }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// [`AdminError`]; an answer of any status is no error.
    pub async fn get(&self, path: &str) -> Result<Answer, AdminError> {
        self.call(Method::GET, path).await
    }

    /// `POST path` without a body.
    ///
    /// # Errors
    /// [`AdminError`]; an answer of any status is no error.
    pub async fn post(&self, path: &str) -> Result<Answer, AdminError> {
        self.call(Method::POST, path).await
    }

    async fn call(&self, method: Method, path: &str) -> Result<Answer, AdminError> {
        call(&self.address()?, method, path).await
    }
}

/// `GET path` of the admin interface at an address that is known beforehand.
///
/// # Errors
/// [`AdminError`]; an answer of any status is no error.
pub async fn get(address: &Address, path: &str) -> Result<Answer, AdminError> {
    call(address, Method::GET, path).await
}

async fn call(address: &Address, method: Method, path: &str) -> Result<Answer, AdminError> {
    tokio::time::timeout(TIME_LIMIT, exchange(address, method, path))
        .await
        .map_err(|_| AdminError::Slow)?
}

async fn exchange(address: &Address, method: Method, path: &str) -> Result<Answer, AdminError> {
    let stream = Stream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender, or with an error that the request reports.
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "envoy-admin")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), SIZE_LIMIT)
        .collect()
        .await
        .map_err(AdminError::Body)?
        .to_bytes();
    connection.abort();
    Ok(Answer { status, body })
}
