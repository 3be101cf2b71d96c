//! The gRPC service: `envoy.service.discovery.v3.AggregatedDiscoveryService`, both variants.
//!
//! A stream has no task and no queue of its own. Its response body is polled by the HTTP/2 connection
//! whenever there is room to send, and only then reads requests, looks at the newest snapshot and works
//! out a response. So a client that reads slowly costs nothing, and gets the newest state at once when it
//! goes on reading; and resources travel from the snapshot to the socket without being copied or encoded
//! again.

mod allowance;
mod config;
mod connection;
mod places;
mod recall;
mod requests;
mod waits;

use std::convert::Infallible;
use std::future::{ready, Ready};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use http_body_util::StreamBody;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::Status;
use tower::Service;

use crate::observer::DeliveryObserver;
use crate::peer::Peer;
use crate::source::SnapshotSource;
use crate::stream::Protocol;
use allowance::Allowance;
pub use config::Config;
use connection::Connection;
use places::Places;
use recall::Recall;

const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
const STATE_OF_THE_WORLD: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// The discovery service, to be added to a tonic router or called as a [`tower::Service`]. Clones share
/// their streams' count and end.
#[derive(Clone)]
pub struct AggregatedDiscoveryService {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn SnapshotSource>,
    observer: Arc<dyn DeliveryObserver>,
    config: Config,
    draining: watch::Sender<bool>,
    streams: Arc<Places>,
    /// Of new streams.
    admission: Mutex<Allowance>,
    recall: Recall,
    next_id: AtomicU64,
}

/// The discovery service over these snapshots.
pub fn service(
    source: Arc<dyn SnapshotSource>,
    observer: Arc<dyn DeliveryObserver>,
    config: Config,
) -> AggregatedDiscoveryService {
    // Nonces of an earlier process must not look like ours, so ids begin anywhere.
    let first_id = RandomState::new().hash_one(0) & 0xffff_ffff_0000;
    AggregatedDiscoveryService {
        shared: Arc::new(Shared {
            admission: Mutex::new(Allowance::new(
                config.new_stream_burst,
                config.new_streams_per_second,
                Instant::now(),
            )),
            recall: Recall::default(),
            source,
            observer,
            config,
            draining: watch::Sender::new(false),
            streams: Arc::default(),
            next_id: AtomicU64::new(first_id),
        }),
    }
}

impl AggregatedDiscoveryService {
    /// Ends every stream with status `OK`, at its next pause, and refuses new ones with `UNAVAILABLE`.
    /// Proxies keep what they have and connect elsewhere or again.
    pub fn drain(&self) {
        self.shared.draining.send_replace(true);
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.shared.streams.len()
    }

    fn open<B>(&self, protocol: Protocol, request: http::Request<B>) -> Result<Body, Status>
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        requests::check(request.headers())?;
        if *self.shared.draining.borrow() {
            return Err(Status::unavailable("the control plane is shutting down"));
        }
        let place = self.shared.streams.take(self.shared.config.max_streams)?;
        let now = Instant::now();
        let peer = request.extensions().get::<Peer>().cloned();
        let requests = requests::Requests::new(protocol, request.into_body(), &self.shared.config);
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Connection::new(self.shared.clone(), place, protocol, id, requests, peer, now);
        let frames = futures_util::stream::unfold(connection, |mut connection| async move {
            let frame = connection.next_frame().await?;
            Some((Ok::<_, Infallible>(frame), connection))
        });
        Ok(Body::new(StreamBody::new(frames)))
    }
}

impl tonic::server::NamedService for AggregatedDiscoveryService {
    const NAME: &'static str = SERVICE;
}

impl<B> Service<http::Request<B>> for AggregatedDiscoveryService
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let opened = match request.uri().path() {
            STATE_OF_THE_WORLD => self.open(Protocol::StateOfTheWorld, request),
            DELTA => self.open(Protocol::Delta, request),
            other => Err(Status::unimplemented(format!("{SERVICE} has no method `{other}`"))),
        };
        let response = match opened {
            Ok(body) => {
                let mut response = http::Response::new(body);
                let grpc = http::HeaderValue::from_static("application/grpc");
                response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
                response
            }
            Err(status) => status.into_http(),
        };
        ready(Ok(response))
    }
}
