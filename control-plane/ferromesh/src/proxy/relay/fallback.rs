//! Serves the last good configuration while no control plane is there.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use ferromesh_xds::{
    AggregatedDiscoveryService, Applicant, Config, DeliveryObserver, Event, SnapshotSource, Subscription,
};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tonic::Status;

use super::{frames::Messages, memory::Memory, uplink::Uplink};

/// The discovery service over what is remembered. Its streams end when a control plane is there again.
pub(super) fn service(memory: Arc<Memory>, uplink: Uplink) -> AggregatedDiscoveryService {
    let config = Config {
        identifier: "ferromesh last good configuration".to_owned(),
        // Envoys of one agent: one, and its successor.
        max_streams: 64,
        ..Config::default()
    };
    ferromesh_xds::service(Arc::new(Remembered { memory, uplink }), Arc::new(Unobserved), config)
}

struct Remembered {
    memory: Arc<Memory>,
    uplink: Uplink,
}

impl SnapshotSource for Remembered {
    fn subscribe(&self, applicant: &Applicant<'_>) -> Result<Subscription, Status> {
        let (asked, owner) = (applicant.node, self.memory.owner());
        if asked.id != owner.id || asked.cluster != owner.cluster {
            return Err(Status::permission_denied(format!(
                "this agent is of node `{}`: it has nothing for node `{}`",
                owner.id, asked.id
            )));
        }
        let snapshots = self.memory.served();
        if snapshots.borrow().is_none() {
            return Err(Status::unavailable("there is no last good configuration"));
        }
        let (mut end, ended) = oneshot::channel();
        let uplink = self.uplink.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = uplink.up() => {
                    // The stream may have ended at this moment.
                    let _ = end.send(Status::ok("a control plane is there again"));
                }
                () = end.closed() => {}
            }
        });
        Ok(Subscription {
            snapshots,
            end: Some(ended),
        })
    }
}

/// The service logs what matters here.
struct Unobserved;

impl DeliveryObserver for Unobserved {
    fn on(&self, _: &Event<'_>) {}
}

/// Requests with initial versions have this size at most: the service's own limit.
const MESSAGE_LIMIT: usize = 4 << 20;

/// The requests of a stream (delta) that is served from here, read before the service reads them: what Envoy holds of the
/// control plane's last offers is good, and must not be taken back.
pub(super) struct Ahead {
    body: Incoming,
    messages: Option<Messages>,
    memory: Arc<Memory>,
    /// Waits until the service has seen what changed through it.
    held_back: Option<Frame<Bytes>>,
}

impl Ahead {
    pub fn of(body: Incoming, memory: Arc<Memory>) -> Self {
        Self {
            body,
            messages: Some(Messages::up_to(MESSAGE_LIMIT)),
            memory,
            held_back: None,
        }
    }

    /// Whether more is good after this frame.
    fn read(&mut self, frame: &Frame<Bytes>) -> bool {
        let (Some(messages), Some(data)) = (&mut self.messages, frame.data_ref()) else {
            return false;
        };
        let mut has_changed = false;
        let memory = &self.memory;
        if messages
            .feed(data.clone(), |message| has_changed |= memory.on_held(message))
            .is_err()
        {
            // The service says what is wrong with it.
            self.messages = None;
        }
        has_changed
    }
}

impl Body for Ahead {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(frame) = this.held_back.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = polled {
            if !this.read(&frame) {
                return Poll::Ready(Some(Ok(frame)));
            }
            // The service looks at requests first and at snapshots when there is none.
            this.held_back = Some(frame);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.held_back.is_none() && self.body.is_end_stream()
    }
}
