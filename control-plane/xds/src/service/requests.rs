//! Requests from the wire.

use tonic::codec::{BufferSettings, DecodeBuf, Decoder, Streaming};
use tonic::Status;

use crate::stream::{Protocol, Request};
use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest};
use prost::Message as _;

/// Whether the request is one that we can read.
pub(super) fn check(headers: &http::HeaderMap) -> Result<(), Status> {
    match headers.get("grpc-encoding").map(http::HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            let mut status = Status::unimplemented(format!(
                "header `grpc-encoding` is `{other}`, and only `identity` is supported"
            ));
            status.metadata_mut().insert(
                "grpc-accept-encoding",
                tonic::metadata::MetadataValue::from_static("identity"),
            );
            Err(status)
        }
    }
}

/// The requests of one stream.
pub(super) struct Requests(Streaming<Request>);

impl Requests {
    pub fn new<B>(protocol: Protocol, body: B, max_bytes: usize) -> Self
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        Self(Streaming::new_request(
            RequestDecoder(protocol),
            body,
            None,
            Some(max_bytes),
        ))
    }

    /// The next request; `None` when the client has closed its side. Safe to cancel.
    pub async fn next(&mut self) -> Result<Option<Request>, Status> {
        self.0.message().await
    }
}

struct RequestDecoder(Protocol);

impl Decoder for RequestDecoder {
    type Item = Request;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Request>, Status> {
        let decoded = match self.0 {
            Protocol::StateOfTheWorld => DiscoveryRequest::decode(src).map(Request::from),
            Protocol::Delta => DeltaDiscoveryRequest::decode(src).map(Request::from),
        };
        decoded
            .map(Some)
            .map_err(|e| Status::invalid_argument(format!("the request cannot be decoded: {e}")))
    }

    /// A stream idles most of its life: it should not keep much.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 32 * 1024)
    }
}
