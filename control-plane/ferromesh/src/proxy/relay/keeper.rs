//! Brings the last good configuration to the disk: soon after a change, once for many.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    file::{self, Secrets, Unusable},
    memory::Memory,
};

/// What changes within this time is written once: an update comes type by type.
const GATHER: Duration = Duration::from_millis(300);
/// Between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// After a write that failed.
const RETRY: Duration = Duration::from_secs(10);
/// After the last message until what Envoy no longer asks for is forgotten.
const QUIET: Duration = Duration::from_secs(5);

/// The configuration's place on the disk.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub path: PathBuf,
    pub secrets: Secrets,
}

impl Keeper {
    /// Reads what an earlier agent of this proxy kept. What cannot be used is put out of the way and told.
    pub async fn read(&self, owner: file::Owner) -> Memory {
        let path = self.path.clone();
        let of = owner.clone();
        let read = tokio::task::spawn_blocking(move || file::read(&path, &of)).await;
        let read = read.unwrap_or_else(|error| Err(Unusable::Io(std::io::Error::other(error))));
        let image = match read {
            Ok(image) => image,
            Err(reason) => {
                self.set_aside(&reason);
                None
            }
        };
        match &image {
            Some(image) => tracing::info!(
                file = %self.path.display(),
                proxy = owner.id,
                resources = image.configuration.len(),
                bytes = image.configuration.bytes(),
                age_seconds = image.good_at.elapsed().unwrap_or_default().as_secs(),
                "there is a last good configuration"
            ),
            None => tracing::info!(
                file = %self.path.display(),
                proxy = owner.id,
                "there is no last good configuration yet"
            ),
        }
        Memory::new(owner, image)
    }

    fn set_aside(&self, reason: &Unusable) {
        let file = self.path.display();
        if let Unusable::Io(reason) = reason {
            tracing::error!(%file, %reason, "the last good configuration cannot be read");
            return;
        }
        match file::set_aside(&self.path) {
            Ok(aside) => {
                let moved_to = aside.display();
                tracing::error!(%file, %reason, %moved_to, "the last good configuration cannot be used");
            }
            Err(error) => {
                tracing::error!(%file, %reason, %error, "the last good configuration cannot be used, nor be moved away");
            }
        }
    }

    /// Writes what changes, until `shutdown`, and then what has not been written.
    pub async fn run(self, memory: Arc<Memory>, shutdown: CancellationToken) {
        let mut changes = memory.changes();
        let mut is_told = false;
        let mut to_settle = false;
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = settled(&memory), if to_settle => {
                    to_settle = false;
                    continue;
                }
                () = shutdown.cancelled() => return,
            }
            to_settle = true;
            // A shutdown does not wait, but what there is is written.
            pass(GATHER, &shutdown).await;
            changes.borrow_and_update();
            let pause = match self.write(&memory).await {
                Ok(()) => {
                    is_told = false;
                    PAUSE
                }
                Err(error) => {
                    if !is_told {
                        tracing::error!(
                            file = %self.path.display(),
                            %error,
                            "the last good configuration cannot be written; it is tried again"
                        );
                        is_told = true;
                    }
                    changes.mark_changed();
                    RETRY
                }
            };
            if shutdown.is_cancelled() {
                return;
            }
            pass(pause, &shutdown).await;
            if shutdown.is_cancelled() && !changes.has_changed().unwrap_or(false) {
                return;
            }
        }
    }

    async fn write(&self, memory: &Memory) -> std::io::Result<()> {
        let Some(image) = memory.image() else { return Ok(()) };
        let (path, secrets) = (self.path.clone(), self.secrets);
        let written = tokio::task::spawn_blocking(move || file::write(&path, &image, secrets)).await;
        written.map_err(std::io::Error::other)??;
        tracing::debug!(file = %self.path.display(), "the last good configuration is written");
        Ok(())
    }
}

async fn settled(memory: &Memory) {
    while let Err(left) = memory.settle(QUIET) {
        tokio::time::sleep(left).await;
    }
}

async fn pass(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
