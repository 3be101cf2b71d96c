//! Streams that ask for too much: well-formed HTTP/2 and gRPC, and nothing that a good proxy would say.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes, BytesMut};
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::StreamExt;

use super::{frames, HOLD};
use crate::way::Way;
use crate::wire::{DeltaRequest, DeltaResponse, Node, Status};

const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/// As many names as a server takes, together just below 2 MiB.
const NAMES: usize = 10_000;
const NAME_LENGTH: usize = 200;
/// Just below what a server takes as one message.
const LARGE: usize = 4 * 1024 * 1024 - 4096;
/// Streams of one connection.
const STREAMS: usize = 16;

type Requests = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;
type Body = StreamBody<ReceiverStream<Result<Frame<Bytes>, Infallible>>>;

/// One connection for many streams.
async fn connect(way: &Way) -> Result<SendRequest<Body>> {
    let stream = TokioIo::new(way.open().await?);
    let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(stream).await?;
    // It ends with the last stream.
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens a stream.
async fn open(way: &Way, sender: &mut SendRequest<Body>) -> Result<(Requests, Incoming)> {
    let (requests, receiver) = mpsc::channel(4);
    let request = hyper::Request::post(format!("http://{}{DELTA}", way.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(ReceiverStream::new(receiver)))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    Ok((requests, answer.into_body()))
}

fn node(id: &str) -> Option<Node> {
    Some(Node {
        id: id.to_owned(),
        cluster: "load".to_owned(),
        metadata: Bytes::new(),
        user_agent_name: "hostile".to_owned(),
    })
}

/// A message behind its length (gRPC over HTTP/2, length-prefixed).
fn prefixed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // There is room.
    let _ = message.encode(&mut bytes);
    bytes.freeze()
}

async fn send(requests: &Requests, bytes: Bytes) -> Result<()> {
    let sent = requests.send(Ok(Frame::data(bytes))).await;
    sent.ok().context("the stream is over")
}

/// Asks for every type on so many streams, as bytes of a connection.
pub(super) fn everything(authority: &str, id: &str, streams: u32) -> Vec<u8> {
    let mut bytes = frames::beginning(i32::MAX as u32);
    for number in 0..streams {
        // Clients' streams have odd numbers.
        let stream = 2 * number + 1;
        bytes.extend(frames::call(stream, authority, DELTA));
        for (type_url, names) in [
            (CLUSTER, vec![]),
            (LISTENER, vec![]),
            (ENDPOINT, vec!["*".to_owned()]),
            (ROUTE, vec!["*".to_owned()]),
        ] {
            let ask = DeltaRequest {
                node: node(id),
                type_url: type_url.to_owned(),
                resource_names_subscribe: names,
                ..DeltaRequest::default()
            };
            bytes.extend(frames::data(stream, &prefixed(&ask)));
        }
    }
    bytes
}

/// Other names with every request, as fast as they are taken.
pub(super) async fn flood(way: &Way, id: &str) -> Result<()> {
    let mut sender = connect(way).await?;
    let (requests, mut body) = open(way, &mut sender).await?;
    let reading = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    let flooding = async {
        let mut before = Vec::new();
        for number in 0_u64.. {
            let names: Vec<String> = (0..50).map(|name| format!("flood-{number}-{name}")).collect();
            let ask = DeltaRequest {
                node: node(id),
                type_url: ENDPOINT.to_owned(),
                resource_names_unsubscribe: std::mem::replace(&mut before, names.clone()),
                resource_names_subscribe: names,
                ..DeltaRequest::default()
            };
            if send(&requests, prefixed(&ask)).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = flooding => {}
        () = tokio::time::sleep(HOLD) => {}
    }
    Ok(())
}

/// Asks for everything and refuses it, at once and every time.
pub(super) async fn reject(way: &Way, id: &str) -> Result<()> {
    let mut sender = connect(way).await?;
    let (requests, body) = open(way, &mut sender).await?;
    for type_url in [CLUSTER, LISTENER] {
        let ask = DeltaRequest {
            node: node(id),
            type_url: type_url.to_owned(),
            ..DeltaRequest::default()
        };
        send(&requests, prefixed(&ask)).await?;
    }
    let mut unread = BytesMut::new();
    let mut frames = body.into_data_stream();
    let until = tokio::time::Instant::now() + HOLD;
    while let Ok(Some(Ok(bytes))) = tokio::time::timeout_at(until, frames.next()).await {
        unread.extend_from_slice(&bytes);
        while let Some(response) = message(&mut unread) {
            let refuse = DeltaRequest {
                type_url: response.type_url,
                response_nonce: response.nonce,
                error_detail: Some(Status {
                    code: 3,
                    message: "never".to_owned(),
                }),
                ..DeltaRequest::default()
            };
            send(&requests, prefixed(&refuse)).await?;
        }
    }
    Ok(())
}

/// The first message of what was read, when it is there as a whole.
fn message(unread: &mut BytesMut) -> Option<DeltaResponse> {
    let length = u32::from_be_bytes(unread.get(1..5)?.try_into().ok()?) as usize;
    if unread.len() < 5 + length {
        return None;
    }
    let bytes = unread.split_to(5 + length).split_off(5);
    DeltaResponse::decode(bytes.freeze()).ok()
}

/// As many names as may be, on many streams of one connection, held.
pub(super) async fn many_names(way: &Way, id: &str) -> Result<()> {
    let names = (0..NAMES).map(|number| format!("{number:0NAME_LENGTH$}")).collect();
    let ask = DeltaRequest {
        node: node(id),
        type_url: ENDPOINT.to_owned(),
        resource_names_subscribe: names,
        ..DeltaRequest::default()
    };
    hold(way, prefixed(&ask)).await
}

/// A node with metadata of small parts: what is 4 MB on the wire is many times as much when it is read.
pub(super) async fn huge_metadata(way: &Way, id: &str) -> Result<()> {
    // Entries of a map: `fields` (1) of a key (1) and a value (2) with `null_value` (1).
    let mut metadata = BytesMut::with_capacity(LARGE);
    for number in 0_u32.. {
        let key = format!("{number:x}");
        let length = u8::try_from(key.len()).unwrap_or_default();
        if metadata.len() + key.len() + 10 > LARGE - 1024 {
            break;
        }
        metadata.put_slice(&[0x0a, length + 6, 0x0a, length]);
        metadata.put_slice(key.as_bytes());
        metadata.put_slice(&[0x12, 2, 0x08, 0]);
    }
    let mut node = node(id);
    if let Some(node) = &mut node {
        node.metadata = metadata.freeze();
    }
    let ask = DeltaRequest {
        node,
        type_url: CLUSTER.to_owned(),
        ..DeltaRequest::default()
    };
    hold(way, prefixed(&ask)).await
}

/// All of a large message but its end.
pub(super) async fn half_message(way: &Way) -> Result<()> {
    let mut bytes = BytesMut::with_capacity(LARGE);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(LARGE).unwrap_or_default());
    bytes.resize(LARGE - 10, 0);
    hold(way, bytes.freeze()).await
}

/// The same bytes on many streams of one connection, which are then held, and read.
async fn hold(way: &Way, bytes: Bytes) -> Result<()> {
    let mut sender = connect(way).await?;
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let (requests, mut body) = open(way, &mut sender).await?;
        let bytes = bytes.clone();
        streams.spawn(async move {
            let _ = send(&requests, bytes).await;
            while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        });
    }
    let all = async { while streams.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(HOLD, all).await;
    Ok(())
}

/// Asks for everything, and leaves with the first bytes of the answer.
pub(super) async fn glance(way: &Way, id: &str) -> Result<()> {
    let mut sender = connect(way).await?;
    let (requests, mut body) = open(way, &mut sender).await?;
    for type_url in [CLUSTER, LISTENER] {
        let ask = DeltaRequest {
            node: node(id),
            type_url: type_url.to_owned(),
            ..DeltaRequest::default()
        };
        send(&requests, prefixed(&ask)).await?;
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), body.frame()).await;
    Ok(())
}
