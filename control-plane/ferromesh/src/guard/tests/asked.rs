//! The first request of a discovery stream, as a client writes it: only what these tests say in it, with the field numbers of
//! `envoy/service/discovery/v3/discovery.proto`.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use prost::Message;

/// `envoy.config.core.v3.Node`
#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
}

/// `DiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
struct StateOfTheWorld {
    #[prost(message, optional, tag = "2")]
    node: Option<Node>,
    #[prost(string, repeated, tag = "3")]
    resource_names: Vec<String>,
    #[prost(string, tag = "4")]
    type_url: String,
}

/// `DeltaDiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
struct Delta {
    #[prost(message, optional, tag = "1")]
    node: Option<Node>,
    #[prost(string, tag = "2")]
    type_url: String,
    #[prost(string, repeated, tag = "3")]
    resource_names_subscribe: Vec<String>,
}

/// A stream on which one node asks for one name and then says no more.
pub(super) fn request(is_delta: bool, id: String, type_url: &str, name: String) -> http::Request<Full<Bytes>> {
    let (node, names, type_url) = (Some(Node { id }), vec![name], type_url.to_owned());
    let (path, message) = match is_delta {
        true => {
            let message = Delta {
                node,
                type_url,
                resource_names_subscribe: names,
            };
            ("DeltaAggregatedResources", message.encode_to_vec())
        }
        false => {
            let message = StateOfTheWorld {
                node,
                resource_names: names,
                type_url,
            };
            ("StreamAggregatedResources", message.encode_to_vec())
        }
    };
    let mut body = BytesMut::with_capacity(message.len() + 5);
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap());
    body.put_slice(&message);
    let mut request = http::Request::new(Full::new(body.freeze()));
    *request.uri_mut() = format!("http://x/envoy.service.discovery.v3.AggregatedDiscoveryService/{path}")
        .parse()
        .unwrap();
    let grpc = http::HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request
}
