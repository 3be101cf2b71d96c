//! SIGTERM and SIGINT as something to wait for.

use std::future::Future;

use tokio::signal::unix::{signal, Signal, SignalKind};

/// Listens for both signals from its creation on.
#[derive(Debug)]
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Starts to listen: from now on neither signal ends the process by itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them. Can be cancelled without losing one.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// After the first of them: waits for `ended`, or for the second, which ends what is still open.
    pub async fn asked_again_or(&mut self, ended: impl Future<Output = ()>) {
        tokio::select! {
            () = ended => {}
            () = self.asked() => tracing::warn!("second signal: open connections are cut"),
        }
    }
}
