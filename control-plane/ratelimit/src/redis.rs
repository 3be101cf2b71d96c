//! Counts in Redis or Valkey: one script, one round trip, the store's clock, so that any number of instances count as one.
//!
//! One connection carries all requests, pipelined. A task keeps it: while there is none, charges fail at once instead of
//! waiting, and the task tries again with pauses that grow. No charge is tried twice, because one that was cut off may have
//! been counted.

mod link;
mod target;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::link::{Failure, Link};
pub use self::target::{Client, InvalidStore, StoreTls};
use crate::store::{Charge, Decision, Store, StoreError};

/// Times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// For one charge, from its call to the store's answer.
    pub deadline: Duration,
    /// For a connection, greeting and TLS included.
    pub connect: Duration,
    /// Pauses between attempts to connect: the first, and the longest. Each is twice the one before, less up to half by chance.
    pub back_off: (Duration, Duration),
    /// Between checks of an idle connection.
    pub check: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(100),
            connect: Duration::from_secs(2),
            back_off: (Duration::from_millis(50), Duration::from_secs(2)),
            check: Duration::from_secs(1),
        }
    }
}

/// After so many late answers in a row, none between them, the connection is given up: a store that hangs is as good as lost.
const LATE_IN_A_ROW: u32 = 8;
/// A connection that lived so long was a good one: the next attempt to connect comes after the first pause again.
const GOOD: Duration = Duration::from_secs(10);

/// A store that speaks the protocol of Redis.
#[derive(Debug)]
pub struct Redis {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    config: RedisConfig,
    link: RwLock<Option<Link>>,
    lost: Notify,
    late: AtomicU32,
    connected: AtomicU64,
}

impl Redis {
    /// Starts to connect, and goes on for as long as it lives. Must be called within a runtime.
    #[must_use]
    pub fn start(client: Client, config: RedisConfig) -> Self {
        let shared = Arc::new(Shared {
            client,
            config,
            link: RwLock::default(),
            lost: Notify::new(),
            late: AtomicU32::new(0),
            connected: AtomicU64::new(0),
        });
        let keeper = tokio::spawn(keep(Arc::clone(&shared)));
        Self { shared, keeper }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.shared.connected.load(Ordering::Relaxed)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Store for Redis {
    async fn take(&self, charges: &[Charge]) -> Result<Decision, StoreError> {
        let shared = &self.shared;
        let Some(link) = shared.link() else {
            return Err(StoreError::Lost);
        };
        match timeout(shared.config.deadline, link.take(charges)).await {
            Ok(Ok(decision)) => {
                shared.late.store(0, Ordering::Relaxed);
                Ok(decision)
            }
            Ok(Err(Failure::Lost(error))) => {
                shared.give_up(&link, &error);
                Err(StoreError::Lost)
            }
            Ok(Err(Failure::Refused(error))) => Err(StoreError::Refused(error)),
            Err(_) => {
                if shared.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE_IN_A_ROW {
                    shared.give_up(&link, "it does not answer in time");
                }
                Err(StoreError::Late)
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.shared.link().is_some()
    }
}

impl Shared {
    fn link(&self) -> Option<Link> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, link: Option<Link>) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// Takes a connection out of use, if it still is in use: many charges find out at the same moment.
    fn give_up(&self, link: &Link, why: &str) {
        let mut held = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.is(link)) {
            *held = None;
            tracing::warn!(store = %self.client, why, "the store is lost");
            self.lost.notify_one();
        }
    }

    async fn connect(&self) -> Result<Link, String> {
        match timeout(self.config.connect, Link::open(&self.client)).await {
            Ok(opened) => opened,
            Err(_) => Err(format!("no connection within {} ms", self.config.connect.as_millis())),
        }
    }

    /// Until the connection is given up.
    async fn watch(&self, link: &Link) {
        loop {
            tokio::select! {
                () = self.lost.notified() => {}
                () = tokio::time::sleep(self.config.check) => {
                    // A busy machine may be slow with one answer; what is gone does not answer at all.
                    match timeout(self.config.connect, link.ping()).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => self.give_up(link, &error),
                        Err(_) => self.give_up(link, "it does not answer a ping"),
                    }
                }
            }
            if !self.link().is_some_and(|held| held.is(link)) {
                return;
            }
        }
    }
}

async fn keep(shared: Arc<Shared>) {
    let (first, longest) = shared.config.back_off;
    let mut pause = first;
    let mut said = String::new();
    loop {
        match shared.connect().await {
            Ok(link) => {
                let since = tokio::time::Instant::now();
                tracing::info!(store = %shared.client, "connected to the store");
                said.clear();
                shared.connected.fetch_add(1, Ordering::Relaxed);
                shared.late.store(0, Ordering::Relaxed);
                shared.put(Some(link.clone()));
                shared.watch(&link).await;
                if since.elapsed() >= GOOD {
                    pause = first;
                }
            }
            // The same every time: once is enough.
            Err(error) if error == said => {}
            Err(error) => {
                tracing::warn!(store = %shared.client, error, "cannot connect to the store");
                said = error;
            }
        }
        tokio::time::sleep(less_up_to_half(pause)).await;
        pause = (pause * 2).min(longest);
    }
}

/// Instances that lost the same store must not come back in step.
fn less_up_to_half(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    // Seeded by the system for every instance of it.
    let chance = RandomState::new().hash_one(()) % 1_000;
    pause - pause * u32::try_from(chance).unwrap_or(0) / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_vary_between_half_and_all() {
        let pause = Duration::from_millis(1_000);
        let pauses: Vec<Duration> = (0..200).map(|_| less_up_to_half(pause)).collect();
        assert!(pauses.iter().all(|one| *one > pause / 2 && *one <= pause));
        assert!(pauses.iter().min() < pauses.iter().max());
    }

    #[tokio::test]
    async fn without_a_store_charges_fail_at_once() {
        // Nobody listens on port 1.
        let client = Client::open("redis://127.0.0.1:1", &StoreTls::default()).expect("a store");
        let redis = Redis::start(client, RedisConfig::default());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = std::time::Instant::now();
        assert_eq!(redis.take(&[]).await, Err(StoreError::Lost));
        assert!(begun.elapsed() < Duration::from_millis(20));
        assert!(!redis.is_ready());
        assert_eq!(redis.connections(), 0);
    }
}
