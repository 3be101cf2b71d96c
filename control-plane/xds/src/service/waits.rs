//! What a stream waits for. Each may be dropped and begun anew at any time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tonic::Status;

use crate::snapshot::Snapshot;

pub(super) async fn changed(
    snapshots: &mut Option<watch::Receiver<Option<Arc<Snapshot>>>>,
) -> Result<(), watch::error::RecvError> {
    match snapshots {
        Some(snapshots) => snapshots.changed().await,
        None => std::future::pending().await,
    }
}

/// A sender that is dropped ends nothing.
pub(super) async fn ended(end: &mut Option<oneshot::Receiver<Status>>) -> Status {
    if let Some(receiver) = end {
        let status = receiver.await;
        *end = None;
        if let Ok(status) = status {
            return status;
        }
    }
    std::future::pending().await
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Up to a tenth less, so that streams which began together don't end together.
pub(super) fn shortened(age: Duration, id: u64) -> Duration {
    let spread = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    age - age / 10 * (spread as u32) / u32::from(u16::MAX)
}
