//! The discovery messages as they are on the wire, reduced to what the server reads and writes.
//!
//! An Envoy sends the list of all its extensions with its node, about 50 kB. Fields that are not named
//! here are skipped by the decoder without allocating; the field numbers are those of
//! `envoy/service/discovery/v3/discovery.proto` and `envoy/config/core/v3/base.proto`.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::pb::google::protobuf::Struct;
use prost::Message;

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
    /// Free-form.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<Struct>,
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
pub(crate) fn encode(response: &Response, identifier: &str) -> Vec<Bytes> {
    let control_plane = (!identifier.is_empty()).then(|| ControlPlane {
        identifier: identifier.to_owned(),
    });
    let is_delta = response.removed.is_some();
    let head = match &response.removed {
        Some(removed) => DeltaHead {
            system_version_info: response.version.clone(),
            type_url: response.type_url.to_string(),
            nonce: response.nonce.clone(),
            removed_resources: removed.iter().map(|name| name.to_string()).collect(),
            control_plane,
        }
        .encode_to_vec(),
        None => StateOfTheWorldHead {
            version_info: response.version.clone(),
            type_url: response.type_url.to_string(),
            nonce: response.nonce.clone(),
            control_plane,
        }
        .encode_to_vec(),
    };
    let fields: Vec<Bytes> = response
        .resources
        .iter()
        .map(|r| {
            if is_delta {
                r.as_delta_field()
            } else {
                r.as_state_of_the_world_field()
            }
        })
        .collect();
    frame(&head, &fields)
}

fn frame(head: &[u8], fields: &[Bytes]) -> Vec<Bytes> {
    let len = head.len() + fields.iter().map(Bytes::len).sum::<usize>();
    let small: usize = fields
        .iter()
        .map(Bytes::len)
        .filter(|len| *len < SHARED_FROM_BYTES)
        .sum();
    let mut buffers = Vec::new();
    let mut gather = BytesMut::with_capacity((5 + head.len() + small).min(GATHER_BYTES + SHARED_FROM_BYTES));
    // gRPC's prefix: not compressed, length. Responses never reach 4 GiB: they are cut far below.
    gather.put_u8(0);
    gather.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
    gather.put_slice(head);
    for field in fields {
        if field.len() >= SHARED_FROM_BYTES {
            if !gather.is_empty() {
                buffers.push(gather.split().freeze());
            }
            buffers.push(field.clone());
        } else {
            gather.put_slice(field);
            if gather.len() >= GATHER_BYTES {
                buffers.push(gather.split().freeze());
            }
        }
    }
    if !gather.is_empty() {
        buffers.push(gather.freeze());
    }
    buffers
}
