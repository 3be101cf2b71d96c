//! A request, read into plain parts.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use http::{header, HeaderMap, Method};
use serde_json::{Map, Value};

use crate::access::Channel;
use crate::{percent, ApiError, ErrorKind, MayReport, ProvenProxy};

/// Bytes of a body over the limit that are read and thrown away, so that the client gets to see the answer instead of a
/// connection that breaks while it is still sending.
const DRAINED_BYTES: usize = 8 << 20;

/// The version that a client expects a resource to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Any: the resource exists.
    Any,
    /// This one.
    Version(u64),
}

impl Expected {
    /// Refuses a change of what has another version.
    pub(crate) fn check(self, what: &str, version: u64) -> Result<(), ApiError> {
        match self {
            Self::Version(expected) if expected != version => Err(ApiError::new(
                ErrorKind::Conflict,
                format!("{what} has version {version}, the request is for version {expected}: read it again"),
            )),
            Self::Any | Self::Version(_) => Ok(()),
        }
    }
}

/// A request whose body is within the limit.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path as it was sent, still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Host and port that it was sent to, where no header has them.
    pub(crate) host: Option<String>,
    pub(crate) channel: Channel,
    /// The proxy that the connection proves to be one's own, if anybody looked.
    pub(crate) proven: Option<ProvenProxy>,
    /// For whom the connection may report.
    pub(crate) may_report: Option<MayReport>,
}

impl Request {
    /// The decoded segments of the path.
    pub(crate) fn segments(&self) -> Result<Vec<String>, ApiError> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split('/')
            .map(|segment| {
                percent::decode(segment)
                    .ok_or_else(|| ApiError::bad_request(format!("path: {segment:?} is not percent-encoded UTF-8")))
            })
            .collect()
    }

    /// The decoded members of the query string; of a repeated member the first.
    pub(crate) fn query_members(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let mut members = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (percent::decode_query(name), percent::decode_query(value)) {
                (Some(name), Some(value)) => members.entry(name).or_insert(value),
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "query: {pair:?} is not percent-encoded UTF-8"
                    )))
                }
            };
        }
        Ok(members)
    }

    /// The header `If-Match`: a version, bare or in quotes as an entity tag, or `*`.
    pub(crate) fn if_match(&self) -> Result<Option<Expected>, ApiError> {
        let mut values = self.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default().trim();
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match (text, bare.unwrap_or(text).parse(), values.next()) {
            ("*", _, None) => Ok(Some(Expected::Any)),
            (_, Ok(version), None) => Ok(Some(Expected::Version(version))),
            _ => Err(ApiError::bad_request(format!(
                "If-Match: must be one version like 3 or \"3\", or *, is {value:?}"
            ))),
        }
    }

    /// The body as a JSON object; no body is an empty one.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(ApiError::bad_request("body: must be a JSON object")),
            Err(error) => Err(ApiError::bad_request(format!("body: is not valid JSON: {error}"))),
        }
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read_body<S, B, E>(stream: S, limit: usize) -> Result<Bytes, ApiError>
where
    S: futures_util::Stream<Item = Result<B, E>>,
    B: Buf,
    E: std::fmt::Display,
{
    use futures_util::StreamExt;
    let mut stream = std::pin::pin!(stream);
    let mut body = BytesMut::new();
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let mut chunk =
            chunk.map_err(|error| ApiError::bad_request(format!("body: cannot be read to its end: {error}")))?;
        length = length.saturating_add(chunk.remaining());
        if length > limit.saturating_add(DRAINED_BYTES) {
            break;
        }
        while length <= limit && chunk.has_remaining() {
            let part = chunk.chunk();
            let taken = part.len();
            body.extend_from_slice(part);
            chunk.advance(taken);
        }
    }
    if length > limit {
        return Err(ApiError::bad_request(format!("body: must have at most {limit} bytes")));
    }
    Ok(body.freeze())
}
