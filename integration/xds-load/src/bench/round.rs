//! One server, one size, once through all cases.

use std::time::Duration;

use anyhow::{ensure, Result};

use super::figure::Taken;
use super::process::Running;
use super::{percentile, Options, Server};
use crate::fleet::{Fleet, Order};
use crate::proxy::{Manner, Variant};
use crate::stamp::Stamp;
use crate::world::{Change, Size};

/// How long a fleet may take until it is complete, and a change until it has arrived everywhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// What follows a storm or a series of changes (acknowledgements, freed memory) is theirs.
const SETTLE: Duration = Duration::from_millis(700);
/// How long a proxy refuses, for the price of a refusal.
const REFUSING: Duration = Duration::from_secs(3);

const ENDPOINTS: usize = 5;
const ROUTES: usize = 100;

pub(super) struct Round<'a> {
    pub options: &'a Options,
    pub server: &'a Server,
    pub proxies: usize,
    pub clusters: usize,
}

/// The kinds of changes, by the name of their case.
const KINDS: [&str; 4] = ["endpoint", "route", "ecds", "cluster"];

impl Round<'_> {
    pub async fn run(&self) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        for (variant, name) in [(Variant::Delta, "delta"), (Variant::Sotw, "sotw")] {
            self.changes(variant, name, &mut taken).await?;
            if self.wants("reject") {
                self.refusals(variant, name, &mut taken).await?;
            }
        }
        Ok(taken)
    }

    fn wants(&self, case: &str) -> bool {
        self.options
            .only
            .as_ref()
            .is_none_or(|only| case.contains(only.as_str()))
    }

    fn size(&self) -> Size {
        Size {
            nodes: self.proxies,
            clusters: self.clusters,
            endpoints: ENDPOINTS,
            routes: ROUTES.min(self.clusters),
        }
    }

    fn change(&self, kind: &str, number: usize) -> Change {
        match kind {
            "endpoint" => Change::Endpoint(number % self.clusters),
            "route" => Change::Route,
            "ecds" => Change::Extension,
            // Each adds one more.
            _ => Change::Cluster(self.clusters + number),
        }
    }

    fn order(&self, server: &Running, variant: Variant) -> Order {
        Order {
            server: server.url(),
            nodes: "n{}".to_owned(),
            count: self.proxies,
            variant,
            manner: Manner::Accepting,
        }
    }

    fn taken(&self, case: String, metric: &'static str, value: f64) -> Taken {
        Taken {
            server: self.server.name.clone(),
            proxies: self.proxies,
            clusters: self.clusters,
            case,
            metric,
            value,
        }
    }

    /// A storm of connections, changes of every kind, and the storm of those who come back.
    async fn changes(&self, variant: Variant, name: &str, taken: &mut Vec<Taken>) -> Result<()> {
        let mut server = self.server.start(&self.size()).await?;
        tokio::time::sleep(SETTLE).await;
        let (cpu, rss) = (server.cpu()?, server.rss_kb()?);
        let order = self.order(&server, variant);
        let fleet = Fleet::launch(&order);
        let storm = fleet.complete(PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        let case = format!("storm-{name}");
        let grown = server.rss_kb()?.saturating_sub(rss) as f64;
        let spent = (server.cpu()? - cpu).as_secs_f64();
        taken.push(self.taken(case.clone(), "all_ready_s", storm.as_secs_f64()));
        taken.push(self.taken(case.clone(), "cpu_s", spent));
        taken.push(self.taken(case.clone(), "reconnects", fleet.tally.reconnect_count() as f64));
        taken.push(self.taken(case.clone(), "rss_kb_per_client", grown / self.proxies as f64));

        let mut made = 0;
        for kind in KINDS {
            let case = format!("{kind}-{name}");
            if self.wants(&case) {
                self.series(&mut server, &fleet, case, |number| self.change(kind, number), taken)
                    .await?;
                made += self.options.changes;
            }
        }
        taken.push(self.taken(case, "rss_mb", server.rss_kb()? as f64 / 1024.0));
        ensure!(
            fleet.tally.failures().0 == 0,
            "proxies failed after {made} changes: {:?}",
            fleet.tally.failures().1
        );

        if self.wants("reconnect") {
            let held = fleet.disconnect().await;
            tokio::time::sleep(SETTLE).await;
            let cpu = server.cpu()?;
            let fleet = Fleet::resume(&order, held);
            fleet.complete(PATIENCE).await?;
            tokio::time::sleep(SETTLE).await;
            let case = format!("reconnect-{name}");
            taken.push(self.taken(case.clone(), "cpu_s", (server.cpu()? - cpu).as_secs_f64()));
            taken.push(self.taken(
                case,
                "bytes_per_client",
                fleet.tally.traffic().bytes as f64 / self.proxies as f64,
            ));
        }
        Ok(())
    }

    async fn series(
        &self,
        server: &mut Running,
        fleet: &Fleet,
        case: String,
        change: impl Fn(usize) -> Change,
        taken: &mut Vec<Taken>,
    ) -> Result<()> {
        let (cpu, before) = (server.cpu()?, fleet.tally.traffic());
        let mut stamps = Vec::with_capacity(self.options.changes);
        for number in 0..self.options.changes {
            stamps.push(server.change(change(number)).await?);
            tokio::time::sleep(Duration::from_millis(self.options.pause)).await;
        }
        self.arrived(fleet, &stamps).await;
        tokio::time::sleep(SETTLE).await;
        let count = stamps.len() as f64;
        let spent = (server.cpu()? - cpu).as_secs_f64();
        let latencies = fleet.tally.latencies(&stamps);
        let lost = (self.proxies * stamps.len()).saturating_sub(latencies.len());
        taken.push(self.taken(case.clone(), "cpu_s_per_change", spent / count));
        taken.push(self.taken(case.clone(), "p50_ms", percentile(&latencies, 0.50)));
        taken.push(self.taken(case.clone(), "p99_ms", percentile(&latencies, 0.99)));
        let sent = (fleet.tally.traffic().bytes - before.bytes) as f64;
        taken.push(self.taken(case.clone(), "bytes_per_change", sent / count / self.proxies as f64));
        taken.push(self.taken(case, "lost", lost as f64));
        Ok(())
    }

    /// Waits until every proxy has every change, or until it is clear that some have not.
    async fn arrived(&self, fleet: &Fleet, stamps: &[Stamp]) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let is_there = || {
            stamps
                .iter()
                .all(|stamp| fleet.tally.deliveries(*stamp) >= self.proxies)
        };
        while !is_there() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// One proxy that refuses every change it gets: what a change costs that is never taken.
    async fn refusals(&self, variant: Variant, name: &str, taken: &mut Vec<Taken>) -> Result<()> {
        let size = Size {
            nodes: 1,
            ..self.size()
        };
        let mut server = self.server.start(&size).await?;
        let order = Order {
            count: 1,
            manner: Manner::Rejecting,
            ..self.order(&server, variant)
        };
        let fleet = Fleet::launch(&order);
        fleet.complete(PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        let (cpu, before) = (server.cpu()?, fleet.tally.traffic());
        server.change(Change::Endpoint(0)).await?;
        tokio::time::sleep(REFUSING).await;
        let case = format!("reject-{name}");
        let share = (server.cpu()? - cpu).as_secs_f64() / REFUSING.as_secs_f64();
        taken.push(self.taken(case.clone(), "core_share", share));
        let sent = fleet.tally.traffic().responses - before.responses;
        taken.push(self.taken(case, "responses", sent as f64));
        Ok(())
    }
}
