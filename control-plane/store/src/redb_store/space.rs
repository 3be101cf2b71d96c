//! Room on the disk: writes are refused while there is a little left, because the engine takes no more calls once it has
//! met a full disk.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::{Availability, StoreError};

/// Room that a write must leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes beside the write's own.
    spare: u64,
    /// What a write takes is at most so many times the bytes that it writes: pages are copied, and then their tree.
    factor: u64,
}

impl Room {
    /// What is kept: a write of a resource copies some ten pages of 4 KiB. The rest is for repairing the file when it is
    /// opened after a crash.
    pub(super) const KEPT: Self = Self {
        spare: 1 << 20,
        factor: 4,
    };

    /// None at all: the engine runs into the full disk.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { spare: 0, factor: 0 };

    /// Refuses a write of some bytes for which there is no room.
    pub(super) fn demand(self, file: &Path, bytes: usize, shortage: &Shortage) -> Result<(), StoreError> {
        let wanted = self.spare + self.factor * bytes as u64;
        // A file system that does not say is not asked again.
        let Ok(of) = rustix::fs::statvfs(file) else {
            return Ok(());
        };
        let free = of.f_bavail.saturating_mul(of.f_frsize);
        if free >= wanted {
            return Ok(());
        }
        let reason = format!(
            "the disk of {} is full: {free} bytes are free, a write wants {wanted}",
            file.display()
        );
        shortage.began(SystemTime::now(), reason.clone());
        Err(StoreError::Unavailable(reason))
    }
}

/// Since when writes have been refused for want of room.
#[derive(Default)]
pub(super) struct Shortage(Mutex<Option<(SystemTime, String)>>);

impl Shortage {
    fn lock(&self) -> MutexGuard<'_, Option<(SystemTime, String)>> {
        // One assignment: a panic leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write was refused, or failed.
    pub(super) fn began(&self, now: SystemTime, reason: String) {
        let mut known = self.lock();
        if known.is_none() {
            tracing::error!(reason, "store: read-only, the disk is full");
            *known = Some((now, reason));
        }
    }

    /// A write has succeeded.
    pub(super) fn ended(&self) {
        if self.lock().take().is_some() {
            tracing::info!("the store takes writes again");
        }
    }

    /// What is said of the store.
    pub(super) fn availability(&self) -> Availability {
        match &*self.lock() {
            None => Availability::Full,
            Some((since, reason)) => Availability::ReadOnly {
                since: *since,
                reason: reason.clone(),
            },
        }
    }
}

/// Whether an error means that the engine takes no more calls.
pub(super) fn is_failed_engine(error: &StoreError) -> bool {
    matches!(
        storage_error(error),
        Some(redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)
    )
}

/// Whether the disk is full.
pub(super) fn is_full(error: &StoreError) -> bool {
    let full = |error: &std::io::Error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    };
    matches!(storage_error(error), Some(redb::Error::Io(error)) if full(&error))
}

/// The engine's error as its general form.
fn storage_error(error: &StoreError) -> Option<redb::Error> {
    let StoreError::Engine(error) = error else { return None };
    let of = |error: &redb::StorageError| match error {
        redb::StorageError::Io(error) => Some(redb::Error::Io(std::io::Error::from(error.kind()))),
        redb::StorageError::PreviousIo => Some(redb::Error::PreviousIo),
        redb::StorageError::DatabaseClosed => Some(redb::Error::DatabaseClosed),
        _ => None,
    };
    if let Some(error) = error.downcast_ref::<redb::StorageError>() {
        return of(error);
    }
    if let Some(redb::TransactionError::Storage(error)) = error.downcast_ref() {
        return of(error);
    }
    if let Some(redb::TableError::Storage(error)) = error.downcast_ref() {
        return of(error);
    }
    if let Some(redb::CommitError::Storage(error)) = error.downcast_ref() {
        return of(error);
    }
    None
}
