//! The discovery messages as they are on the wire, reduced to what the server reads and writes.
//!
//! An Envoy sends the list of all its extensions with its node, about 50 kB. Fields that are not named
//! here are skipped by the decoder without allocating; the field numbers are those of
//! `envoy/service/discovery/v3/discovery.proto` and `envoy/config/core/v3/base.proto`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::resource::Resource;
use crate::stream::{Rejection, Request, Response, Subscribe};

/// `envoy.config.core.v3.Node`
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Identifies the proxy.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The group that the proxy belongs to.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// Free-form: an encoded `google.protobuf.Struct`, which takes many times the room when it is read, and is only read when it is
    /// known to be small.
    #[prost(bytes = "bytes", tag = "3")]
    pub metadata: Bytes,
    /// `envoy`, `gRPC C-core` …
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
    /// The version as text.
    #[prost(string, tag = "7")]
    pub user_agent_version: String,
    /// The version in parts: what Envoy sends.
    #[prost(message, optional, tag = "8")]
    pub user_agent_build_version: Option<BuildVersion>,
}

/// `envoy.config.core.v3.BuildVersion`
#[derive(Clone, PartialEq, Message)]
pub struct BuildVersion {
    /// The parts.
    #[prost(message, optional, tag = "1")]
    pub version: Option<SemanticVersion>,
}

/// `envoy.type.v3.SemanticVersion`
#[derive(Clone, PartialEq, Message)]
pub struct SemanticVersion {
    /// Major.
    #[prost(uint32, tag = "1")]
    pub major_number: u32,
    /// Minor.
    #[prost(uint32, tag = "2")]
    pub minor_number: u32,
    /// Patch.
    #[prost(uint32, tag = "3")]
    pub patch: u32,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// A gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What the proxy has to say.
    #[prost(string, tag = "2")]
    pub message: String,
}

impl From<Status> for Rejection {
    fn from(status: Status) -> Self {
        Self {
            code: status.code,
            message: status.message,
        }
    }
}

/// `envoy.service.discovery.v3.DiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DiscoveryRequest {
    /// The version that the client has accepted last.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// Present at least in the first request of a stream.
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    /// Everything that the client subscribes to.
    #[prost(string, repeated, tag = "3")]
    pub resource_names: Vec<String>,
    /// The type.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// The response that this answers.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// Why the client has refused the response.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<Status>,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryRequest {
    /// Present at least in the first request of a stream.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names to add to the subscription.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Names to take from the subscription.
    #[prost(string, repeated, tag = "4")]
    pub resource_names_unsubscribe: Vec<String>,
    /// What the client has from an earlier stream.
    #[prost(map = "string, string", tag = "5")]
    pub initial_resource_versions: HashMap<String, String>,
    /// The response that this answers.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// Why the client has refused the response.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<Status>,
}

impl From<DiscoveryRequest> for Request {
    fn from(request: DiscoveryRequest) -> Self {
        Self {
            node: request.node.map(Into::into),
            type_url: request.type_url,
            nonce: request.response_nonce,
            rejection: request.error_detail.map(Into::into),
            subscribe: Subscribe::StateOfTheWorld {
                version: request.version_info,
                names: request.resource_names,
            },
        }
    }
}

impl From<DeltaDiscoveryRequest> for Request {
    fn from(request: DeltaDiscoveryRequest) -> Self {
        Self {
            node: request.node.map(Into::into),
            type_url: request.type_url,
            nonce: request.response_nonce,
            rejection: request.error_detail.map(Into::into),
            subscribe: Subscribe::Delta {
                subscribe: request.resource_names_subscribe,
                unsubscribe: request.resource_names_unsubscribe,
                initial_versions: request.initial_resource_versions,
            },
        }
    }
}

/// `envoy.config.core.v3.ControlPlane`
#[derive(Clone, PartialEq, Message)]
struct ControlPlane {
    #[prost(string, tag = "1")]
    identifier: String,
}

/// `DiscoveryResponse` without its resources.
#[derive(Clone, PartialEq, Message)]
struct StateOfTheWorldHead {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
    #[prost(message, optional, tag = "6")]
    control_plane: Option<ControlPlane>,
}

/// `DeltaDiscoveryResponse` without its resources.
#[derive(Clone, PartialEq, Message)]
struct DeltaHead {
    #[prost(string, tag = "1")]
    system_version_info: String,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
    #[prost(string, repeated, tag = "6")]
    removed_resources: Vec<String>,
    #[prost(message, optional, tag = "7")]
    control_plane: Option<ControlPlane>,
}

/// A resource from this size on travels in its own buffer, without being copied.
const SHARED_FROM_BYTES: usize = 4 * 1024;
/// Smaller ones are gathered up to this size: one HTTP/2 frame.
const GATHER_BYTES: usize = 16 * 1024;

/// Encodes a response as gRPC wants it, length prefix included. Concatenated, the buffers are the
/// message; fields of a protobuf message may come in any order and messages may be concatenated, so the
/// head is encoded and the shared resources follow it.
pub(crate) fn encode(response: Response, identifier: &str) -> Buffers {
    let control_plane = (!identifier.is_empty()).then(|| ControlPlane {
        identifier: identifier.to_owned(),
    });
    let is_delta = response.removed.is_some();
    let head = match &response.removed {
        Some(removed) => DeltaHead {
            system_version_info: response.version,
            type_url: response.type_url.to_string(),
            nonce: response.nonce,
            removed_resources: removed.iter().map(|name| name.to_string()).collect(),
            control_plane,
        }
        .encode_to_vec(),
        None => StateOfTheWorldHead {
            version_info: response.version,
            type_url: response.type_url.to_string(),
            nonce: response.nonce,
            control_plane,
        }
        .encode_to_vec(),
    };
    Buffers::new(&head, response.resources, is_delta)
}

/// The buffers of a message, made when they are asked for: a response is copied to nowhere but the buffer that goes next,
/// however slowly it is read.
#[derive(Default)]
pub(crate) struct Buffers {
    /// Prefix and head, until they have gone.
    head: BytesMut,
    resources: std::vec::IntoIter<Arc<Resource>>,
    is_delta: bool,
    /// What is left of a resource.
    fields: VecDeque<Bytes>,
    /// Bytes that have not gone yet.
    left: usize,
}

impl Buffers {
    fn new(head: &[u8], resources: Vec<Arc<Resource>>, is_delta: bool) -> Self {
        let mut buffers = Self {
            resources: resources.into_iter(),
            is_delta,
            ..Self::default()
        };
        let all = buffers.resources.as_slice().iter();
        let fields: usize = match is_delta {
            true => all.map(|resource| resource.encoded_len()).sum(),
            false => all
                .flat_map(|resource| resource.as_state_of_the_world_field())
                .map(|field| field.len())
                .sum(),
        };
        let len = head.len() + fields;
        buffers.left = 5 + len;
        buffers.head = buffers.gather();
        // gRPC's prefix: not compressed, length. Responses never reach 4 GiB: they are cut far below.
        buffers.head.put_u8(0);
        buffers.head.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
        buffers.head.put_slice(head);
        buffers
    }

    /// Room for as much as may be gathered.
    fn gather(&self) -> BytesMut {
        BytesMut::with_capacity(self.left.min(GATHER_BYTES + SHARED_FROM_BYTES))
    }

    fn next_field(&mut self) -> Option<Bytes> {
        while self.fields.is_empty() {
            let resource = self.resources.next()?;
            match self.is_delta {
                true => self.fields.extend(resource.as_delta_field()),
                false => self.fields.extend(resource.as_state_of_the_world_field()),
            }
        }
        self.fields.pop_front()
    }
}

impl Iterator for Buffers {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut gather = std::mem::take(&mut self.head);
        while gather.len() < GATHER_BYTES {
            let Some(field) = self.next_field() else { break };
            if field.len() < SHARED_FROM_BYTES {
                if gather.capacity() == 0 {
                    gather = self.gather();
                }
                gather.put_slice(&field);
            } else if gather.is_empty() {
                self.left -= field.len();
                return Some(field);
            } else {
                self.fields.push_front(field);
                break;
            }
        }
        self.left -= gather.len();
        (!gather.is_empty()).then(|| gather.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Piece};
    use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse};

    fn response(removed: Option<Vec<Arc<str>>>) -> Response {
        let small = (0..200).map(|number| {
            let name: Arc<str> = format!("r{number}").into();
            Arc::new(Resource::encode("type/T", name, &vec![7; number]))
        });
        let pieces = [30, 90_000, 100, 0, 5_000, 60].map(|len| Piece::new(vec![9; len].into()));
        let rope = Arc::new(Resource::new("type/T", "rope".into(), &Content::of(pieces.into())));
        Response {
            type_url: "type/T".into(),
            nonce: "1".into(),
            version: "v".into(),
            resources: small.chain([rope]).collect(),
            removed,
        }
    }

    #[test]
    fn the_buffers_are_the_message_and_none_is_gathered_beyond_a_frame() {
        for removed in [None, Some(vec!["gone".into()])] {
            let is_delta = removed.is_some();
            let buffers: Vec<Bytes> = encode(response(removed), "me").collect();
            assert!(buffers.iter().all(|buffer| !buffer.is_empty()));
            let gathered = buffers.iter().filter(|buffer| buffer.len() != 90_000);
            assert!(gathered.clone().count() > 2);
            for buffer in gathered {
                assert!(buffer.len() <= GATHER_BYTES + SHARED_FROM_BYTES, "{}", buffer.len());
            }
            let whole = buffers.concat();
            let (prefix, message) = whole.split_at(5);
            assert_eq!(prefix[0], 0);
            assert_eq!(
                u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize,
                message.len()
            );
            let values: Vec<usize> = if is_delta {
                let response = DeltaDiscoveryResponse::decode(message).unwrap();
                assert_eq!(response.removed_resources, ["gone"]);
                let of = response.resources.into_iter();
                of.map(|resource| resource.resource.unwrap().value.len()).collect()
            } else {
                let response = DiscoveryResponse::decode(message).unwrap();
                response.resources.into_iter().map(|any| any.value.len()).collect()
            };
            assert_eq!(values, (0..200).chain([95_190]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_large_goes_from_where_it_lies() {
        let response = response(None);
        let large: Vec<*const u8> = response.resources[200]
            .as_delta_field()
            .filter(|field| field.len() >= SHARED_FROM_BYTES)
            .map(|field| field.as_ptr())
            .collect();
        assert_eq!(large.len(), 2);
        let sent: Vec<*const u8> = encode(response, "").map(|buffer| buffer.as_ptr()).collect();
        assert!(large.iter().all(|address| sent.contains(address)));
    }
}
