//! One connection, with the script that it has loaded.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, ServerErrorKind};

use super::target::Client;
use crate::store::{Charge, Decision};

const SCRIPT: &str = include_str!("../take.lua");
/// Another form of what is kept has another version.
const PREFIX: &str = "ferromesh:limit:1:";

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// What the store calls the script.
    script: Arc<str>,
}

/// Why a charge failed.
pub(super) enum Failure {
    /// The connection is of no use any more.
    Lost(String),
    /// The store refused this one.
    Refused(String),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Connects and loads the script, which a store that is still loading its data, or only reads, does not take.
    pub(super) async fn open(client: &Client) -> Result<Self, String> {
        // Deadlines are the caller's.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let said = |error: RedisError| error.to_string();
        let opened = client.inner().get_multiplexed_async_connection_with_config(&config);
        let mut connection = opened.await.map_err(said)?;
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(SCRIPT);
        let script: String = load.query_async(&mut connection).await.map_err(said)?;
        Ok(Self {
            connection,
            script: script.into(),
        })
    }

    /// Whether both are the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.script, &other.script)
    }

    pub(super) async fn ping(&self) -> Result<(), String> {
        let mut connection = self.connection.clone();
        let answer: Result<(), RedisError> = redis::cmd("PING").query_async(&mut connection).await;
        answer.map_err(|error| error.to_string())
    }

    pub(super) async fn take(&self, charges: &[Charge]) -> Result<Decision, Failure> {
        let mut connection = self.connection.clone();
        let known = command("EVALSHA", &self.script, charges);
        let mut answer: Result<Vec<String>, RedisError> = known.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            // Somebody flushed the scripts. Nothing was done, and this loads it again.
            answer = command("EVAL", SCRIPT, charges).query_async(&mut connection).await;
        }
        let answer = answer.map_err(failure)?;
        read(&answer, charges.len()).ok_or_else(|| Failure::Refused(format!("an answer of another form: {answer:?}")))
    }
}

fn command(name: &str, script: &str, charges: &[Charge]) -> redis::Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(charges.len());
    for charge in charges {
        command.arg(format!("{PREFIX}{}", charge.key));
    }
    for charge in charges {
        let bucket = charge.bucket;
        command
            .arg(bucket.capacity)
            .arg(bucket.requests)
            .arg(u64::from(bucket.window_seconds) * 1_000_000)
            .arg(charge.hits);
    }
    command
}

fn read(answer: &[String], charges: usize) -> Option<Decision> {
    let [now, admitted, used @ ..] = answer else {
        return None;
    };
    let used: Vec<f64> = used.iter().map(|used| used.parse().ok()).collect::<Option<_>>()?;
    (used.len() == charges).then_some(Decision {
        admitted: admitted == "1",
        used,
        now_micros: now.parse().ok()?,
    })
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn failure(error: RedisError) -> Failure {
    use ServerErrorKind::{BusyLoading, MasterDown, ReadOnly};
    let is_elsewhere = matches!(
        error.kind(),
        // What was a primary is one no more: the name may lead to another now.
        ErrorKind::Server(ReadOnly | BusyLoading | MasterDown)
    );
    if is_elsewhere || error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error() {
        Failure::Lost(error.to_string())
    } else {
        Failure::Refused(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let decision = read(&text(&["1800000000000000", "1", "0.5", "3"]), 2).expect("a decision");
        assert!(decision.admitted);
        assert_eq!(decision.used, [0.5, 3.0]);
        assert_eq!(decision.now_micros, 1_800_000_000_000_000);
        for wrong in [
            &["1", "1"][..],
            &["1", "1", "x"],
            &["x", "1", "1"],
            &["1"],
            &["1", "1", "2", "3"],
        ] {
            assert_eq!(read(&text(wrong), 1), None, "{wrong:?}");
        }
    }
}
