//! One HTTP/1.1 connection whose requests differ: what [`crate::load`] is not for.

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{handshake, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).collect()
    }
}

/// A client with one connection, made when it is needed and made anew when the server has closed it.
#[derive(Debug)]
pub struct Client {
    to: SocketAddr,
    from: Option<SocketAddr>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of a server at `host:port`, both numbers.
    ///
    /// # Errors
    /// The address is none.
    pub fn of(address: &str) -> Result<Self> {
        Ok(Self {
            to: address.parse()?,
            from: None,
            sender: None,
        })
    }

    /// The client's own address, such as 127.0.0.2.
    ///
    /// # Errors
    /// The address is none.
    pub fn from(mut self, address: &str) -> Result<Self> {
        self.from = Some(SocketAddr::new(address.parse()?, 0));
        Ok(self)
    }

    /// Sends a GET and waits for the whole answer.
    ///
    /// # Errors
    /// There is none.
    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        self.ask(Method::GET, path, headers).await
    }

    /// Sends a request without a body and waits for the whole answer. The host is `color.local` unless a header says
    /// another.
    ///
    /// # Errors
    /// There is none.
    pub async fn ask(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut kept = self.sender.take();
        let is_open = match &mut kept {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        let mut sender = match kept.filter(|_| is_open) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse()?;
        if !headers.iter().any(|(name, _)| *name == "host") {
            request
                .headers_mut()
                .insert("host", HeaderValue::from_static("color.local"));
        }
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(value.as_bytes())?);
        }
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = self.from {
            socket.bind(from)?;
        }
        let stream = socket.connect(self.to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
