//! The xDS layer: brings sealed snapshots to proxies over the aggregated discovery service, in the
//! state-of-the-world and the delta variant, and tells what became of them.
//!
//! ```text
//! Snapshot::seal   encodes each resource once, gives it a version, resolves references
//!      │ tokio::sync::watch, one for each proxy: a newer snapshot takes the place of an older
//! service          a tonic service without tasks and queues of its own
//!      │
//! stream::Stream   the protocol, without sockets: what goes next, in which order
//!      │
//! DeliveryObserver connected, sent, taken, refused, gone
//! ```
//!
//! Nothing here knows what is inside a resource, but for the addresses of listeners, of which a proxy cannot
//! have two alike; who may have which snapshot is the [`SnapshotSource`]'s business.
//!
//! ```
//! use std::sync::Arc;
//!
//! use ferromesh_xds::{type_url, Applicant, Config, DeliveryStatus, Snapshot, SnapshotSource, Subscription};
//! use tokio::sync::watch;
//!
//! /// The same for everyone.
//! struct One(watch::Sender<Option<Arc<Snapshot>>>);
//!
//! impl SnapshotSource for One {
//!     fn subscribe(&self, _: &Applicant<'_>) -> Result<Subscription, tonic::Status> {
//!         Ok(self.0.subscribe().into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let source = Arc::new(One(watch::Sender::new(None)));
//! let status = Arc::new(DeliveryStatus::default());
//! let discovery = ferromesh_xds::service(source.clone(), status.clone(), Config::default());
//!
//! // The message itself, as prost encodes it; the `Any` around it is made here.
//! let cluster = (type_url::CLUSTER, "blue", "an encoded Cluster".into());
//! source.0.send_replace(Some(Arc::new(Snapshot::seal([cluster], [])?)));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
//! let server = tonic::transport::Server::builder()
//!     .add_service(discovery.clone())
//!     .serve_with_incoming_shutdown(incoming, async {
//!         # return;
//!         tokio::signal::ctrl_c().await.ok();
//!     });
//! server.await?;
//! discovery.drain();
//! assert!(status.streams().is_empty());
//! # Ok(())
//! # }
//! ```

pub mod content;
/// The requests of both variants as far as they are read, for who passes streams on.
pub mod message {
    pub use crate::wire::{DeltaDiscoveryRequest, DiscoveryRequest, Node, Status};
}
pub mod node;
pub mod observer;
pub mod peer;
pub mod pool;
pub mod resource;
pub mod service;
pub mod snapshot;
pub mod source;
pub mod status;
pub mod stream;
pub mod type_url;
mod wire;

pub use content::{Content, Piece};
pub use node::NodeInfo;
pub use observer::{DeliveryObserver, Event, EventKind, Update};
pub use peer::Peer;
pub use pool::Pool;
pub use resource::{Resource, SetVersion, Version};
pub use service::{service, AggregatedDiscoveryService, Config};
pub use snapshot::{Reference, ResourceSet, SealError, Shrink, Snapshot};
pub use source::{Applicant, SnapshotSource, Subscription};
pub use status::DeliveryStatus;
