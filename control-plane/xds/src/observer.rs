//! What happens on the streams, for whoever keeps a record of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::node::NodeInfo;
use crate::resource::Resource;
use crate::stream::{Protocol, Rejection};

/// Is told of everything that happens on the streams.
///
/// Called from the streams' own tasks: it must not block. Events of one stream come in their order;
/// `Connected` first and `Disconnected` last.
pub trait DeliveryObserver: Send + Sync + 'static {
    /// Something has happened.
    fn on(&self, event: &Event<'_>);
}

/// Something that has happened on a stream.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The proxy's `node.id`.
    pub proxy: &'a str,
    /// Tells apart the streams of this process, also those of one proxy.
    pub stream: u64,
    /// When.
    pub at: SystemTime,
    /// What.
    pub kind: EventKind<'a>,
}

/// What has happened.
#[derive(Debug, Clone, Copy)]
pub enum EventKind<'a> {
    /// A proxy has said who it is and may subscribe.
    Connected {
        /// What it says of itself.
        node: &'a NodeInfo,
        /// The variant of the protocol.
        protocol: Protocol,
    },
    /// The stream has ended.
    Disconnected {
        /// Why, when it was the server that ended it.
        reason: Option<&'a str>,
    },
    /// A response was handed to the transport. Whoever has seen no `Acked` or `Nacked` for it after some
    /// seconds looks at a proxy that is stuck, or, for clusters, at one that is still warming them: Envoy
    /// acknowledges clusters when they are resolved and have been checked once.
    Sent(Update<'a>),
    /// The proxy has taken it.
    Acked {
        /// The response.
        update: Update<'a>,
        /// From sending to the answer.
        after: Duration,
    },
    /// The proxy has refused it and keeps what it had.
    Nacked {
        /// The response.
        update: Update<'a>,
        /// From sending to the answer.
        after: Duration,
        /// The proxy's words.
        rejection: &'a Rejection,
    },
}

/// A response, as its observers see it.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// Its type.
    pub type_url: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What it brings.
    pub resources: &'a [Arc<Resource>],
    /// The names it removes.
    pub removed: &'a [Arc<str>],
}

/// Looks away.
impl DeliveryObserver for () {
    fn on(&self, _: &Event<'_>) {}
}

/// Tells both.
impl<A: DeliveryObserver, B: DeliveryObserver> DeliveryObserver for (A, B) {
    fn on(&self, event: &Event<'_>) {
        self.0.on(event);
        self.1.on(event);
    }
}

impl<A: DeliveryObserver + ?Sized> DeliveryObserver for Arc<A> {
    fn on(&self, event: &Event<'_>) {
        (**self).on(event);
    }
}
