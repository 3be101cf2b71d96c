//! Many simulated proxies in one process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::held::Held;
use crate::proxy::{self, Manner, Role, Variant};
use crate::tally::Tally;
use crate::way::Way;

/// Connected proxies. They go when the fleet is dropped.
pub struct Fleet {
    pub tally: Arc<Tally>,
    began: Instant,
    stop: watch::Sender<bool>,
    proxies: Vec<JoinHandle<Held>>,
}

/// What kind of fleet.
#[derive(Clone, Debug)]
pub struct Order {
    /// The servers. Each proxy begins with another one, and goes on to the next when it loses one.
    pub ways: Vec<Way>,
    /// Node ids, `{}` standing for a proxy's number.
    pub nodes: String,
    pub count: usize,
    pub variant: Variant,
    pub manner: Manner,
    /// How often in a row a proxy may fail.
    pub attempts: u32,
    /// Whether it is noted when something comes again or goes back.
    pub keeps_journal: bool,
}

/// How often in a row a proxy of a measured fleet may fail.
const ATTEMPTS: u32 = 10;

impl Order {
    /// Proxies at one server that take everything.
    pub fn of(way: Way, nodes: &str, count: usize, variant: Variant) -> Self {
        Self {
            ways: vec![way],
            nodes: nodes.to_owned(),
            count,
            variant,
            manner: Manner::Accepting,
            attempts: ATTEMPTS,
            keeps_journal: false,
        }
    }
}

impl Fleet {
    /// Connects all at once: a storm.
    pub fn launch(order: &Order) -> Self {
        Self::resume(order, Vec::new())
    }

    /// Connects all at once, each with what it held before.
    pub fn resume(order: &Order, held: Vec<Held>) -> Self {
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = watch::channel(false);
        let mut held = held.into_iter();
        let proxies = (0..order.count).map(|number| {
            let role = Role {
                ways: order.ways.clone(),
                first: number,
                node: order.nodes.replace("{}", &number.to_string()),
                variant: order.variant,
                manner: order.manner,
                attempts: order.attempts,
                keeps_journal: order.keeps_journal,
            };
            let held = held.next().unwrap_or_default();
            tokio::spawn(proxy::run(role, held, Arc::clone(&tally), stopped.clone()))
        });
        let proxies = proxies.collect();
        Self {
            tally,
            began: Instant::now(),
            stop,
            proxies,
        }
    }

    /// Waits until every proxy has everything it asked for; the time since the launch.
    ///
    /// # Errors
    /// A proxy failed, or `patience` is over.
    pub async fn complete(&self, patience: Duration) -> Result<Duration> {
        loop {
            let complete = self.tally.complete_count();
            if complete == self.proxies.len() {
                return Ok(self.began.elapsed());
            }
            if let (count @ 1.., why) = self.tally.failures() {
                bail!(
                    "{count} of {} proxies failed: {}",
                    self.proxies.len(),
                    why.unwrap_or_default()
                );
            }
            if self.began.elapsed() > patience {
                bail!(
                    "{complete} of {} proxies were complete after {patience:?}",
                    self.proxies.len()
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Disconnects all, and gives what they hold.
    pub async fn disconnect(mut self) -> Vec<Held> {
        self.stop.send_replace(true);
        let mut held = Vec::with_capacity(self.proxies.len());
        for proxy in self.proxies.drain(..) {
            held.extend(proxy.await.ok());
        }
        held
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for proxy in &self.proxies {
            proxy.abort();
        }
    }
}
