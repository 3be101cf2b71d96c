//! What the discovery streams of one connection may take, so that a few greedy clients leave the memory to the others.
//!
//! A stream may send small messages as it likes. Large ones, which a proxy of very many resources sends once when it reconnects, and
//! which are remembered as long as the stream, share a budget over all connections; and no message may be left half sent.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{ready, Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tonic::Status;

use super::Body;

/// Streams of one connection at a time. An Envoy opens one, or two while it reconnects.
const STREAMS: usize = 4;
/// Bytes up to which a message is small: about 2,000 names with their versions.
const SMALL: usize = 256 * 1024;
/// Bytes beyond which the service refuses a message by its length alone.
const LARGEST: usize = 4 * 1024 * 1024;
/// KiB of large messages over all connections, each until its stream ends.
const BUDGET_KIB: usize = 64 * 1024;
/// How long a message waits for its part of the budget, and then how long it may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// A message's flag and length go before it.
const PREFIX: usize = 5;

/// What large messages of all connections share. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Budget {
    kib: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            kib: Arc::new(Semaphore::new(BUDGET_KIB)),
            patience: PATIENCE,
        }
    }
}

/// What the streams of one connection share; it goes with their requests.
#[derive(Clone, Debug)]
pub(super) struct Share {
    streams: Arc<Semaphore>,
    /// One of them may have sent something large.
    large: Arc<Semaphore>,
    budget: Budget,
}

impl Share {
    pub(super) fn of(budget: &Budget) -> Self {
        Self {
            streams: Arc::new(Semaphore::new(STREAMS)),
            large: Arc::new(Semaphore::new(1)),
            budget: budget.clone(),
        }
    }
}

/// Answers the request of a stream within what its connection may take. Requests that did not come through
/// [`super::run_with`] have no limits.
pub async fn admitted<B, A, R>(mut request: Request<B>, answer: impl FnOnce(Request<Intake<B>>) -> A) -> Response<Body>
where
    A: Future<Output = Response<R>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let share = request.extensions_mut().remove::<Share>();
    let place = match &share {
        None => None,
        Some(share) => match Arc::clone(&share.streams).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                let why = format!("the connection has {STREAMS} discovery streams, which is the limit");
                return Status::resource_exhausted(why)
                    .into_http::<tonic::body::Body>()
                    .map(|body| body.map_err(Into::into).boxed_unsync());
            }
        },
    };
    let response = answer(request.map(|body| Intake::new(body, share))).await;
    response.map(|body| {
        let body = Box::pin(body.map_err(Into::into));
        Held { body, _place: place }.boxed_unsync()
    })
}

/// An answer that holds its stream's place until it ends.
struct Held<B> {
    body: Pin<Box<B>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<B: HttpBody> HttpBody for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.get_mut().body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type Taking = Pin<Box<dyn Future<Output = Result<Taken, Status>> + Send>>;

/// Places that are held for something large.
struct Taken {
    _of_connection: Option<OwnedSemaphorePermit>,
    of_budget: OwnedSemaphorePermit,
}

/// The messages of one stream, read only as far as there is room for them.
pub struct Intake<B> {
    body: B,
    share: Option<Share>,
    patience: Duration,
    /// Of the message that is coming: what has come of its prefix, and how many bytes are still to come.
    prefix: Vec<u8>,
    left: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Waits for room for the message that `kept` begins.
    taking: Option<Taking>,
    kept: Option<Bytes>,
    taken: Option<Taken>,
}

impl<B> Intake<B> {
    fn new(body: B, share: Option<Share>) -> Self {
        Self {
            body,
            patience: share.as_ref().map_or(PATIENCE, |share| share.budget.patience),
            share,
            prefix: Vec::with_capacity(PREFIX),
            left: 0,
            deadline: None,
            taking: None,
            kept: None,
            taken: None,
        }
    }

    /// Looks where messages begin and end in bytes that have come.
    fn scan(&mut self, mut bytes: &[u8]) {
        let mut has_ended = false;
        while !bytes.is_empty() {
            if self.left == 0 {
                let (more, rest) = bytes.split_at(bytes.len().min(PREFIX - self.prefix.len()));
                self.prefix.extend(more);
                bytes = rest;
                if let [_, a, b, c, d] = self.prefix[..] {
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.prefix.clear();
                    self.make_room(self.left);
                    has_ended |= self.left == 0;
                }
            } else {
                let now = bytes.len().min(self.left);
                self.left -= now;
                bytes = &bytes[now..];
                has_ended |= self.left == 0;
            }
        }
        if self.left == 0 && self.prefix.is_empty() {
            self.deadline = None;
        } else if has_ended || self.deadline.is_none() {
            self.deadline = Some(Box::pin(tokio::time::sleep(self.patience)));
        }
    }

    /// Begins to wait for room, where a message of this length needs more than there is.
    fn make_room(&mut self, length: usize) {
        let Some(share) = self.share.as_ref().filter(|_| (SMALL..=LARGEST).contains(&length)) else {
            return;
        };
        let has = self.taken.as_ref().map_or(0, |taken| taken.of_budget.num_permits());
        let more = length.div_ceil(1024).saturating_sub(has);
        if more == 0 {
            return;
        }
        let (share, patience) = (share.clone(), self.patience);
        let before = self.taken.take();
        self.taking = Some(Box::pin(async move {
            let take = async {
                let of_connection = match &before {
                    Some(_) => None,
                    None => share.large.acquire_owned().await.ok(),
                };
                let budget = share
                    .budget
                    .kib
                    .acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX));
                (of_connection, budget.await)
            };
            match (tokio::time::timeout(patience, take).await, before) {
                (Ok((_, Ok(more))), Some(mut before)) => {
                    before.of_budget.merge(more);
                    Ok(before)
                }
                (Ok((_of_connection, Ok(of_budget))), None) => Ok(Taken {
                    _of_connection,
                    of_budget,
                }),
                _ => Err(Status::resource_exhausted(format!(
                    "too many streams have sent requests of more than {} KiB: no room within {} s",
                    SMALL / 1024,
                    patience.as_secs()
                ))),
            }
        }));
    }
}

impl<B> HttpBody for Intake<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            if let Some(taking) = &mut this.taking {
                let taken = ready!(taking.as_mut().poll(cx));
                this.taking = None;
                match taken {
                    Ok(taken) => this.taken = Some(taken),
                    Err(status) => return Poll::Ready(Some(Err(status))),
                }
                // What it waited for was not the client's fault.
                this.deadline = Some(Box::pin(tokio::time::sleep(this.patience)));
            }
            if let Some(bytes) = this.kept.take() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if let Some(deadline) = &mut this.deadline {
                if deadline.as_mut().poll(cx).is_ready() {
                    let why = format!("a request has not come as a whole within {} s", this.patience.as_secs());
                    return Poll::Ready(Some(Err(Status::deadline_exceeded(why))));
                }
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => {
                        this.scan(&bytes);
                        this.kept = Some(bytes);
                    }
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
