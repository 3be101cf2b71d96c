//! One open stream: what the state machine says, done on the wire.

use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::{oneshot, watch};
use tonic::{Code, Status};

use super::allowance::Allowance;
use super::places::Place;
use super::recall::Holder;
use super::requests::Requests;
use super::waits::{changed, ended, shortened, until};
use super::Shared;
use crate::observer::{Event, EventKind, Update};
use crate::peer::Peer;
use crate::snapshot::Snapshot;
use crate::source::{Applicant, Subscription};
use crate::stream::{Answer, Protocol, Refusal, Request, Response, Stream};
use crate::{type_url, wire};

pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Held for as long as the stream is open.
    place: Place,
    id: u64,
    stream: Stream,
    requests: Requests,
    peer: Option<Peer>,
    allowance: Allowance,
    /// The proxy has said who it is, and waits for its turn to be let in.
    admitted_at: Option<Instant>,
    snapshots: Option<watch::Receiver<Option<Arc<Snapshot>>>>,
    /// Brings the status to end with, if the stream must end early.
    end: Option<oneshot::Receiver<Status>>,
    has_snapshot: bool,
    /// The first request named nothing that the proxy holds.
    came_empty: bool,
    draining: watch::Receiver<bool>,
    /// Of one response.
    frames: wire::Buffers,
    opened: Instant,
    ends_at: Option<Instant>,
    ended: Option<String>,
    is_over: bool,
}

/// What has come to pass.
enum Turn {
    Request(Result<Option<Box<Request>>, Status>),
    Snapshot(Result<(), watch::error::RecvError>),
    Drain,
    End(Status),
    Time,
}

impl Connection {
    pub fn new(
        shared: Arc<Shared>,
        place: Place,
        protocol: Protocol,
        id: u64,
        requests: Requests,
        peer: Option<Peer>,
        now: Instant,
    ) -> Self {
        let config = &shared.config;
        Self {
            stream: Stream::new(protocol, id, config.limits.clone(), now),
            requests,
            peer,
            allowance: Allowance::new(config.request_burst, config.requests_per_second, now),
            admitted_at: None,
            snapshots: None,
            end: None,
            has_snapshot: false,
            came_empty: false,
            draining: shared.draining.subscribe(),
            frames: wire::Buffers::default(),
            opened: now,
            ends_at: config.max_stream_age.map(|age| now + shortened(age, id)),
            ended: None,
            is_over: false,
            place,
            shared,
            id,
        }
    }

    /// The next part of the response body; the last one are the trailers.
    pub async fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        loop {
            if let Some(buffer) = self.frames.next() {
                return Some(Frame::data(buffer));
            }
            if self.is_over {
                return None;
            }
            if let Some(response) = self.stream.next_response(Instant::now()) {
                self.send(response);
                continue;
            }
            if let Err(status) = self.advance().await {
                return Some(self.end(status));
            }
        }
    }

    fn send(&mut self, response: Response) {
        let update = Update {
            type_url: &response.type_url,
            version: &response.version,
            resources: &response.resources,
            removed: response.removed.as_deref().unwrap_or_default(),
        };
        tracing::debug!(
            proxy = self.proxy(),
            stream = self.id,
            type_url = update.type_url,
            version = update.version,
            resources = update.resources.len(),
            removed = update.removed.len(),
            "sent"
        );
        self.tell(EventKind::Sent(update));
        self.frames = wire::encode(response, &self.shared.config.identifier);
    }

    /// Waits for one thing to happen and takes it in. The error is the stream's end, be it `OK`.
    async fn advance(&mut self) -> Result<(), Status> {
        let now = Instant::now();
        let may_read_at = self.admitted_at.or_else(|| self.allowance.next(now));
        let deadline = [may_read_at, self.deadline(now)].into_iter().flatten().min();
        let turn = tokio::select! {
            biased;
            drain = self.draining.wait_for(|draining| *draining) => {
                drop(drain);
                Turn::Drain
            }
            status = ended(&mut self.end) => Turn::End(status),
            request = self.requests.next(), if may_read_at.is_none() => Turn::Request(request.map(|r| r.map(Box::new))),
            changed = changed(&mut self.snapshots) => Turn::Snapshot(changed),
            () = until(deadline) => Turn::Time,
        };
        let now = Instant::now();
        match turn {
            Turn::Request(request) => {
                // The client has closed its side, or is gone: nobody would answer any more.
                let request = request?.ok_or_else(|| Status::ok(""))?;
                self.allowance.spend(now);
                self.on_request(*request, now)
            }
            Turn::Snapshot(Ok(())) => {
                self.take_snapshot();
                Ok(())
            }
            Turn::Snapshot(Err(_)) => Err(Status::unavailable(
                "the proxy's configuration is no longer published here",
            )),
            Turn::Drain => Err(Status::ok("the control plane is shutting down")),
            Turn::End(status) => Err(status),
            Turn::Time => self.on_time(now),
        }
    }

    fn on_request(&mut self, request: Request, now: Instant) -> Result<(), Status> {
        let is_known = self.stream.node().is_some();
        if !is_known {
            self.came_empty = request.subscribe.holds_nothing();
        }
        let answer = self.stream.on_request(request).map_err(status)?;
        if !is_known {
            self.admit(now)?;
        }
        if let Some(answer) = answer {
            self.on_answer(&answer, now);
        }
        Ok(())
    }

    /// The proxy has said who it is. What follows costs the most of all that happens on a stream, so when very many come at
    /// a time, they are served one after the other, and the last are told to come again.
    fn admit(&mut self, now: Instant) -> Result<(), Status> {
        let patience = self.shared.config.admission_patience;
        let admission = &self.shared.admission;
        let place = admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reserve(now, patience);
        match place {
            Ok(at) if at <= now => self.let_in(),
            Ok(at) => {
                self.admitted_at = Some(at);
                Ok(())
            }
            Err(wait) => Err(Status::unavailable(format!(
                "too many proxies connect at a time: this one would wait for {:.1} s",
                wait.as_secs_f64()
            ))),
        }
    }

    /// It is the proxy's turn. One that may not have anything costs nothing, and takes nobody's place.
    fn let_in(&mut self) -> Result<(), Status> {
        let subscribed = self.subscribe();
        if subscribed.is_err() {
            self.give_place_back();
        }
        subscribed
    }

    fn give_place_back(&self) {
        let admission = &self.shared.admission;
        admission.lock().unwrap_or_else(PoisonError::into_inner).give_back();
    }

    fn subscribe(&mut self) -> Result<(), Status> {
        let Some(node) = self.stream.node() else { return Ok(()) };
        let applicant = Applicant {
            node,
            peer: self.peer.as_ref(),
            stream: self.id,
            comes_empty: self.came_empty,
        };
        self.place.assign(&node.id, self.shared.config.max_streams_per_node)?;
        let Subscription { snapshots, end } = self.shared.source.subscribe(&applicant)?;
        tracing::info!(
            proxy = node.id,
            cluster = node.cluster,
            user_agent = node.user_agent,
            stream = self.id,
            protocol = self.stream.protocol().as_str(),
            "connected"
        );
        self.snapshots = Some(snapshots);
        self.end = end;
        self.tell(EventKind::Connected {
            node,
            protocol: self.stream.protocol(),
        });
        let holder = Holder::new(node, self.peer.as_ref());
        let keep = self.shared.config.recall;
        if let Some(holdings) = self.shared.recall.get(&holder, Instant::now(), keep) {
            self.stream.recall(holdings);
        }
        self.take_snapshot();
        Ok(())
    }

    fn take_snapshot(&mut self) {
        let newest = self.snapshots.as_mut().and_then(|s| s.borrow_and_update().clone());
        if let Some(snapshot) = newest {
            self.has_snapshot = true;
            self.stream.on_snapshot(snapshot);
        }
    }

    fn on_answer(&self, answer: &Answer, now: Instant) {
        let update = Update {
            type_url: &answer.type_url,
            version: &answer.version,
            resources: &answer.resources,
            removed: &answer.removed,
        };
        let after = now.saturating_duration_since(answer.sent_at);
        match &answer.rejection {
            None => self.tell(EventKind::Acked { update, after }),
            Some(rejection) => {
                tracing::warn!(
                    proxy = self.proxy(),
                    stream = self.id,
                    type_url = update.type_url,
                    version = update.version,
                    code = rejection.code,
                    message = rejection.message,
                    "rejected"
                );
                self.tell(EventKind::Nacked {
                    update,
                    after,
                    rejection,
                });
            }
        }
    }

    /// The next time at which something may have to be done although nothing happens.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let hold = (!self.has_snapshot).then(|| self.opened + self.shared.config.hold);
        let wake = if self.has_snapshot {
            self.stream.wake_at(now)
        } else {
            None
        };
        [hold, wake, self.ends_at, self.cluster_deadline(), self.admitted_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// When to give up on an Envoy that does not ask for clusters.
    fn cluster_deadline(&self) -> Option<Instant> {
        let limit = self.shared.config.cluster_deadline?;
        let is_envoy = self.stream.node().is_some_and(|node| node.is_envoy());
        let has_clusters = || {
            let snapshots = self.snapshots.as_ref()?;
            let snapshot = snapshots.borrow();
            Some(!snapshot.as_ref()?.resources(type_url::CLUSTER).is_empty())
        };
        let lost = is_envoy && !self.stream.has_requested(type_url::CLUSTER) && has_clusters().unwrap_or(false);
        lost.then(|| self.opened + limit)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), Status> {
        if self.admitted_at.is_some_and(|at| at <= now) {
            self.admitted_at = None;
            return self.let_in();
        }
        if self.ends_at.is_some_and(|at| at <= now) {
            return Err(Status::ok("the stream is old enough"));
        }
        if self.cluster_deadline().is_some_and(|at| at <= now) {
            return Err(Status::unavailable("the stream has not asked for clusters"));
        }
        if self.has_snapshot || now < self.opened + self.shared.config.hold {
            return Ok(());
        }
        Err(match self.stream.node() {
            None => Status::invalid_argument("no request has come on the stream"),
            Some(node) => Status::invalid_argument(format!("there is no configuration for node `{}`", node.id)),
        })
    }

    fn end(&mut self, status: Status) -> Frame<Bytes> {
        self.is_over = true;
        let proxy = self.proxy();
        match status.code() {
            // Among them a client that has gone: the transport has many words for it.
            code @ (Code::Ok | Code::Cancelled | Code::Unknown | Code::Unavailable) => {
                tracing::info!(proxy, stream = self.id, ?code, reason = status.message(), "closed");
            }
            code => tracing::warn!(proxy, stream = self.id, ?code, reason = status.message(), "closed"),
        }
        let mut trailers = http::HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            // Only a message that cannot be a header does that, and messages are percent-encoded.
            trailers.insert("grpc-status", http::HeaderValue::from_static("13"));
        }
        self.ended = Some(status.message().to_owned()).filter(|reason| !reason.is_empty());
        Frame::trailers(trailers)
    }

    fn proxy(&self) -> &str {
        self.stream.node().map_or("", |node| &node.id)
    }

    fn tell(&self, kind: EventKind<'_>) {
        self.shared.observer.on(&Event {
            proxy: self.proxy(),
            stream: self.id,
            at: SystemTime::now(),
            kind,
        });
    }
}

impl Drop for Connection {
    /// Also when the client has gone away without a word.
    fn drop(&mut self) {
        if self.admitted_at.is_some() {
            self.give_place_back();
        }
        if self.snapshots.is_some() {
            if let Some(node) = self.stream.node() {
                let (holder, keep) = (Holder::new(node, self.peer.as_ref()), self.shared.config.recall);
                let recall = &self.shared.recall;
                recall.put(holder, self.stream.holdings(), Instant::now(), keep);
            }
            self.tell(EventKind::Disconnected {
                reason: self.ended.as_deref(),
            });
        }
    }
}

fn status(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::MissingNode | Refusal::MissingNodeId | Refusal::NodeChanged { .. } | Refusal::MissingTypeUrl => {
            Code::InvalidArgument
        }
        Refusal::TypeUrlTooLong { .. }
        | Refusal::TooManyTypes { .. }
        | Refusal::TooManyNames { .. }
        | Refusal::NamesTooLong { .. } => Code::ResourceExhausted,
    };
    Status::new(code, refusal.to_string())
}
