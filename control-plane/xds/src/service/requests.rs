//! Requests from the wire.

use envoy_types::pb::google::protobuf::Struct;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder, Streaming};
use tonic::Status;

use super::Config;
use crate::stream::{Protocol, Request};
use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest, Node};
use prost::{DecodeError, Message as _};

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
    pub fn new<B>(protocol: Protocol, body: B, config: &Config) -> Self
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        Self(Streaming::new_request(
            RequestDecoder {
                protocol,
                max_node_bytes: config.max_node_bytes,
            },
            body,
            None,
            Some(config.max_request_bytes),
        ))
    }

    /// The next request; `None` when the client has closed its side. Safe to cancel.
    pub async fn next(&mut self) -> Result<Option<Request>, Status> {
        self.0.message().await
    }
}

struct RequestDecoder {
    protocol: Protocol,
    max_node_bytes: usize,
}

impl RequestDecoder {
    /// A node is kept for as long as its stream, as JSON, which takes several times the room. Its metadata has not been read before.
    fn check_node(&self, node: Option<&Node>) -> Result<(), Status> {
        let (bytes, limit) = (node.map_or(0, Node::encoded_len), self.max_node_bytes);
        if bytes > limit {
            return Err(Status::resource_exhausted(format!(
                "field `node` has {bytes} bytes, its extensions apart, more than {limit}"
            )));
        }
        let metadata = node.map(|node| Struct::decode(node.metadata.clone()));
        let undecodable = |e| Status::invalid_argument(format!("field `node.metadata` cannot be decoded: {e}"));
        metadata.transpose().map(drop).map_err(undecodable)
    }
}

impl Decoder for RequestDecoder {
    type Item = Request;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Request>, Status> {
        let undecodable = |e: DecodeError| Status::invalid_argument(format!("the request cannot be decoded: {e}"));
        let request = match self.protocol {
            Protocol::StateOfTheWorld => {
                let request = DiscoveryRequest::decode(src).map_err(undecodable)?;
                self.check_node(request.node.as_ref())?;
                request.into()
            }
            Protocol::Delta => {
                let request = DeltaDiscoveryRequest::decode(src).map_err(undecodable)?;
                self.check_node(request.node.as_ref())?;
                request.into()
            }
        };
        Ok(Some(request))
    }

    /// A stream idles most of its life: it should not keep much.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 32 * 1024)
    }
}
