//! The xDS layer: delivers sealed snapshots to proxies over the aggregated discovery service.
pub mod node;
pub mod observer;
pub mod resource;
pub mod service;
pub mod snapshot;
pub mod status;
pub mod stream;
pub mod type_url;
pub mod wire;

pub use node::NodeInfo;
pub use observer::{DeliveryObserver, Event, EventKind, Update};
pub use resource::{Resource, SetVersion, Version};
pub use service::{service, AggregatedDiscoveryService, Config, SnapshotSource};
pub use snapshot::{Reference, ResourceSet, SealError, Shrink, Snapshot};
pub use status::DeliveryStatus;
