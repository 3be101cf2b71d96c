//! The way to a server: its address, and how its certificate is checked where it has one.

use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// Where a client connects.
#[derive(Clone, Debug)]
pub struct Way {
    /// `host:port`, numbers or a name.
    pub address: String,
    /// `None`: in the clear.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// A connection of either kind.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

impl Way {
    /// In the clear.
    pub fn plain(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            tls: None,
        }
    }

    /// Opens a connection, and shakes hands where there is TLS.
    ///
    /// # Errors
    /// Nobody listens, or the certificate is not good.
    pub async fn open(&self) -> Result<Box<dyn Connection>> {
        let stream = self.tcp().await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).context("no name for TLS")?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
        Ok(Box::new(stream))
    }

    /// Opens a connection on which nothing is said yet.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn tcp(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A channel for gRPC over a connection of its own.
    ///
    /// # Errors
    /// As [`Way::open`].
    pub(crate) async fn channel(&self) -> Result<Channel> {
        // What encrypts is below the channel, for which everything is in the clear.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let way = self.clone();
        let connector = tower::service_fn(move |_| {
            let way = way.clone();
            async move { way.open().await.map(TokioIo::new).map_err(std::io::Error::other) }
        });
        endpoint
            .connect_with_connector(connector)
            .await
            .context("cannot connect")
    }
}
