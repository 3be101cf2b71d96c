//! The last good configuration as the tasks of one agent share it: told by whoever passes messages on, read by whoever
//! writes it to disk or serves it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use ferromesh_xds::{stream::Protocol, type_url, Snapshot};
use prost::Message;
use tokio::sync::watch;

use super::{
    file::{Image, Owner, SIZE_LIMIT},
    last_good::{Change, LastGood},
    wire::{DeltaRequest, DeltaResponse, Node, Request, Response},
};

/// See the module.
#[derive(Debug)]
pub struct Memory {
    owner: Owner,
    inner: Mutex<Inner>,
    /// Raised when there is something new to write.
    changes: watch::Sender<u64>,
    /// What is served while no control plane is there.
    served: watch::Sender<Option<Arc<Snapshot>>>,
}

#[derive(Debug)]
struct Inner {
    last_good: LastGood,
    good_at: Option<SystemTime>,
    /// The stream that is listened to: the newest.
    stream: u64,
    is_read: bool,
    /// While Envoy is taken out of service, what it holds is no configuration to start another with.
    is_on_hold: bool,
    last_message: Instant,
    /// Made when somebody asks for it; forgotten when it is no longer true.
    sealed: Option<Arc<Snapshot>>,
}

impl Memory {
    /// The configuration of one proxy, beginning with what was kept.
    pub fn new(owner: Owner, kept: Option<Image>) -> Self {
        let good_at = kept.as_ref().map(|image| image.good_at);
        let last_good = kept.map_or_else(LastGood::default, |image| LastGood::from(image.configuration));
        let inner = Inner {
            last_good,
            good_at,
            stream: 0,
            is_read: false,
            is_on_hold: false,
            last_message: Instant::now(),
            sealed: None,
        };
        Self {
            owner,
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
            served: watch::Sender::new(None),
        }
    }

    /// A stream begins; messages of older ones count no more. Gives its number.
    pub fn open(&self) -> u64 {
        let mut inner = self.lock();
        inner.last_good.open();
        inner.stream += 1;
        inner.is_read = true;
        // Streams come when the control plane is there: what was served without it is not needed.
        inner.sealed = None;
        self.served.send_replace(None);
        inner.stream
    }

    /// A stream has ended.
    pub fn close(&self, stream: u64) {
        let mut inner = self.lock();
        if inner.stream == stream {
            inner.last_good.close();
            inner.is_read = false;
        }
    }

    /// Nothing is kept until [`Memory::resume`]: Envoy is being taken out of service.
    pub fn hold(&self) {
        self.lock().is_on_hold = true;
    }

    /// A new Envoy begins: its streams count.
    pub fn resume(&self) {
        let mut inner = self.lock();
        inner.is_on_hold = false;
        // Of a stream that is still open something was missed.
        inner.is_read = false;
        inner.last_good.close();
    }

    /// A request has passed. Says whether an Envoy asks for clusters that has none.
    pub fn on_request(&self, stream: u64, protocol: Protocol, message: Bytes) -> bool {
        let Some(mut inner) = self.listening(stream) else {
            return false;
        };
        let (is_fresh, change) = match protocol {
            Protocol::Delta => {
                let Ok(request) = DeltaRequest::decode(message) else {
                    return inner.give_up("a request cannot be decoded");
                };
                if !self.is_ours(request.node.as_ref()) {
                    return inner.give_up("the stream is of another node");
                }
                let is_fresh = request.type_url == type_url::CLUSTER
                    && request.response_nonce.is_empty()
                    && request.initial_resource_versions.is_empty();
                (is_fresh, inner.last_good.on_delta_request(request))
            }
            Protocol::StateOfTheWorld => {
                let Ok(request) = Request::decode(message) else {
                    return inner.give_up("a request cannot be decoded");
                };
                if !self.is_ours(request.node.as_ref()) {
                    return inner.give_up("the stream is of another node");
                }
                let is_fresh = request.type_url == type_url::CLUSTER
                    && request.response_nonce.is_empty()
                    && request.version_info.is_empty();
                (is_fresh, inner.last_good.on_request(request))
            }
        };
        inner.last_message = Instant::now();
        match change {
            Change::None => {}
            Change::Accepted => {
                inner.good_at = Some(SystemTime::now());
                inner.sealed = None;
                if inner.last_good.configuration().bytes() > SIZE_LIMIT {
                    inner.give_up("it is larger than 256 MiB");
                }
                drop(inner);
                self.changes.send_modify(|revision| *revision += 1);
            }
            Change::Rejected { type_url, message } => {
                tracing::warn!(
                    proxy = self.owner.id,
                    type_url,
                    message,
                    "envoy has rejected an update; what it had before stays the last good configuration"
                );
            }
        }
        is_fresh
    }

    /// A response has passed.
    pub fn on_response(&self, stream: u64, protocol: Protocol, message: Bytes) {
        let Some(mut inner) = self.listening(stream) else {
            return;
        };
        inner.last_message = Instant::now();
        let noted = match protocol {
            Protocol::Delta => DeltaResponse::decode(message).map(|r| inner.last_good.on_delta_response(r)),
            Protocol::StateOfTheWorld => Response::decode(message).map(|r| inner.last_good.on_response(r)),
        };
        match noted {
            Ok(Ok(())) => {}
            Ok(Err(mixed)) => {
                inner.give_up(&mixed.to_string());
            }
            Err(_) => {
                inner.give_up("a response cannot be decoded");
            }
        }
    }

    /// The stream goes on and is not read any more.
    pub fn give_up(&self, stream: u64, reason: &str) {
        if let Some(mut inner) = self.listening(stream) {
            inner.give_up(reason);
        }
    }

    /// Forgets what Envoy holds no more, once nothing has passed for `quiet`; else says how long to wait.
    ///
    /// # Errors
    /// The time until it can be tried again.
    pub fn settle(&self, quiet: Duration) -> Result<(), Duration> {
        let mut inner = self.lock();
        let left = quiet.saturating_sub(inner.last_message.elapsed());
        if !left.is_zero() {
            return Err(left);
        }
        if inner.is_read && !inner.is_on_hold && inner.last_good.settle() {
            inner.sealed = None;
            drop(inner);
            self.changes.send_modify(|revision| *revision += 1);
        }
        Ok(())
    }

    /// A request (delta) has come on a stream that is served from here. Says whether more is good now: what the control
    /// plane offered last and Envoy says it holds. It is then served to who follows [`Memory::served`].
    pub fn on_held(&self, message: Bytes) -> bool {
        let Ok(request) = DeltaRequest::decode(message) else {
            return false;
        };
        let mut inner = self.lock();
        if request.initial_resource_versions.is_empty() || inner.is_on_hold || !self.is_ours(request.node.as_ref()) {
            return false;
        }
        let held = &request.initial_resource_versions;
        if inner.last_good.take_what_is_held(&request.type_url, held) != Change::Accepted {
            return false;
        }
        inner.good_at = Some(SystemTime::now());
        inner.sealed = None;
        drop(inner);
        self.changes.send_modify(|revision| *revision += 1);
        self.served.send_replace(self.sealed());
        true
    }

    /// Follows what is served from here.
    pub fn served(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.served.send_replace(self.sealed());
        self.served.subscribe()
    }

    /// What is to be written; `None`: nothing is good yet.
    pub fn image(&self) -> Option<Image> {
        let inner = self.lock();
        Some(Image {
            owner: self.owner.clone(),
            good_at: inner.good_at?,
            configuration: inner.last_good.configuration().clone(),
        })
    }

    /// When Envoy acknowledged the last of it.
    pub fn good_at(&self) -> Option<SystemTime> {
        self.lock().good_at
    }

    /// What can be served; `None`: nothing is good yet.
    pub fn sealed(&self) -> Option<Arc<Snapshot>> {
        let mut inner = self.lock();
        inner.good_at?;
        if inner.sealed.is_none() {
            match inner.last_good.configuration().seal() {
                Ok(snapshot) => inner.sealed = Some(Arc::new(snapshot)),
                Err(error) => tracing::error!(%error, "the last good configuration cannot be served"),
            }
        }
        inner.sealed.clone()
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Follows changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn is_ours(&self, node: Option<&Node>) -> bool {
        node.is_none_or(|node| node.id == self.owner.id && node.cluster == self.owner.cluster)
    }

    fn listening(&self, stream: u64) -> Option<MutexGuard<'_, Inner>> {
        Some(self.lock()).filter(|inner| inner.stream == stream && inner.is_read && !inner.is_on_hold)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics halfway through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Half of a configuration is none: what was good stays as it is until the next stream. Always `false`.
    fn give_up(&mut self, reason: &str) -> bool {
        tracing::error!(reason, "this stream's configuration is passed on and not kept");
        self.is_read = false;
        self.last_good.close();
        false
    }
}

#[cfg(test)]
mod tests;
