//! A connection that must bring the headers of its requests in time.
//!
//! hyper's own limits begin when it knows the protocol and has seen the first byte; a client that connects and
//! says nothing, or stops within the HTTP/2 preface, is under none of them. And between two HTTP/1 requests hyper
//! has one limit for silence and for half a header, which are not the same: clients may keep a connection that
//! they do not use.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc,
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Version;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Wraps `stream`: reading fails when the headers of a request take longer than `limit`. Of HTTP/2 connections that holds
/// for the first request; later frames belong to streams, which hyper looks after.
pub(super) fn for_headers<S>(stream: S, limit: Duration) -> (Deadline<S>, Requests) {
    let requests = Requests(Arc::new(Counts::default()));
    let deadline = Deadline {
        stream,
        limit,
        waiting: Some(Box::pin(tokio::time::sleep(limit))),
        seen: 0,
        requests: requests.clone(),
    };
    (deadline, requests)
}

/// The requests of a connection.
#[derive(Clone)]
pub(super) struct Requests(Arc<Counts>);

#[derive(Default)]
struct Counts {
    arrived: AtomicUsize,
    running: AtomicUsize,
    is_http2: AtomicBool,
}

/// A request that is being answered.
pub(super) struct Running(Arc<Counts>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    /// Tells the connection that the headers of a request are there.
    pub(super) fn arrived(&self, version: Version) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        self.0.is_http2.store(version == Version::HTTP_2, Ordering::Relaxed);
        self.0.arrived.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }
}

pub(super) struct Deadline<S> {
    stream: S,
    limit: Duration,
    /// Runs while headers are awaited.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Requests that had arrived when last looked.
    seen: usize,
    requests: Requests,
}

impl<S> Deadline<S> {
    /// Whether bytes that come now begin the headers of a request.
    fn is_between_requests(&self) -> bool {
        let counts = &self.requests.0;
        !counts.is_http2.load(Ordering::Relaxed) && counts.running.load(Ordering::Relaxed) == 0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deadline<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let arrived = this.requests.0.arrived.load(Ordering::Relaxed);
        if arrived != this.seen {
            this.seen = arrived;
            this.waiting = None;
        }
        if let Some(waiting) = &mut this.waiting {
            if waiting.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let has_read = buffer.filled().len() > before;
        if has_read && this.waiting.is_none() && this.is_between_requests() {
            // Read once more even if these bytes are all: then this is polled again, and the timer with it.
            this.waiting = Some(Box::pin(tokio::time::sleep(this.limit)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deadline<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
