//! A connection that must bring its first request in time.
//!
//! hyper's own limits begin when it knows the protocol and has seen the first byte; a client that connects and
//! says nothing, or stops within the HTTP/2 preface, is under none of them.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Wraps `stream`: reading fails after `limit`, unless [`FirstRequest::arrived`] was called before.
pub(super) fn until_first_request<S>(stream: S, limit: Duration) -> (Deadline<S>, FirstRequest) {
    let arrived = Arc::new(AtomicBool::new(false));
    let deadline = Deadline {
        stream,
        limit: Some(Box::pin(tokio::time::sleep(limit))),
        arrived: Arc::clone(&arrived),
    };
    (deadline, FirstRequest(arrived))
}

/// Tells the connection that its first request is there.
pub(super) struct FirstRequest(Arc<AtomicBool>);

impl FirstRequest {
    pub(super) fn arrived(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Deadline<S> {
    stream: S,
    /// Gone once the first request is there.
    limit: Option<Pin<Box<Sleep>>>,
    arrived: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Deadline<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.limit.is_some() && this.arrived.load(Ordering::Relaxed) {
            this.limit = None;
        }
        if let Some(limit) = &mut this.limit {
            if limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
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
