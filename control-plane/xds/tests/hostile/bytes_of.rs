//! Requests as bytes, and a request's body that gives them out as a test wants.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use http_body::Frame;
use prost::Message;

/// A message with gRPC's prefix.
pub fn framed(message: &[u8]) -> Bytes {
    let mut all = vec![0];
    all.extend_from_slice(&(message.len() as u32).to_be_bytes());
    all.extend_from_slice(message);
    all.into()
}

fn node() -> Option<Node> {
    Some(Node {
        id: "n".into(),
        ..Node::default()
    })
}

pub fn sotw(type_url: &str, names: &[String]) -> Bytes {
    let request = DiscoveryRequest {
        node: node(),
        type_url: type_url.into(),
        resource_names: names.to_vec(),
        ..Default::default()
    };
    framed(&request.encode_to_vec())
}

pub fn delta(type_url: &str, subscribe: &[String], unsubscribe: &[String]) -> Bytes {
    let request = DeltaDiscoveryRequest {
        node: node(),
        type_url: type_url.into(),
        resource_names_subscribe: subscribe.to_vec(),
        resource_names_unsubscribe: unsubscribe.to_vec(),
        ..Default::default()
    };
    framed(&request.encode_to_vec())
}

/// Gives one piece each time it is asked, then nothing for ever: the client is still there.
pub struct Pieces<I> {
    pieces: I,
    /// How many were given.
    pub given: Arc<AtomicUsize>,
    ends: bool,
}

impl<I: Iterator<Item = Bytes> + Unpin> Pieces<I> {
    pub fn new(pieces: I) -> Self {
        Self {
            pieces,
            given: Arc::default(),
            ends: false,
        }
    }

    /// The client closes its side after the last piece.
    pub fn ending(pieces: I) -> Self {
        Self {
            ends: true,
            ..Self::new(pieces)
        }
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.pieces.next() {
            Some(piece) => {
                self.given.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
