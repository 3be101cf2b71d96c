//! A restore into etcd. It has more values than a transaction takes, so it goes step by step behind a mark: control planes
//! that see the mark keep what they have and take no writes until it is gone.

use super::connection::{CallError, Connection};
use super::mirror::{LAST, OFFSET, RESTORE, VALUES};
use super::transaction::put;
use super::wire::{self, Request, RequestOp, TxnRequest};
use super::{follower, random_name, EtcdOptions, EtcdStore};
use crate::{Revision, StoreError};

/// Values of one step, and their bytes: etcd takes 128 and 1.5 MiB.
const STEP: usize = 100;
const STEP_BYTES: usize = 1 << 20;

impl EtcdStore {
    /// Opens the store for a restore, also one in which a restore was interrupted.
    ///
    /// # Errors
    /// As [`EtcdStore::open`].
    pub fn open_to_restore(options: EtcdOptions) -> Result<Self, StoreError> {
        Self::open_as(options, None, follower::Restoring::Taken)
    }

    /// Puts values in place of everything.
    pub(crate) fn replace(&self, values: &[(String, Vec<u8>)], at_least: Revision) -> Result<Revision, StoreError> {
        let prefix = self.shared.options.prefix.clone();
        let offset = self.catch_up()?.mirror.offset;
        // The mark makes our own follower let go of its connection too.
        let connection = self.connection()?;
        // From here on nobody else writes.
        self.step(&connection, vec![put(format!("{prefix}{RESTORE}"), random_name())])?;
        let from = format!("{prefix}{VALUES}").into_bytes();
        let clear = wire::DeleteRangeRequest {
            end: wire::end_of(&from),
            key: from,
        };
        let cleared = self.step(
            &connection,
            vec![RequestOp {
                request: Some(Request::Delete(clear)),
            }],
        )?;
        let mut step = Vec::new();
        let mut bytes = 0;
        for (key, value) in values {
            if step.len() == STEP || bytes + value.len() > STEP_BYTES {
                self.step(&connection, std::mem::take(&mut step))?;
                bytes = 0;
            }
            bytes += key.len() + value.len();
            step.push(put(format!("{prefix}{VALUES}{key}"), value.clone()));
        }
        if !step.is_empty() {
            self.step(&connection, step)?;
        }
        let theirs = u64::try_from(cleared).unwrap_or(0);
        let offset = offset.max(at_least.saturating_sub(theirs));
        let end = wire::DeleteRangeRequest {
            key: format!("{prefix}{RESTORE}").into_bytes(),
            end: Vec::new(),
        };
        let made = self.step(
            &connection,
            vec![
                put(format!("{prefix}{OFFSET}"), offset.to_string().into_bytes()),
                put(format!("{prefix}{LAST}"), random_name()),
                RequestOp {
                    request: Some(Request::Delete(end)),
                },
            ],
        )?;
        Ok(u64::try_from(made).unwrap_or(0) + offset)
    }

    /// Some steps of the restore at once; gives etcd's revision after them.
    fn step(&self, connection: &Connection, success: Vec<RequestOp>) -> Result<i64, StoreError> {
        let request = TxnRequest {
            compares: Vec::new(),
            success,
        };
        let connection = connection.clone();
        match self.call(async move { connection.txn(request).await }) {
            Ok(answer) => Ok(answer.header.unwrap_or_default().revision),
            Err(CallError::Refused(reason)) => Err(StoreError::Engine(
                format!("etcd refuses a step of the restore: {reason}").into(),
            )),
            Err(error) => Err(StoreError::Unavailable(format!(
                "etcd was lost during the restore: {}; run `ferromesh restore` again",
                error.text()
            ))),
        }
    }
}
