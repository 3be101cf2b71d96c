//! Calls of the API: JSON over HTTP or HTTPS, on TCP or a Unix socket.

mod credentials;
mod trust;

use std::{path::PathBuf, str::FromStr, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::Connection;
use credentials::Credentials;

/// No call takes this long unless the server is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// `http://host:port` or `https://host:port`, without a slash at the end.
    Http(String),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err("the path of a unix socket is absolute, as in unix:///run/ferromesh.sock".into())
            };
        }
        let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Http(text.trim_end_matches('/').to_owned())),
            other => Err(format!("scheme {other:?}: expected http, https or unix")),
        }
    }
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The server refused, with App Mesh's error type.
    #[error("{kind}: {message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// `NotFoundException`, `BadRequestException`, …
        kind: String,
        /// The server's words.
        message: String,
        /// Of a change set: what is wrong with which change.
        violations: Vec<Value>,
    },
    /// The server was not reached or did not answer in time.
    #[error("the server at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// The request could not be made.
    #[error("{0}")]
    Unsendable(String),
    /// The answer is no JSON.
    #[error("the server's answer to {path} cannot be read: {reason}")]
    Unreadable {
        /// Path of the call.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl CallError {
    /// Whether the server said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// What is wrong with the changes of a set: objects with `index`, `path`, `message` and `type`.
    pub fn violations(&self) -> &[Value] {
        match self {
            Self::Refused { violations, .. } => violations,
            _ => &[],
        }
    }

    /// Whether the server looked at the request and refused it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    server: String,
    base: String,
    http: reqwest::Client,
    credentials: Credentials,
}

impl Client {
    /// A client of a server, with the credentials in the environment. Nothing is sent yet.
    ///
    /// # Errors
    /// The HTTP client cannot be made, the authorities cannot be read, or a token would be sent in the clear.
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let credentials = Credentials::read(|name| std::env::var(name).ok());
        let builder = reqwest::Client::builder()
            .user_agent(concat!("ferromesh/", env!("CARGO_PKG_VERSION")))
            .timeout(TIME_LIMIT)
            // The control plane is named directly; a proxy between would also break loopback.
            .no_proxy();
        let (server, base, builder) = match &connection.server {
            Server::Http(url) if url.starts_with("https:") => {
                let trust = trust::config(connection.ca.as_deref())?;
                (url.clone(), url.clone(), builder.use_preconfigured_tls(trust))
            }
            Server::Http(url) => {
                anyhow::ensure!(
                    !credentials.is_token() || is_loopback(url),
                    "FERROMESH_TOKEN is set, and {url} is neither https nor of this machine: the token would be sent in the clear"
                );
                (url.clone(), url.clone(), builder)
            }
            Server::Unix(path) => (
                format!("unix://{}", path.display()),
                "http://localhost".to_owned(),
                builder.unix_socket(path.as_path()),
            ),
        };
        Ok(Self {
            server,
            base,
            http: builder.build()?,
            credentials,
        })
    }

    /// `GET`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    /// `PUT` with a JSON body.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::POST, path, None).await
    }

    /// `POST` of a question that changes nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ask(&self, path: &str, question: &Value) -> Result<Value, CallError> {
        self.call(Method::POST, path, Some(question)).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::DELETE, path, None).await
    }

    /// All pages of a list: `member` is the list's name in the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, path: &str, member: &str) -> Result<Vec<Value>, CallError> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        loop {
            // As long as the server makes them by itself: lists of tags have shorter pages than others.
            let mut page_path = path.to_owned();
            if let Some(token) = &token {
                let separator = if path.contains('?') { '&' } else { '?' };
                page_path.push_str(&format!("{separator}nextToken={}", super::paths::component(token)));
            }
            let mut page = self.get(&page_path).await?;
            items.extend(taken(&mut page, member, page_path)?);
            token = page.get("nextToken").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() {
                return Ok(items);
            }
        }
    }

    /// A list of our own API, which has no pages.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list_at_once(&self, path: &str, member: &str) -> Result<Vec<Value>, CallError> {
        let mut answer = self.get(path).await?;
        taken(&mut answer, member, path.to_owned())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CallError> {
        let unreachable = |error: reqwest::Error| CallError::Unreachable {
            server: self.server.clone(),
            reason: root_cause(&error),
        };
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut request = request.build().map_err(unreachable)?;
        let added = self.credentials.add(&mut request);
        added.map_err(|error| CallError::Unsendable(format!("{error:#}")))?;
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let error_type = response
            .headers()
            .get("x-amzn-errortype")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let bytes = response.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(refusal(status, error_type, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| CallError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }
}

fn is_loopback(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn taken(answer: &mut Value, member: &str, path: String) -> Result<Vec<Value>, CallError> {
    match answer.get_mut(member).map(Value::take) {
        Some(Value::Array(found)) => Ok(found),
        _ => Err(CallError::Unreadable {
            path,
            reason: format!("it has no list {member}"),
        }),
    }
}

/// App Mesh's error: the type in a header, before a colon; the message in the body.
fn refusal(status: StatusCode, error_type: Option<String>, body: &[u8]) -> CallError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let member = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let kind = error_type
        .or_else(|| member("code"))
        .map(|kind| kind.split(':').next().unwrap_or_default().to_owned())
        .filter(|kind| !kind.is_empty())
        .unwrap_or_else(|| status.to_string());
    let message = member("message").unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        text.trim().chars().take(500).collect()
    });
    let violations = json
        .as_ref()
        .and_then(|json| json.get("violations")?.as_array().cloned());
    CallError::Refused {
        status,
        kind,
        message,
        violations: violations.unwrap_or_default(),
    }
}

/// The innermost error says what happened; the outer ones repeat the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_of_a_server_address() {
        assert_eq!("http://a:1/".parse(), Ok(Server::Http("http://a:1".into())));
        assert_eq!("unix:///x".parse(), Ok(Server::Unix("/x".into())));
        assert_eq!("https://a:1/".parse(), Ok(Server::Http("https://a:1".into())));
        for text in ["", "a:1", "ftp://a", "unix://x"] {
            assert!(text.parse::<Server>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        assert!(is_loopback("http://[::1]:1") && is_loopback("http://127.0.0.9") && is_loopback("http://localhost:1"));
        assert!(!is_loopback("http://127.0.0.1.example.com") && !is_loopback("http://10.0.0.1"));
    }

    #[test]
    fn a_refusal_is_app_meshs_type_and_message() {
        let error = refusal(
            StatusCode::NOT_FOUND,
            Some("NotFoundException:http://x".into()),
            br#"{"message":"no mesh"}"#,
        );
        assert_eq!(error.to_string(), "NotFoundException: no mesh");
        assert!(error.is_not_found());
        let error = refusal(StatusCode::BAD_GATEWAY, None, b"<html>");
        assert_eq!(error.to_string(), "502 Bad Gateway: <html>");
    }
}
