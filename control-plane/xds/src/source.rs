//! Where a proxy's snapshots come from, and who may have them.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tonic::Status;

use crate::node::NodeInfo;
use crate::peer::Peer;
use crate::snapshot::Snapshot;

/// A stream on which somebody has said who they are.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// What they say of themselves: nothing in it is proven.
    pub node: &'a NodeInfo,
    /// What the transport knows of them; `None`: whoever accepted the connection did not say.
    pub peer: Option<&'a Peer>,
    /// The stream's number, as in [`crate::Event::stream`].
    pub stream: u64,
    /// Whether they say, by their first request, that they hold nothing from another stream.
    pub comes_empty: bool,
}

impl<'a> Applicant<'a> {
    /// Somebody on this machine: for those who ask without a stream.
    pub fn local(node: &'a NodeInfo) -> Self {
        Self {
            node,
            peer: Some(&Peer::Local),
            stream: 0,
            comes_empty: false,
        }
    }
}

/// What a stream is given.
#[derive(Debug)]
pub struct Subscription {
    /// The present and future snapshots. `None` is "not there yet": the stream is held for [`crate::Config::hold`]. After
    /// a snapshot was there, `None` keeps it. When the sender is dropped, the stream ends with `UNAVAILABLE` and the proxy
    /// comes again.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Ends the stream with the status that comes here: for who may no longer have what they were given. A sender that is
    /// dropped ends nothing.
    pub end: Option<oneshot::Receiver<Status>>,
}

impl From<watch::Receiver<Option<Arc<Snapshot>>>> for Subscription {
    fn from(snapshots: watch::Receiver<Option<Arc<Snapshot>>>) -> Self {
        Self { snapshots, end: None }
    }
}

/// Where a proxy's snapshots come from.
pub trait SnapshotSource: Send + Sync + 'static {
    /// The snapshots of the proxy that somebody says they are.
    ///
    /// # Errors
    /// Ends the stream with that status: whoever may not have a snapshot is refused here.
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status>;
}
